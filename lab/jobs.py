"""Jobs, as their controller and the kubelet run them: a Pod that istiod injects, its container's command to its end.

The command runs from this machine's programs in place of the image's, so it must be one of a shell.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from lab import LabError
from lab.kubelet import PATH
from lab.process import Process
from lab.session import Session
from lab.world import Workload

NOBODY: Final = 65534  # the group of a container that is not root; not the proxy's, which interception leaves alone
LIMIT: Final = 120.0  # seconds for the whole command


@dataclass(frozen=True, slots=True)
class Ended:
    """How a Job's container ended, and what it printed."""

    status: int
    output: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Ended":
        """From JSON."""
        return cls(**document)


def commands(session: Session) -> dict[str, Callable[[Any], Awaitable[Any]]]:
    """Of the daemon."""
    return {"run_job": partial(run_job, session)}


async def run_job(session: Session, document: Mapping[str, Any]) -> dict[str, Any]:
    """One that has been applied, from its Pod to its end; nothing of it stays but the Job."""
    admitted = await session.aside(lambda: session.api.get(document))
    if admitted is None:
        raise LabError(f"there is no Job {document['metadata']['namespace']}/{document['metadata']['name']}")
    template = admitted["spec"]["template"]
    workload = Workload(
        admitted["metadata"]["namespace"], admitted["metadata"]["name"], template["spec"]["serviceAccountName"],
        template["metadata"]["labels"], template, next(session.spare),
    )  # fmt: skip
    session.world = replace(session.world, workloads={**session.world.workloads, workload.key: workload})
    try:
        await session.start_workloads([workload])
        process = await session.aside(lambda: _started(session, workload))
        await _ended(process)
        return {"status": process.popen.returncode, "output": process.log.read_text(errors="replace")}
    finally:
        session.processes.stop(f"{workload.netns}-job")
        await session.aside(lambda: session.remove_pod(workload))


def _started(session: Session, workload: Workload) -> Process:
    container, name = workload.template["spec"]["containers"][0], f"{workload.netns}-job"
    (session.processes.directory / f"{name}.log").unlink(missing_ok=True)  # a Job may run again
    return session.processes.start(
        name, container["command"], env={"PATH": PATH}, cwd=Path("/"), netns=session.kubelet.pods[workload.key].netns,
        gid=NOBODY,
    )  # fmt: skip


async def _ended(process: Process) -> None:
    began = time.monotonic()
    while process.alive:
        if time.monotonic() - began > LIMIT:
            raise process.failure(f"does not end within {LIMIT:.0f} s")
        await asyncio.sleep(0.05)

"""A control plane of more than one pod: one istiod more, one lost without warning, the same one back."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from lab import LabError
from lab.session import ISTIOD, Session
from lab.world import Workload


def commands(session: Session) -> dict[str, Callable[[Any], Awaitable[Any]]]:
    """Of the daemon; each takes the key of an istiod's pod."""
    found = (replicate, lose, regain)
    return {command.__name__: partial(command, session) for command in found}


async def replicate(session: Session, key: str) -> str:
    """One more pod of the same Deployment, ready and in its Services; its key."""
    session.counter += 1
    first = _istiod(session, key)
    twin = replace(first, name=f"{first.name}-r{session.counter}", address=next(session.spare))
    session.world = replace(session.world, workloads={**session.world.workloads, twin.key: twin})

    def start() -> None:
        session.create_pods([twin])
        session.run_istiod(twin)
        session.translate()

    await session.aside(start)
    return twin.key


async def lose(session: Session, key: str) -> None:
    """It is killed, and as a kubelet does that sees a container end, taken out of its Services."""
    workload = _istiod(session, key)
    process = session.processes.running.pop(workload.netns)
    process.signal(signal.SIGKILL)
    process.popen.wait()
    session.unready[key] = None
    await session.aside(session.translate)


async def regain(session: Session, key: str) -> None:
    """Its container starts again; back when it is ready and in its Services."""
    workload = _istiod(session, key)
    await session.aside(lambda: session.run_istiod(workload))
    del session.unready[key]
    await session.aside(session.translate)


def _istiod(session: Session, key: str) -> Workload:
    workload = session.world.workloads.get(key)
    if workload is None or workload.labels.get("app") != ISTIOD or workload.netns not in session.network.namespaces:
        raise LabError(f"there is no pod {key} of istiod")
    return workload

"""What happens to a cluster besides its objects: programs crash, pods are replaced, somebody looks into an Envoy.

Each function is a command of the daemon (`Lab.operate(name, argument)`) and runs inside the sandbox.
"""

import asyncio
import http.client
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from lab import LabError
from lab.network import inside
from lab.oidc import Provider
from lab.session import ISTIOD, Session
from lab.world import Workload, world

API_SERVER: Final = "kube-apiserver"
DRAIN_LIMIT: Final = 40.0  # seconds until a pod that drains is killed: above any terminationGracePeriodSeconds of ours
CONNECTIONS: Final = 16  # at once to the API server: as many as a deployment engine has (pulumi --parallel)
ADMIN_PORT: Final = 15000  # Envoy's, on the pod's loopback

Command = Callable[[Any], Awaitable[Any]]


def commands(session: Session) -> dict[str, Command]:
    """All of them, by name."""
    found = (
        kill, revive, start_control_planes, surge, retire, surround, read, write, write_many, erase, envoy, memory,
        sign_users_in,
    )  # fmt: skip
    return {command.__name__: partial(command, session) for command in found}


async def kill(session: Session, name: str) -> None:
    """A program ends without warning. `name` is a process's as `Lab.status` tells."""
    if (process := session.processes.running.pop(name, None)) is None:
        raise LabError(f"kill: nothing called {name} runs; there are {', '.join(session.processes.running)}")
    process.signal(signal.SIGKILL)
    process.popen.wait()


async def revive(session: Session, name: str) -> None:
    """Start again what was killed, as a kubelet restarts a container; back when it is ready."""
    if name == API_SERVER:
        await session.aside(session.plane.start_api_server)
        return
    istiod = next((w for w in _control_planes(session) if w.netns == name), None)
    if istiod is not None:
        await session.aside(partial(session.run_istiod, istiod))
        return
    raise LabError(f"revive: {name} is neither {API_SERVER} nor an istiod")


async def start_control_planes(session: Session, _: Any = None) -> list[str]:
    """Pods of istiod Deployments that were applied and do not run yet; their keys."""
    fresh = [w for w in _control_planes(session) if w.netns not in session.network.namespaces]

    def start() -> None:
        for workload in fresh:
            session.create_pods([workload])
            session.run_istiod(workload)
        session.translate()
        session.wait_webhooks()

    if fresh:
        await session.aside(start)
    return [w.key for w in fresh]


async def surge(session: Session, key: str) -> str:
    """One pod more of a workload, from its Deployment as it is now; in service once its proxy is ready. The new key."""
    running = _pod(session, key)
    original = session.twins.get(key, key)
    declared = world(session.documents, pod_range=session.pod_range).workloads.get(original, running)
    session.counter += 1
    twin = replace(declared, name=f"{declared.name}-r{session.counter}", address=next(session.spare))
    session.twins[twin.key] = original
    session.world = replace(session.world, workloads={**session.world.workloads, twin.key: twin})
    session.unready[twin.key] = None
    await session.start_workloads([twin])
    del session.unready[twin.key]
    await session.aside(session.translate)
    return twin.key


async def retire(session: Session, key: str) -> float:
    """A pod goes as Kubernetes lets it: no new connections, SIGTERM, time to drain. Seconds until its proxy ended."""
    workload, began = _pod(session, key), time.monotonic()
    session.unready[key] = None
    await session.aside(session.translate)
    process = session.processes.running.get(workload.netns)
    if process is not None:
        process.popen.send_signal(signal.SIGTERM)  # to the container's first process alone, as a kubelet does
        while process.alive and time.monotonic() - began < DRAIN_LIMIT:
            await asyncio.sleep(0.05)
    taken = time.monotonic() - began
    await session.servers.remove(workload.netns)
    await session.aside(lambda: session.remove_pod(workload))
    return round(taken, 2)


async def surround(session: Session, documents: Sequence[Mapping[str, Any]]) -> None:
    """Bring about what documents suppose, without writing them: Secrets, hosts, addresses, the packet filter."""
    await session.surround(list(documents))


async def write(session: Session, documents: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Objects into the API server and nothing else; when the first was sent and the last answered (monotonic clock)."""
    began = time.monotonic()
    await session.aside(lambda: session.write(documents))
    return began, time.monotonic()


async def write_many(session: Session, documents: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The same for thousands that do not need one another, over several connections, as a deployment engine does it."""
    began = time.monotonic()
    shares = [documents[start::CONNECTIONS] for start in range(CONNECTIONS)]

    def share(several: Sequence[Mapping[str, Any]]) -> None:
        api = session.plane.api()
        try:
            for document in several:
                api.apply(document)
        finally:
            api.close()

    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, share, several) for several in shares))
    return began, time.monotonic()


async def read(session: Session, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """An object as the API server has it; None if it has none."""
    return await session.aside(lambda: session.api.get(document))


async def erase(session: Session, documents: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Objects out of the API server and nothing else; the same two times."""
    began = time.monotonic()
    await session.aside(lambda: session.erase(documents))
    return began, time.monotonic()


async def envoy(session: Session, argument: Mapping[str, str]) -> str:
    """GET a path of a pod's Envoy admin interface: {"pod": key, "path": "/config_dump"}."""
    workload = _pod(session, argument["pod"])
    return await asyncio.get_running_loop().run_in_executor(None, lambda: _admin(workload.netns, argument["path"]))


def _admin(netns: str, path: str) -> str:
    with inside(netns):
        made = socket.create_connection(("127.0.0.1", ADMIN_PORT), timeout=30)
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN_PORT)
    connection.sock = made
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


async def sign_users_in(session: Session, argument: Mapping[str, Any]) -> None:
    """A token issuer of the world signs users in as well: {"issuer", "client", "secret", "users": name -> claims}."""
    issuer = argument["issuer"]
    provider = Provider(
        issuer, session.credentials.issuer(issuer), argument["client"], argument["secret"], argument["users"]
    )
    session.servers.sites[provider.host] = provider


async def memory(session: Session, _: Any = None) -> dict[str, dict[str, float]]:
    """Resident MiB of each process of the lab: name of the process -> name of the program -> MiB."""
    groups = {process.popen.pid: name for name, process in session.processes.running.items()}
    found: dict[str, dict[str, float]] = {name: {} for name in groups.values()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            name = groups.get(os.getpgid(int(entry.name)))
            lines = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
            if name is not None and "VmRSS" in lines:
                program = lines["Name"].strip()
                found[name][program] = found[name].get(program, 0.0) + int(lines["VmRSS"].split()[0]) / 1024
    return found


def _control_planes(session: Session) -> list[Workload]:
    return [w for w in session.world.workloads.values() if w.labels.get("app") == ISTIOD]


def _pod(session: Session, key: str) -> Workload:
    workload = session.world.workloads.get(key)
    if workload is None or workload.netns not in session.network.namespaces:
        raise LabError(f"there is no pod {key}; there are {', '.join(session.kubelet.pods)}")
    return workload

"""Process 1 of a sandbox: runs one Session and answers on a Unix socket, a line of JSON each way.

`python -m lab.daemon DIRECTORY` reads `DIRECTORY/input.json` ({"documents": [...], "podRange": ...}) and listens on
`DIRECTORY/control.sock` once everything is ready; progress and failure go to `DIRECTORY/progress.jsonl`. Standard input
is a pipe whose end means that nobody waits any more: then it ends, unless it is ready and was started with "outlives".
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from lab import LabError, asking, jobs, operations, replicas
from lab.home import SOCKET, Hold
from lab.probe import ClientCertificate, Probe
from lab.session import Session
from lab.tools import tools
from lab.world import POD_RANGE

LINE_LIMIT: Final = 64 * 1024 * 1024
INPUT: Final = "input.json"
PROGRESS: Final = "progress.jsonl"


async def main(directory: Path) -> int:
    """Run until told to stop. 0 after a good stop, 1 if the lab did not start."""
    hold = Hold(directory)
    given = json.loads((directory / INPUT).read_text())
    progress = (directory / PROGRESS).open("a", buffering=1)

    def say(kind: str, text: str) -> None:
        progress.write(json.dumps({"kind": kind, "text": text}) + "\n")

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    orphaned, detached = asyncio.Event(), asyncio.Event()

    def abandoned() -> None:
        """Nobody writes to standard input: it is readable when whoever started us has ended, however it did."""
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if not detached.is_set():
            orphaned.set()
            stopping.set()

    def ready() -> None:
        if given.get("outlives"):
            detached.set()
        say("ready", "the lab is ready")

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), abandoned)
    session = Session(tools(), directory, lambda text: say("step", text), given.get("podRange") or POD_RANGE)
    try:
        starting = asyncio.create_task(session.start(given["documents"]))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return 1
        await starting
        await _serve(session, directory, stopping, ready)
    except LabError as error:
        say("failed", str(error))
        return 1
    except Exception:  # the caller shows it: a fault of the lab itself
        say("failed", f"a fault of the lab itself:\n{traceback.format_exc()}")
        return 1
    finally:
        await session.stop()
        (directory / SOCKET).unlink(missing_ok=True)
        if orphaned.is_set():
            shutil.rmtree(directory, ignore_errors=True)
        hold.release()
    return 0


async def _serve(session: Session, directory: Path, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
    commands = _commands(session, stopping)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # At the end of the lab the loop cancels who still waits here, and asyncio's streams would print that.
        with suppress(asyncio.CancelledError, ConnectionError):
            await answered(reader, writer)
        writer.close()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            try:
                result: dict[str, Any] = {"result": await commands[request["command"]](request.get("argument"))}
            except LabError as error:
                result = {"error": str(error)}
            except Exception:  # a fault of ours must reach the caller, not end the lab
                result = {"error": f"a fault of the lab itself:\n{traceback.format_exc()}"}
            writer.write(json.dumps(result).encode() + b"\n")
            await writer.drain()

    server = await asyncio.start_unix_server(answer, directory / SOCKET, limit=LINE_LIMIT)
    os.chmod(directory / SOCKET, 0o600)
    ready()
    await stopping.wait()
    server.close()


def _commands(session: Session, stopping: asyncio.Event) -> dict[str, Callable[[Any], Awaitable[Any]]]:
    async def probes(argument: Any) -> Any:
        return [o.document() for o in await asking.probes(session, [Probe.of(p) for p in argument])]

    async def apply(argument: Any) -> None:
        await session.apply(argument)

    async def delete(argument: Any) -> None:
        await session.delete(argument)

    async def enforce(argument: Any) -> None:
        await session.enforce(bool(argument))

    async def status(_: Any) -> Any:
        return {
            "processes": {
                name: {"pid": p.popen.pid, "alive": p.alive, "log": str(p.log)}
                for name, p in session.processes.running.items()
            },
            "workloads": {key: w.address for key, w in session.world.workloads.items()},
            "proxies": session.proxies(),
            "hosts": dict(session.world.hosts),
            "stranger": session.world.stranger,
            "balancers": dict(session.world.balancers),
            "remotes": {r.host: r.address for r in session.world.remotes.values()},
            "requests": session.servers.requests,
            "skipped": session.skipped,
        }

    async def certificate(argument: Any) -> Any:
        shown = ClientCertificate(argument["authority"], tuple(argument["names"]), argument["expired"])
        pair = session.credentials.pair(shown)
        path = session.directory / "clients" / f"{argument['file']}.pem"
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(pair.certificate + pair.key)
        return str(path)

    async def credential(argument: Any) -> Any:
        shown = ClientCertificate(argument["authority"], tuple(argument["names"]), argument["expired"])
        return session.credentials.client_secret(argument["namespace"], argument["name"], shown)

    async def stop(_: Any) -> None:
        stopping.set()

    found = (probes, apply, delete, enforce, status, certificate, credential, stop)
    return {command.__name__: command for command in found} | _more(session)


def _more(session: Session) -> dict[str, Callable[[Any], Awaitable[Any]]]:
    return operations.commands(session) | jobs.commands(session) | replicas.commands(session)


if __name__ == "__main__":
    # Not sys.exit: that waits for the session's thread, and the kernel ends whatever it is waiting for.
    os._exit(asyncio.run(main(Path(sys.argv[1]))))

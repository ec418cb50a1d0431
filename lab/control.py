"""The lab from outside its sandbox: start one, ask it, stop it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lab import LabError, netns
from lab.daemon import INPUT, PROGRESS
from lab.home import FAILED, NEEDED, SOCKET, Hold, require_room
from lab.probe import ClientCertificate, Observation, Probe
from lab.world import Document

START_SECONDS: Final = 180.0
STOP_SECONDS: Final = 20.0
ENTER: Final = """#!/bin/sh
# in NAME COMMAND...: runs COMMAND in the network of a pod (<namespace>.<workload>) of this lab, of `outside`, or on its
# `node`, where kubectl finds the API server.
test $# -ge 2 || {{ echo "in NAME COMMAND...: NAME is outside, node or <namespace>.<workload>" >&2; exit 2; }}
parent=$(cat {directory}/pid) && inner=$(cat /proc/$parent/task/$parent/children) || exit 2
where=$1; shift
test "$where" = node && exec {entered} --net -- env KUBECONFIG={directory}/control-plane/kubeconfig "$@"
exec {entered} -- nsenter --net=/run/netns/$where -- "$@"
"""


@dataclass(slots=True)
class Lab:
    """A lab in `directory`. As a context manager it stops on exit and keeps its files only if something failed.

    Should this process end without a word, the lab ends and removes its files by itself.
    """

    directory: Path
    _hold: Hold | None = field(default=None, repr=False)
    _socket: socket.socket | None = None
    _daemon: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def start(
        cls,
        documents: Sequence[Document],
        *,
        directory: Path | None = None,
        pod_range: str | None = None,
        outlives: bool = False,
        report: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Start one and wait until it is ready; with `outlives` it runs on when this process has ended.

        Raises LabError with the component and the last lines of its log.
        """
        netns.require()
        if directory is None:
            hold = Hold.of_nobody()
        else:
            directory.mkdir(parents=True, exist_ok=True)
            hold = Hold(directory)
        lab = cls(hold.folder, _hold=hold)
        try:
            require_room(lab.directory, NEEDED)
            lab._begin({"documents": [dict(d) for d in documents], "podRange": pod_range, "outlives": outlives})
            lab._wait_ready(report)
        except BaseException as error:
            lab._leave(error)
            raise
        return lab

    @classmethod
    def running(cls, directory: Path) -> Self:
        """The one that `start` left running in a directory. Raises LabError if there is none."""
        if not (directory / SOCKET).exists():
            raise LabError(f"no lab is running in {directory}; start one with: partner-mesh lab up STACK")
        return cls(directory)

    def probe(self, probe: Probe) -> Observation:
        """Send one request."""
        return self.probes([probe])[0]

    def probes(self, probes: Sequence[Probe]) -> list[Observation]:
        """Send several, some at a time; observations in the same order."""
        return [Observation.of(o) for o in self._ask("probes", [p.document() for p in probes])]

    def until(
        self, probe: Probe, holds: Callable[[Observation], bool], seconds: float = 10.0
    ) -> tuple[Observation, float]:
        """Send it again and again until an observation holds; the last one and how long it took, held or not."""
        began = time.monotonic()
        while True:
            seen = self.probe(probe)
            if holds(seen) or time.monotonic() - began > seconds:
                return seen, time.monotonic() - began
            time.sleep(0.02)

    def apply(self, documents: Sequence[Document]) -> None:
        """Add or change objects by server-side apply."""
        self._ask("apply", [dict(d) for d in documents])

    def delete(self, documents: Sequence[Document]) -> None:
        """Remove objects."""
        self._ask("delete", [dict(d) for d in documents])

    def enforce(self, enforcing: bool) -> None:  # noqa: FBT001  # it is the one thing said
        """Switch the enforcement of NetworkPolicies on or off: off shows what the mesh alone turns away."""
        self._ask("enforce", enforcing)

    def certificate(self, certificate: ClientCertificate, file: str) -> Path:
        """A client's certificate with its key as `clients/<file>.pem`, for programs other than probes."""
        return Path(self._ask("certificate", {**asdict(certificate), "file": file}))

    def credential(self, namespace: str, name: str, certificate: ClientCertificate) -> dict[str, Any]:
        """A Secret by which a gateway shows a client's certificate to servers of ours; apply it to use it."""
        return dict(self._ask("credential", {**asdict(certificate), "namespace": namespace, "name": name}))

    def enter(self) -> Path:
        """A script that runs a command where a pod or the outside is: `in outside curl`, `in checkout.checkout sh`."""
        script = self.directory / "in"
        entered = " ".join(netns.entered("${inner%% *}"))
        script.write_text(ENTER.format(directory=self.directory, entered=entered))
        script.chmod(0o700)
        return script

    def status(self) -> Mapping[str, Any]:
        """Processes, addresses, hosts, requests counted: for people and tests."""
        return dict(self._ask("status"))

    def operate(self, command: str, argument: Any = None) -> Any:
        """One of `lab.operations`: processes killed and revived, pods replaced, Envoys looked into."""
        return self._ask(command, argument)

    def command_inside(self, argv: Sequence[str], *, pod: str | None = None) -> list[str]:
        """A command line that runs `argv` in the sandbox: on its node, or in the network of a pod (its netns' name)."""
        parent = (self.directory / "pid").read_text().strip()
        inner = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]
        entered = [*netns.entered(inner), "--net", "--"]
        return [*entered, *(() if pod is None else ("nsenter", f"--net=/run/netns/{pod}", "--")), *argv]

    def stop(self) -> None:
        """Stop it and wait until its sandbox is gone."""
        if self._daemon is None and not (self.directory / "pid").exists():
            return  # it never began
        pid = int((self.directory / "pid").read_text()) if self._daemon is None else self._daemon.pid
        with suppress(LabError, OSError):
            self._ask("stop")
        if not self._gone(pid, STOP_SECONDS if (self.directory / SOCKET).exists() else 1.0):
            # The sandbox's first process goes with its parent, and everything inside goes with that.
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._gone(pid, 5.0)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        (self.directory / SOCKET).unlink(missing_ok=True)

    def _begin(self, given: Mapping[str, Any]) -> None:
        (self.directory / INPUT).write_text(json.dumps(given))
        (self.directory / PROGRESS).write_text("")
        with (self.directory / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                netns.isolated(netns.python("lab.daemon", str(self.directory))),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=netns.environment(),
                start_new_session=True,
            )
        (self.directory / "pid").write_text(str(self._daemon.pid))

    def _gone(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (self._daemon.poll() is not None) if self._daemon is not None else not Path(f"/proc/{pid}").exists():
                return True
            time.sleep(0.05)
        return False

    def _wait_ready(self, report: Callable[[str], None]) -> None:
        deadline, told = time.monotonic() + START_SECONDS, 0
        while time.monotonic() < deadline:
            lines = (self.directory / PROGRESS).read_text().splitlines()
            for line in lines[told:]:
                entry = json.loads(line)
                if entry["kind"] == "failed":
                    require_room(self.directory)
                    raise LabError(f"{entry['text']}\nall logs are in {self.directory / 'logs'}")
                if entry["kind"] == "ready":
                    return
                report(entry["text"])
            told = len(lines)
            if self._daemon is not None and self._daemon.poll() is not None:
                require_room(self.directory)
                last = "\n".join((self.directory / "daemon.log").read_text(errors="replace").splitlines()[-20:])
                raise LabError(f"the lab's daemon ended with status {self._daemon.returncode}; its log ends:\n{last}")
            time.sleep(0.05)
        raise LabError(f"the lab is not ready after {START_SECONDS:.0f} s; all logs are in {self.directory / 'logs'}")

    def _ask(self, command: str, argument: Any = None) -> Any:
        # Kept only between exchanges: an interrupted one leaves an answer on its way, which `stop` must not wait for.
        connection, self._socket = self._socket, None
        if connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(str(self.directory / SOCKET))
        connection.sendall(json.dumps({"command": command, "argument": argument}).encode() + b"\n")
        parts: list[bytes] = []
        while not (parts and parts[-1].endswith(b"\n")):
            part = connection.recv(1 << 20)
            if not part:
                raise LabError(f"the lab in {self.directory} has ended; its logs are in {self.directory / 'logs'}")
            parts.append(part)
        self._socket = connection
        answer = json.loads(b"".join(parts))
        if "error" in answer:
            raise LabError(answer["error"])
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        """Stop; what failed keeps its files; what is told to end (Ctrl-C), or has no room for them, does not."""
        self.stop()
        if not isinstance(error, Exception) or isinstance(error, OSError):
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            with suppress(OSError):
                (self.directory / FAILED).touch()
        if self._hold is not None:
            self._hold.release()

"""Child processes that never outlive the lab: each in its own group, output in a file, stopped in reverse order."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab import LabError

PR_SET_PDEATHSIG: Final = 1
CLONE_NEWNET: Final = 0x40000000
TERMINATION_SECONDS: Final = 2.0  # a draining agent may take longer; nothing in a lab is worth waiting for
TAIL_LINES: Final = 20

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Process:
    """One child. `log` holds its output of all its lives; `name` is what messages call it."""

    name: str
    log: Path
    popen: subprocess.Popen[bytes]

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its log, indented, for error messages."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line}" for line in text) or "    (nothing logged)"

    def signal(self, number: int) -> None:
        """To the whole group: an agent's Envoy goes with it."""
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            return

    def failure(self, what: str) -> LabError:
        """An error that names the component and shows why."""
        state = "is running" if self.alive else f"ended with status {self.popen.returncode}"
        return LabError(f"{self.name}: {what}; the process {state}, its log {self.log} ends:\n{self.tail()}")


@dataclass(slots=True)
class Processes:
    """All children of one lab; a context manager that leaves none behind."""

    directory: Path
    running: dict[str, Process] = field(default_factory=dict)

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        netns: Path | None = None,
        gid: int | None = None,
    ) -> Process:
        """Start one, in the network namespace of that path if given. `env` replaces the whole environment.

        Call from the main thread: the kernel sends the parent-death signal when the thread that forked ends.
        """
        if name in self.running and self.running[name].alive:
            raise LabError(f"{name}: already running")
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.directory / f"{name}.log"
        with log.open("ab") as out:
            try:
                popen = subprocess.Popen(
                    [str(part) for part in argv],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=cwd or self.directory,
                    env=dict(env) if env is not None else None,
                    start_new_session=True,
                    group=gid,
                    extra_groups=[gid] if gid is not None else None,
                    preexec_fn=dying_with_us(netns),  # noqa: PLW1509  # no thread of ours holds a lock it needs
                )
            except OSError as error:
                raise LabError(f"{name}: cannot start {argv[0]}: {error}") from error
        process = Process(name, log, popen)
        self.running[name] = process
        return process

    def wait_until(
        self, name: str, ready: Callable[[], bool], *, seconds: float = 60.0, what: str = "not ready"
    ) -> float:
        """Poll until ready; seconds taken. A process that ends meanwhile, or the time running out, raises LabError."""
        process, began = self.running[name], time.monotonic()
        pause, reason = 0.02, ""
        while (taken := time.monotonic() - began) < seconds:
            if not process.alive:
                raise process.failure(what)
            try:
                if ready():
                    return taken
            except OSError as error:  # not listening yet
                reason = f" ({error})"
            time.sleep(pause)
            pause = min(pause * 1.3, 0.25)
        raise process.failure(f"{what} after {seconds:.0f} s{reason}")

    def stop(self, name: str) -> None:
        """One process and its group, gently and then not."""
        if (process := self.running.pop(name, None)) is not None:
            _stop([process])

    def stop_all(self) -> None:
        """Everything, in reverse order of start."""
        processes = list(reversed(self.running.values()))
        self.running.clear()
        _stop(processes)

    def dead(self) -> list[Process]:
        """Those that have ended by themselves."""
        return [process for process in self.running.values() if not process.alive]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()


def _stop(processes: Sequence[Process]) -> None:
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + TERMINATION_SECONDS
    for process in processes:
        try:
            process.popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.signal(signal.SIGKILL)
            process.popen.wait()
        process.signal(signal.SIGKILL)  # what its children left in the group


def dying_with_us(netns: Path | None = None) -> Callable[[], None]:
    """What a child does before it becomes the program: die with us, enter its network namespace."""
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        if netns is not None and _libc.setns(os.open(netns, os.O_RDONLY | os.O_CLOEXEC), CLONE_NEWNET) != 0:
            os._exit(126)

    return prepare

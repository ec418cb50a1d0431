"""One measurement is one process: its wall time and its own peak memory, starting included."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of wall time, MiB of peak resident memory, and bytes written to standard output."""

    seconds: float
    mebibytes: float
    output: int


def measure(command: Sequence[str], *, repeat: int = 3, keep: Path | None = None) -> Measured:
    """The fastest of some runs. Raises RuntimeError with the last lines of standard error when the command fails."""
    return min((_once(command, keep) for _ in range(repeat)), key=lambda measured: measured.seconds)


def _once(command: Sequence[str], keep: Path | None) -> Measured:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").splitlines()[-5:]
            raise RuntimeError(f"{command[0]} exited with {child.returncode}: " + " / ".join(last))
        size = out.seek(0, os.SEEK_END)
        if keep is not None:
            out.seek(0)
            keep.write_bytes(out.read())
        return Measured(seconds, usage.ru_maxrss / 1024, size)

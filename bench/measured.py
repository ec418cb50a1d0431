"""One measurement is one process: its wall time and its own peak memory, starting included."""

import json
import subprocess
import sys
import tempfile
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


# A child's peak memory is never below its parent's at the fork, so the parent is a small process of its own.
_LAUNCHER = """
import json, os, resource, subprocess, sys, time
began = time.perf_counter()
with open(sys.argv[1], "wb") as out, open(sys.argv[2], "wb") as errors:
    code = subprocess.run(sys.argv[3:], stdout=out, stderr=errors).returncode
seconds = time.perf_counter() - began
print(json.dumps([code, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))
"""


def _once(command: Sequence[str], keep: Path | None) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        out, errors = Path(name) / "out", Path(name) / "errors"
        launcher = [sys.executable, "-S", "-E", "-c", _LAUNCHER, str(out), str(errors), *command]
        code, seconds, mebibytes = json.loads(subprocess.run(launcher, stdout=subprocess.PIPE, check=True).stdout)
        if code:
            last = errors.read_text(errors="replace").splitlines()[-5:]
            raise RuntimeError(f"{command[0]} exited with {code}: " + " / ".join(last))
        size = out.stat().st_size
        if keep is not None:
            out.replace(keep)
        return Measured(seconds, mebibytes, size)

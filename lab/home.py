"""Where labs that keep running live: one folder a stack, this user's only, its path short for a Unix socket."""

import os
import stat
import tempfile
from pathlib import Path

from lab import LabError
from lab.daemon import SOCKET


def folder(stack: str) -> Path:
    """A stack's."""
    return _root() / stack


def running() -> list[str]:
    """The stacks whose lab runs, by name."""
    return sorted(path.name for path in _root().iterdir() if (path / SOCKET).exists() and _alive(path))


def the_one(stack: str | None) -> Path:
    """The folder of a running lab: the stack's, or of the only one there is. Raises LabError with what to do."""
    found = running()
    if stack is None and len(found) == 1:
        stack = found[0]
    if stack is None or stack not in found:
        which = f"the lab of {stack} is not running" if stack else "no lab is running"
        if stack is None and found:
            raise LabError(f"several labs are running ({', '.join(found)}): name one with --stack")
        raise LabError(f"{which}; start one with: partner-mesh lab up {stack or 'STACK'}")
    return folder(stack)


def _alive(path: Path) -> bool:
    try:
        os.kill(int((path / "pid").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _root() -> Path:
    root = Path(tempfile.gettempdir()) / f"partner-mesh-lab-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LabError(f"{root} is not a folder of yours: remove it, or set TMPDIR")
    return root

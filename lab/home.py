"""Where labs live: this user's own folder, with one a stack for those that keep running and unnamed ones for the rest.

Whoever needs a folder holds a shared lock on a file in it; the kernel lets go when that process ends, however it does.
A folder that nobody holds is a leftover: whoever starts the next lab removes it.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from lab import LabError

SOCKET: Final = "control.sock"
ALIVE: Final = ".alive"
FAILED: Final = ".failed"  # kept for its logs
MEBIBYTE: Final = 1 << 20
NEEDED: Final = 96  # of them, to start: etcd lays 64 MB of its log aside, and gives them back when it fails
LEAST: Final = 1  # of them, to go on
KEPT_SECONDS: Final = 24 * 3600.0


class Hold:
    """A share in a folder, until `release` or the end of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = (folder / ALIVE).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give it up."""
        self._lock.close()

    @classmethod
    def of_stack(cls, stack: str) -> Self:
        """A fresh folder for a stack's lab. Raises LabError where one runs or starts already."""
        with _serialised():
            folder = _root() / stack
            if folder.exists() and held(folder):
                raise LabError(f"the lab of {stack} is running or starting already; stop it: partner-mesh lab down")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            return cls(folder)

    @classmethod
    def of_nobody(cls) -> Self:
        """A fresh folder without a name; what dead labs have left is removed first."""
        with _serialised():
            for folder in _root().glob(".run-*"):
                if not held(folder) and not _kept(folder):
                    shutil.rmtree(folder, ignore_errors=True)
            return cls(Path(tempfile.mkdtemp(prefix=".run-", dir=_root())))


def held(folder: Path) -> bool:
    """Whether anybody that is alive needs a folder."""
    try:
        with (folder / ALIVE).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder that is gone afterwards, or when the next lab starts if this process is killed."""
    hold = Hold.of_nobody()
    try:
        yield hold.folder
    finally:
        shutil.rmtree(hold.folder, ignore_errors=True)
        hold.release()


def require_room(folder: Path, needed: int = LEAST) -> None:
    """Raises OSError where fewer mebibytes are free: whoever stumbles over a full disk seldom says so."""
    if (free := shutil.disk_usage(folder).free // MEBIBYTE) < needed:
        raise OSError(errno.ENOSPC, f"{free} MiB are free, {needed} are needed", str(folder))


def folder(stack: str) -> Path:
    """Of a stack's lab."""
    return _root() / stack


def running() -> list[str]:
    """The stacks whose lab runs, by name."""
    named = [path for path in _root().iterdir() if not path.name.startswith(".")]
    return sorted(path.name for path in named if (path / SOCKET).exists() and held(path))


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


def _kept(folder: Path) -> bool:
    """Whether somebody may still read its logs."""
    try:
        return time.time() - (folder / FAILED).stat().st_mtime < KEPT_SECONDS
    except OSError:
        return False


@contextmanager
def _serialised() -> Iterator[None]:
    """One at a time: a folder that was just made is not held yet."""
    with (_root() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _root() -> Path:
    root = Path(tempfile.gettempdir()) / f"partner-mesh-lab-{os.getuid()}"
    with suppress(FileExistsError):  # by something else than a folder, which is said below
        root.mkdir(mode=0o700, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LabError(f"{root} is not a folder of yours: remove it, or set TMPDIR")
    return root

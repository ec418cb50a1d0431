"""The sandbox of one lab: own network, mounts and process ids, so that nothing leaves it and nothing outlives it.

The lab's daemon runs as process 1 of a PID namespace: when it ends, however it ends, the kernel ends everything that it
started. No port of this machine is used, no packet can leave: the only interfaces inside are those made there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import LabError

UNSHARE: Final = (
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
PROGRAMS: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables-restore": "iptables",
}


def refusal() -> str | None:
    """Why the data plane cannot run here, with the remedy; None if it can.

    Root is needed, or its like: interception tells the proxy's traffic from the application's by group id, and a
    namespace that an unprivileged user opens has one id only.
    """
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if missing:
        return f"programs are missing; install them: apt-get install -y {' '.join(missing)}"
    tried = subprocess.run([*UNSHARE, *_JOIN, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        reason = tried.stderr.strip() or f"status {tried.returncode}"
        return (
            f"this machine does not allow network namespaces with veth pairs here ({reason}); run as root, in a "
            "container with --cap-add SYS_ADMIN --cap-add NET_ADMIN. Tiers 1 and 2 need neither: lab test --tier apply"
        )
    return None


def require() -> None:
    """Raises LabError where `refusal` has something to say."""
    if (reason := refusal()) is not None:
        raise LabError(f"lab: the data plane cannot run: {reason}")


def isolated(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` in a sandbox of its own."""
    return [*UNSHARE, *argv]


def python(module: str, *arguments: str) -> list[str]:
    """This interpreter running a module of the project, wherever the current directory is."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment of the daemon: this one, with the project on the import path."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


# Whether the kernel lets us make what the lab is made of: a link pair, and a rule that redirects.
_JOIN: Final = (
    "sh",
    "-ec",
    """ip link add lab0 type veth peer name lab1
    nft add table ip lab
    nft add chain ip lab out "{ type nat hook output priority 0; }"
    nft add rule ip lab out tcp dport 1 redirect to :2
    exec "$0" """,
)

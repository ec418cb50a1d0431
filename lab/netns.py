"""The sandbox of one lab: own network, mounts and process ids, so that nothing leaves it and nothing outlives it.

The lab's daemon runs as process 1 of a PID namespace: when it ends, however it ends, the kernel ends everything that it
started. No port of this machine is used, no packet can leave: the only interfaces inside are those made there.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import LabError

SANDBOX: Final = (
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
# Who is not root becomes it in a user namespace. The proxy is told from the application by its group, so there must be
# more than one: newgidmap maps those that /etc/subgid gives the user.
UNPRIVILEGED: Final = ("--user", "--map-root-user", "--map-auto")
PROGRAMS: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables-restore": "iptables",
}
SYSTEM_PATH: Final = "/usr/sbin:/sbin"  # where those are, and which a user's PATH may leave out


def refusal() -> str | None:
    """Why the data plane cannot run here, with the remedy; None if it can."""
    needed = PROGRAMS if _root() else {**PROGRAMS, "newgidmap": "uidmap"}
    missing = sorted({package for program, package in needed.items() if shutil.which(program, path=_path()) is None})
    if missing:
        return f"programs are missing; install them: apt-get install -y {' '.join(missing)}"
    tried = subprocess.run(isolated([*_JOIN, "true"]), capture_output=True, text=True, check=False, env=environment())
    if tried.returncode != 0:
        reason = " ".join(tried.stderr.split()) or f"status {tried.returncode}"
        return f"network namespaces with veth pairs cannot be made ({reason}); {_remedy()}"
    return None


def _remedy() -> str:
    rest = "Tiers 1 and 2 need none of it: lab test --tier apply"
    if _root():
        return f"in a container, start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN. {rest}"
    user = pwd.getpwuid(os.getuid()).pw_name
    ranges = "--add-subuids 100000-165535 --add-subgids 100000-165535"
    return (
        f"run as root, or let {user} open user namespaces: usermod {ranges} {user}, and sysctl "
        f"user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns 0 where there is one. {rest}"
    )


def _root() -> bool:
    return os.geteuid() == 0


def require() -> None:
    """Raises LabError where `refusal` has something to say."""
    if (reason := refusal()) is not None:
        raise LabError(f"lab: the data plane cannot run: {reason}")


def isolated(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` in a sandbox of its own."""
    return ["unshare", *(() if _root() else UNPRIVILEGED), *SANDBOX, *argv]


def entered(process: str) -> list[str]:
    """The beginning of a command that runs in the sandbox of which that is the first process."""
    return ["nsenter", "--target", process, *(() if _root() else ("--user",)), "--mount", "--pid"]


def python(module: str, *arguments: str) -> list[str]:
    """This interpreter running a module of the project, wherever the current directory is."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment of the daemon: this one, with the project on the import path."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PATH": _path(), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"


# Whether the kernel lets us make what the lab is made of: a link pair, a rule that redirects, the proxies' group.
_JOIN: Final = (
    "sh",
    "-ec",
    """ip link add lab0 type veth peer name lab1
    nft add table ip lab
    nft add chain ip lab out "{ type nat hook output priority 0; }"
    nft add rule ip lab out tcp dport 1 redirect to :2
    exec setpriv --regid 1337 --clear-groups "$0" """,
)

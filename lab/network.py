"""The network inside the sandbox, shaped as the cloud's: routed pods, a service table, load balancers, an outside.

Each pod has a namespace with one /32 address and a veth pair to the node, its default route through 169.254.1.1, as the
VPC CNI does it. The node is the sandbox's own namespace: it routes, turns Service addresses into pods (what kube-proxy
does) and load balancer addresses into gateway pods with the client's address kept (what an NLB with IP targets does).
The outside world is one more namespace, which owns whole ranges: a partner's client binds an address of its real range.
"""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab import LabError
from lab.process import CLONE_NEWNET

NETNS: Final = Path("/run/netns")
NODE: Final = "169.254.1.1"  # the node as every pod sees it; the API server listens here
OUTSIDE: Final = "outside"
PROXY_GROUP: Final = 1337  # what istio-iptables excludes
SETFSGID: Final = {"x86_64": 123, "aarch64": 152}.get(os.uname().machine, 123)  # of this thread alone

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An address and port of one protocol."""

    address: str
    port: int
    protocol: str = "tcp"


@dataclass(slots=True)
class Network:
    """All namespaces of one lab. Every method runs `ip`, `nft` or `sysctl` and raises LabError with what they said."""

    namespaces: dict[str, int] = field(default_factory=dict)  # name -> number of its link

    def start(self) -> None:
        """Make the node a router. Once, as the sandbox's first act."""
        try:
            NETNS.mkdir(parents=True, exist_ok=True)
        except PermissionError:  # a user's sandbox: /run is the machine's root's, an own one is not
            run("mount", "-t", "tmpfs", "tmpfs", str(NETNS.parent))
            NETNS.mkdir()
        run("mount", "-t", "tmpfs", "tmpfs", str(NETNS))
        run("ip", "-batch", "-", given=f"link set lo up\naddr add {NODE}/32 dev lo\n")
        # Refusals by the packet filter are ICMP messages, which the kernel would ration: probes would wait for theirs.
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")

    def add(self, name: str, address: str) -> Path:
        """A namespace with that one address; the path by which a process enters it."""
        if name in self.namespaces:
            raise LabError(f"network: {name} exists")
        number = max(self.namespaces.values(), default=-1) + 1
        self.namespaces[name] = number
        inside, link = netns_path(name), f"eni{number}"
        run("ip", "netns", "add", name)
        run(
            "ip",
            "-batch",
            "-",
            given=(
                f"link add {link} type veth peer name eth0 netns {name}\n"
                f"link set {link} up\n"
                f"route add {address}/32 dev {link}\n"
            ),
        )
        run(
            "ip",
            "-netns",
            name,
            "-batch",
            "-",
            given=(
                "link set lo up\n"
                f"addr add {address}/32 dev eth0\n"
                "link set eth0 up\n"
                f"route add {NODE} dev eth0 scope link\n"
                f"route add default via {NODE} dev eth0\n"
            ),
        )
        # Gateways bind 80 and 443 without being root there; the injected Pod asks for this very setting.
        run("nsenter", f"--net={inside}", "sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0")
        return inside

    def add_outside(self, address: str) -> Path:
        """The world beyond the load balancers and NAT: where the node's default route leads."""
        inside = self.add(OUTSIDE, address)
        run("ip", "route", "add", "default", "via", address, "dev", self.link(OUTSIDE), "onlink")
        return inside

    def own(self, ranges: Iterable[str]) -> None:
        """Give ranges to the outside world: any address of them can be bound there, as client or as server."""
        batch = "".join(f"route replace local {block} dev lo\n" for block in ranges)
        run("ip", "-netns", OUTSIDE, "-batch", "-", given=batch)

    def link(self, name: str) -> str:
        """The node's end of a namespace's link: what packet filters call it."""
        return f"eni{self.namespaces[name]}"

    def remove(self, name: str) -> None:
        """A pod that is gone. Its processes must be stopped before."""
        run("ip", "link", "del", self.link(name))
        run("ip", "netns", "del", name)
        del self.namespaces[name]

    def translate(self, table: Mapping[Endpoint, Sequence[Endpoint]]) -> None:
        """Replace the table of Service and load balancer addresses. Without endpoints an address refuses."""
        run("nft", "-f", "-", given=nat_rules(table))

    def filter(self, ruleset: str) -> None:
        """Load a packet filter that replaces the one before."""
        run("nft", "-f", "-", given=ruleset)


def mount_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Files that a container image or a kubelet would bring, over this machine's, for the sandbox only."""
    folder.mkdir(parents=True, exist_ok=True)
    for target, content in files.items():
        mine, place = folder / Path(target).name, Path(target).resolve()
        mine.write_bytes(content)
        if Path(target).is_symlink() and not place.exists():  # into a /run that the sandbox does not see
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        if place.exists():
            run("mount", "--bind", str(mine), str(place))


def nat_rules(table: Mapping[Endpoint, Sequence[Endpoint]]) -> str:
    """The nftables program of a translation table, for packets of pods, of the outside and of the node itself."""
    rules = []
    for frontend, backends in sorted(table.items()):
        match = f"ip daddr {frontend.address} {frontend.protocol} dport {frontend.port}"
        if not backends:
            continue
        if len(backends) == 1:
            rules.append(f"{match} dnat to {backends[0].address}:{backends[0].port}")
        else:
            choices = ", ".join(f"{n} : {b.address} . {b.port}" for n, b in enumerate(backends))
            rules.append(f"{match} dnat ip to numgen random mod {len(backends)} map {{ {choices} }}")
    body = "\n".join(f"    {rule}" for rule in rules)
    return (
        "table ip lab_nat {}\ndelete table ip lab_nat\ntable ip lab_nat {\n"
        f"  chain services {{\n{body}\n  }}\n"
        "  chain prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
        "  chain output { type nat hook output priority -100; jump services; }\n"
        "}\n"
    )


def netns_path(name: str) -> Path:
    """Where a namespace can be entered; the sandbox's own is that of process 1."""
    return NETNS / name


@contextmanager
def inside(name: str | None) -> Iterator[None]:
    """This thread in a namespace for the length of a block, to make sockets there: a socket stays where it was made."""
    if name is None:
        yield
        return
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(netns_path(name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        os.close(here)
        raise LabError(f"network: there is no workload {name}") from None
    try:
        _enter(there)
        yield
    finally:
        _enter(here)
        os.close(there)
        os.close(here)


@contextmanager
def as_proxy(wanted: bool) -> Iterator[None]:  # noqa: FBT001  # it is the one thing said
    """Make sockets as a sidecar does, which interception leaves alone: the kernel tells them by their group."""
    before = _libc.syscall(SETFSGID, PROXY_GROUP) if wanted else 0
    try:
        yield
    finally:
        if wanted:
            _libc.syscall(SETFSGID, before)


def listener(
    name: str | None, address: str, port: int, *, kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """A bound, non-blocking socket in a namespace; streams listen."""
    with inside(name):
        bound = socket.socket(socket.AF_INET, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((address, port))
    if kind is socket.SOCK_STREAM:
        bound.listen(512)
    bound.setblocking(False)  # noqa: FBT003  # the standard library's name
    return bound


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def run(*argv: str, given: str | None = None) -> str:
    """A program's output; LabError with its own words if it fails."""
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        detail = f"\n{given}" if given else ""
        raise LabError(f"network: {' '.join(argv)}: {done.stderr.strip()}{detail}")
    return done.stdout

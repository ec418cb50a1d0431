"""Names as a pod resolves them: a query over UDP from its own namespace, which its sidecar may answer itself."""

import asyncio
import secrets
import socket
import struct
from typing import Final

from lab.network import inside

SEARCH: Final = (
    "",
    "svc.cluster.local",
    "cluster.local",
)  # what resolv.conf searches; names with a dot as they are first
SECONDS: Final = 2.0


async def resolved(netns: str, name: str, server: str) -> str | None:
    """The first address of a name; None if nobody has it."""
    for suffix in SEARCH:
        if (address := await _asked(netns, f"{name}.{suffix}".rstrip("."), server)) is not None:
            return address
    return None


async def _asked(netns: str, name: str, server: str) -> str | None:
    with inside(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)  # noqa: FBT003  # the standard library's name
    loop = asyncio.get_running_loop()
    number = secrets.randbelow(1 << 16)
    try:
        async with asyncio.timeout(SECONDS):
            await loop.sock_connect(made, (server, 53))
            await loop.sock_sendall(made, query(number, name))
            return address(await loop.sock_recv(made, 4096), number)
    except (OSError, TimeoutError):
        return None
    finally:
        made.close()


def query(number: int, name: str) -> bytes:
    """A question for an A record (RFC 1035)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def address(answer: bytes, number: int) -> str | None:
    """The first A record of an answer; None if there is none."""
    if len(answer) < 12:
        return None
    given, flags, questions, records = struct.unpack("!HHHH", answer[:8])
    if given != number or flags & 0x000F:
        return None
    at = 12
    for _ in range(questions):
        at = _behind_name(answer, at) + 4
    for _ in range(records):
        at = _behind_name(answer, at)
        if len(answer) < at + 10:
            return None
        kind, _, _, length = struct.unpack("!HHIH", answer[at : at + 10])
        at += 10
        if kind == 1 and length == 4:
            return socket.inet_ntoa(answer[at : at + 4])
        at += length
    return None


def _behind_name(answer: bytes, at: int) -> int:
    """Where a name ends: a zero label, or a pointer of two bytes."""
    while at < len(answer) and answer[at]:
        if answer[at] & 0xC0:
            return at + 2
        at += 1 + answer[at]
    return at + 1

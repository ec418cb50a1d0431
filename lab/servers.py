"""The applications and the partners of the lab: one process that answers everything with what it saw.

HTTP/1.1 (so WebSocket), HTTP/2 (so gRPC) and plain lines of text (so SMPP) come to the same ports; the first line tells
them apart.

An answer is JSON: which server and port, method, path, headers, the client's address and, over TLS, the server name
and the names in the client's certificate. `x-lab-status: 503` asks for that status, `x-lab-delay: 0.5` for a pause
before it, `x-lab-pause: 0.5` for one between a WebSocket's handshake and the frame.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from lab import http, http2, websocket
from lab.network import listener

MAXIMUM_DELAY: Final = 30.0  # seconds
Resolve = Callable[[str], str | None]
Answer = tuple[int, Iterable[tuple[str, str]], bytes]  # status, headers, body
Site = Callable[[http.Message], Answer | None]


@dataclass(slots=True)
class Servers:
    """All fake servers of a lab; requests are counted by server name."""

    running: dict[tuple[str, int], asyncio.Server] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    fixed: dict[tuple[str, str], bytes] = field(default_factory=dict)  # server name and path -> what it says there
    sites: dict[str, Site] = field(default_factory=dict)  # server name -> who answers in its place, unless with None

    async def add(self, netns: str, address: str, port: int, name: str, context: ssl.SSLContext | None = None) -> None:
        """Serve HTTP, over TLS with a context, at an address of a namespace."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.CancelledError):  # the lab ends, and asyncio's streams would print that
                await self._serve(reader, writer, name, port)

        bound = listener(netns, address, port)
        self.running[(netns if address == "0.0.0.0" else address, port)] = await asyncio.start_server(
            serve, sock=bound, ssl=context, limit=http.HEADER_LIMIT
        )

    async def remove(self, netns: str) -> None:
        """Those of one pod."""
        for key in [key for key in self.running if key[0] == netns]:
            self.running.pop(key).close()

    def close(self) -> None:
        """All of them, with open connections."""
        for server in self.running.values():
            server.close()
        self.running.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, port: int) -> None:
        _no_delay(writer)

        def answer(request: http.Message) -> Answer:
            self.requests[name] = self.requests.get(name, 0) + 1
            if (site := self.sites.get(name)) is not None and (found := site(request)) is not None:
                return found
            body = self.fixed.get((name, request.start[1])) or json.dumps(_seen(request, writer, name, port)).encode()
            return int(request.headers.get("x-lab-status", "200")), [("content-type", "application/json")], body

        try:
            while line := await reader.readline():
                if line == http2.FIRST_LINE:
                    await http2.serve(reader, writer, line, answer)
                    break
                if not line.endswith(b" HTTP/1.1\r\n"):
                    writer.write(
                        json.dumps(_peer(writer, name, port) | {"text": line.decode().strip()}).encode() + b"\n"
                    )
                    await writer.drain()
                    continue
                request = await http.read(reader, begun=line)
                if request is None:
                    break
                if (delay := _seconds(request, "x-lab-delay")) > 0:
                    await asyncio.sleep(delay)
                if websocket.asks(request):
                    await websocket.serve(reader, writer, request, answer, _seconds(request, "x-lab-pause"))
                    break
                status, headers, body = answer(request)
                headers = [*headers, ("connection", "keep-alive" if request.keeps_alive else "close")]
                writer.write(
                    http.encode(f"HTTP/1.1 {status} Lab", headers, b"" if request.start[0] == "HEAD" else body)
                )
                await writer.drain()
                if not request.keeps_alive:
                    break
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # what a peer sends is its business; it gets no answer
        finally:
            writer.close()


def _seconds(request: http.Message, header: str) -> float:
    return min(float(request.headers.get(header, "0")), MAXIMUM_DELAY)


def _seen(request: http.Message, writer: asyncio.StreamWriter, name: str, port: int) -> dict[str, Any]:
    method, path, version = request.start
    said = {"method": method, "path": path, "version": version, "headers": dict(request.headers)}
    return _peer(writer, name, port) | said | {"length": len(request.body)}


def _peer(writer: asyncio.StreamWriter, name: str, port: int) -> dict[str, Any]:
    """What a connection tells before anything is said on it."""
    seen: dict[str, Any] = {"server": name, "port": port, "client": writer.get_extra_info("peername")[0]}
    tls = writer.get_extra_info("ssl_object")
    if tls is not None:
        certificate = tls.getpeercert() or {}
        seen["tls"] = {
            "serverName": getattr(tls, "lab_server_name", None),
            "version": tls.version(),
            "clientNames": [value for _, value in certificate.get("subjectAltName", ())],
        }
    return seen


def record_server_name(context: ssl.SSLContext) -> None:
    """Keep the name that the client asked for, for the answer."""

    def keep(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        tls.lab_server_name = name  # type: ignore[attr-defined]  # the ssl module keeps it on clients only

    context.sni_callback = keep


def _no_delay(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Names(asyncio.DatagramProtocol):
    """The cluster's DNS: A records of a table, everything else does not exist."""

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Called by asyncio: answer one query."""
        answer = dns_answer(data, self.resolve)
        if answer is not None and self.transport is not None:
            self.transport.sendto(answer, addr)


def dns_answer(query: bytes, resolve: Resolve) -> bytes | None:
    """The answer to a DNS query (RFC 1035) of one question; None for what is not one."""
    if len(query) < 17 or query[4:6] != b"\x00\x01":
        return None
    labels, at = [], 12
    while at < len(query) and (length := query[at]):
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    question, end = query[12 : at + 5], at + 5
    if end > len(query):
        return None
    kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
    address = resolve(".".join(labels).lower())
    records = b""
    if address is not None and kind == 1:
        records = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
    # Response, recursion available; NXDOMAIN for names nobody has, an empty answer for other types.
    flags = 0x8180 if address is not None else 0x8183
    return query[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0) + question + records


async def serve_names(netns: str, address: str, resolve: Resolve) -> asyncio.DatagramTransport:
    """DNS over UDP port 53 at an address of a namespace."""
    bound = listener(netns, address, 53, kind=socket.SOCK_DGRAM)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Names(resolve), sock=bound)
    return transport

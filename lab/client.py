"""Sends probes: TCP, TLS, HTTP and WebSocket from a chosen namespace and address, with a certificate and names."""

import asyncio
import errno
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography import x509

from lab import http, http2, websocket
from lab.network import OUTSIDE, as_proxy, inside
from lab.pki import Pair
from lab.probe import ClientCertificate, Observation, Outcome, Probe, Protocol

Alpn = tuple[str, ...]  # protocols that a client's TLS offers, the best first
Contexts = Callable[[ClientCertificate | None, Alpn], ssl.SSLContext]
ALPN: Final[Mapping[Protocol, Alpn]] = {"http": ("http/1.1",), "h2": ("h2",), "tcp": (), "websocket": ("http/1.1",)}
# By these a PERMISSIVE sidecar and an east-west door tell a sidecar's TLS from an application's: the lists of istio.io/
# istio, pilot/pkg/xds/filters, without istio-peer-exchange, which asks for a filter that upstream Envoy has not.
SIDECAR: Final[Mapping[Protocol, Alpn]] = {
    "http": ("istio-http/1.1", "istio", "http/1.1"), "h2": ("istio-h2", "istio", "h2"), "tcp": ("istio",),
    "websocket": ("istio-http/1.1", "istio", "http/1.1"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """Where a probe's socket is made and whereto it connects."""

    netns: str | None
    address: str
    port: int


async def send(probe: Probe, route: Route, contexts: Contexts) -> Observation:
    """One probe on a connection of its own. Never raises for what the network does."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(probe.timeout):
            observation = await _exchange(probe, route, contexts)
    except TimeoutError:
        observation = Observation("timeout", detail=f"nothing within {probe.timeout:g} s")
    return _timed(observation, began)


def _timed(observation: Observation, began: float) -> Observation:
    return Observation.of({**observation.document(), "milliseconds": round((time.perf_counter() - began) * 1000, 2)})


async def _exchange(probe: Probe, route: Route, contexts: Contexts) -> Observation:
    try:
        connection = await connected(probe, route)
    except OSError as error:
        # The packet filter answers "administratively prohibited", which sockets report as an unreachable host.
        outcome: Outcome = "filtered" if error.errno == errno.EHOSTUNREACH else "refused"
        return Observation(outcome, detail=error.strerror or str(error))
    try:
        if probe.server_name is None:
            reader, writer = await asyncio.open_connection(sock=connection, limit=http.HEADER_LIMIT)
        else:
            reader, writer = await asyncio.open_connection(
                sock=connection,
                limit=http.HEADER_LIMIT,
                ssl=contexts(probe.certificate, offered(probe)),
                server_hostname=probe.server_name,
            )
    except (OSError, EOFError) as error:
        connection.close()
        return Observation(_kind(error), detail=_detail(error))
    names = _names(writer)
    try:
        answer = await asked(reader, writer, probe)
    except (OSError, EOFError, ValueError) as error:
        # With TLS 1.3 a refused client certificate shows only when the first answer is read.
        return Observation(_kind(error), detail=_detail(error), server_certificate=names)
    finally:
        writer.transport.abort()
    if answer is None:
        return Observation("silent", server_certificate=names)
    return observation(answer, names)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, probe: Probe) -> http.Message | None:
    """The request and its answer, in the probe's protocol; None if the connection ends without one."""
    if probe.protocol == "h2":
        scheme = "http" if probe.server_name is None else "https"
        headers = {"host": probe.host, "user-agent": AGENT, "te": "trailers"} | dict(probe.headers)
        message = http.Message((probe.method, probe.path, "HTTP/2"), headers, probe.body.encode())
        return await http2.exchange(reader, writer, scheme, message)
    if probe.protocol == "tcp":
        line = b""
        for said in probe.body.splitlines() or ["lab"]:
            writer.write(f"{said}\r\n".encode())
            await writer.drain()
            if not (line := await reader.readline()):
                return None
        return http.Message(("TCP", "0", ""), {"content-type": "application/json"}, line)
    if probe.protocol == "websocket":
        headers = {"host": probe.host, "user-agent": AGENT} | dict(probe.headers)
        message = http.Message((probe.method, probe.path, "HTTP/1.1"), headers, (probe.body or "lab").encode())
        return await websocket.exchange(reader, writer, message)
    writer.write(request_bytes(probe))
    await writer.drain()
    return await http.read(reader, answers=probe.method)


async def connected(probe: Probe, route: Route) -> socket.socket:
    """A TCP connection from the namespace and address that a probe starts at. Raises OSError."""
    with inside(route.netns), as_proxy(probe.unproxied):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)  # noqa: FBT003  # the standard library's name
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if probe.address is not None:
            # One port a destination is enough, and thousands of probes from one address must not run out of them.
            connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((probe.address, 0))
        await asyncio.get_running_loop().sock_connect(connection, (route.address, route.port))
    except BaseException:
        connection.close()
        raise
    return connection


AGENT: Final = "partner-mesh-lab"
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; the socket module of Python 3.11 does not name it


def request_bytes(probe: Probe) -> bytes:
    """The request as it goes on the wire."""
    headers = [("host", probe.host), ("user-agent", AGENT), *probe.headers.items()]
    return http.encode(f"{probe.method} {probe.path} HTTP/1.1", headers, probe.body.encode())


def observation(answer: http.Message, names: tuple[str, ...] = ()) -> Observation:
    """An HTTP answer as an observation."""
    seen: dict[str, Any] | None = None
    text = answer.body.decode(errors="replace")
    if answer.headers.get("content-type", "").startswith("application/json") and '"server"' in text:
        seen, text = cast(dict[str, Any], json.loads(text)), ""
    return Observation("answered", int(answer.start[1]) or None, seen, dict(answer.headers), text, names)


def offered(probe: Probe) -> Alpn:
    """What a probe's TLS offers."""
    return (SIDECAR if probe.sidecar else ALPN)[probe.protocol]


def context(certificate: Pair | None, alpn: Alpn) -> ssl.SSLContext:
    """A client's TLS context that takes any server certificate: what a server shows is observed, not judged."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if certificate is not None:
        certificate.load(made)
    return made


def _names(writer: asyncio.StreamWriter) -> tuple[str, ...]:
    tls = writer.get_extra_info("ssl_object")
    if tls is None or (certificate := tls.getpeercert(binary_form=True)) is None:
        return ()
    try:
        extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in extension.value)


def _kind(error: Exception) -> Outcome:
    if isinstance(error, ssl.SSLError):
        # An end of stream in the middle of a handshake is what a proxy does to a server name it does not serve.
        return "reset" if isinstance(error, ssl.SSLEOFError) else "handshake"
    return "reset"


def _detail(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__


def namespace_of(source: str) -> str:
    """The network namespace of a probe's source."""
    return OUTSIDE if source == OUTSIDE else source.replace("/", ".")

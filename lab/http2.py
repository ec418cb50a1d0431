"""As much of HTTP/2 as gRPC probes and fake servers need: one request a connection, with prior knowledge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from lab.http import Message

FIRST_LINE: Final = b"PRI * HTTP/2.0\r\n"  # how a client's connection begins (RFC 9113, 3.4)
CHUNK: Final = 64 * 1024
Answer = Callable[[Message], tuple[int, Iterable[tuple[str, str]], bytes]]


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scheme: str, request: Message
) -> Message | None:
    """Send one request and read its answer; None if the stream or the connection ends without one."""
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    method, path, _ = request.start
    pseudo = [(":method", method), (":scheme", scheme), (":authority", request.headers["host"]), (":path", path)]
    rest = [(name, value) for name, value in request.headers.items() if name != "host"]
    connection.send_headers(1, [*pseudo, *rest], end_stream=not request.body)
    if request.body:
        connection.send_data(1, request.body, end_stream=True)
    headers: dict[str, str] = {}
    status, body = "", bytearray()
    async for event in _events(reader, writer, connection):
        if isinstance(event, ResponseReceived | TrailersReceived):
            found = _headers(event)
            status = found.get(":status", status)
            headers |= {name: value for name, value in found.items() if not name.startswith(":")}
        elif isinstance(event, DataReceived):
            body += event.data or b""
            connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 1)
        elif isinstance(event, StreamReset | ConnectionTerminated):
            return None
        elif isinstance(event, StreamEnded):
            return Message(("HTTP/2", status, ""), headers, bytes(body))
    return None


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, answer: Answer) -> None:
    """Answer every request of one connection, of which the first line was read already."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    heads: dict[int, Mapping[str, str]] = {}
    bodies: dict[int, bytearray] = {}
    async for event in _events(reader, writer, connection, first):
        stream = getattr(event, "stream_id", None) or 0
        if isinstance(event, RequestReceived):
            heads[stream], bodies[stream] = _headers(event), bytearray()
        elif isinstance(event, DataReceived):
            bodies[stream] += event.data or b""
            connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        elif isinstance(event, StreamEnded):
            head, body = heads.pop(stream), bytes(bodies.pop(stream))
            headers = {"host": head.get(":authority", "")} | {k: v for k, v in head.items() if not k.startswith(":")}
            message = Message((head.get(":method", ""), head.get(":path", ""), "HTTP/2"), headers, body)
            status, fields, content = answer(message)
            connection.send_headers(stream, [(":status", str(status)), *fields])
            grpc = headers.get("content-type", "").startswith("application/grpc")
            connection.send_data(stream, content[:CHUNK], end_stream=not grpc)
            if grpc:  # its status comes last, in trailers
                connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)


async def _events(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: H2Connection, first: bytes = b""
) -> AsyncIterator[Event]:
    """What happens on a connection, until the peer closes it; what is to be sent goes out after each event."""
    received = first
    while True:
        try:
            events = connection.receive_data(received) if received else []
        except ProtocolError as error:
            raise ValueError(f"not HTTP/2: {error}") from error
        for event in events:
            yield event
        writer.write(connection.data_to_send())
        await writer.drain()
        if not (received := await reader.read(CHUNK)):
            return


def _headers(event: RequestReceived | ResponseReceived | TrailersReceived) -> dict[str, str]:
    return {str(name): str(value) for name, value in event.headers or ()}

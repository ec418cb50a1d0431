"""As much of WebSocket (RFC 6455) as probes and fake servers need: the handshake, and one text frame each way."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import cycle
from typing import Final

from lab import http

MAGIC: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_WHOLE, _TEXT, _MASKED = 0x80, 0x1, 0x80
_LONGER: Final = {126: 2, 127: 8}  # what stands in a length's place → in how many bytes the length follows
LIMIT: Final = 64 * 1024
Answering = Callable[[http.Message], tuple[int, Iterable[tuple[str, str]], bytes]]


def asks(request: http.Message) -> bool:
    """Whether a request asks for it."""
    return request.start[0] == "GET" and request.headers.get("upgrade", "").lower() == "websocket"


def accept(key: str) -> str:
    """What proves that a server has read a client's handshake (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(f"{key}{MAGIC}".encode(), usedforsecurity=False).digest()).decode()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: http.Message
) -> http.Message | None:
    """Ask for it with a request whose body is the frame to send. A 101 with the frame that came back as its body; any
    other answer as it is, None without one.

    Raises ValueError for what is not WebSocket, EOFError if cut short.
    """
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    asking = [("connection", "Upgrade"), ("upgrade", "websocket")]
    asking += [("sec-websocket-version", "13"), ("sec-websocket-key", key)]
    writer.write(_head(f"{request.start[0]} {request.start[1]} HTTP/1.1", [*request.headers.items(), *asking]))
    await writer.drain()
    answer = await http.read(reader, answers=request.start[0])
    if answer is None or answer.start[1] != "101":
        return answer
    if answer.headers.get("sec-websocket-accept") != accept(key):
        raise ValueError("the answer to another handshake")
    writer.write(frame(request.body, mask=secrets.token_bytes(4)))
    await writer.drain()
    said = await read_frame(reader)
    return http.Message(answer.start, {**answer.headers, "content-type": "application/json"}, said)


async def serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: http.Message, answer: Answering, pause: float
) -> None:
    """Agree to a request that asks for it. Its first frame is answered as a body, in a frame, after `pause` seconds."""
    agreed = [("connection", "Upgrade"), ("upgrade", "websocket")]
    agreed.append(("sec-websocket-accept", accept(request.headers.get("sec-websocket-key", ""))))
    writer.write(_head("HTTP/1.1 101 Lab", agreed))
    await writer.drain()
    said = await read_frame(reader)
    await asyncio.sleep(pause)
    writer.write(frame(answer(replace(request, body=said))[2]))
    await writer.drain()


def frame(text: bytes, *, mask: bytes = b"") -> bytes:
    """One text frame (section 5.2); what a client sends is masked."""
    head = _TEXT | _WHOLE
    marked = _MASKED if mask else 0
    if len(text) < 126:
        size = bytes([marked | len(text)])
    elif len(text) < 1 << 16:
        size = bytes([marked | 126]) + len(text).to_bytes(2)
    else:
        size = bytes([marked | 127]) + len(text).to_bytes(8)
    return bytes([head]) + size + mask + _unmasked(text, mask)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The text of the next frame, which must be a whole text."""
    kind, size = await reader.readexactly(2)
    if kind != _TEXT | _WHOLE:
        raise ValueError(f"not a whole text frame: {kind:#04x}")
    length = size & ~_MASKED
    if length in _LONGER:
        length = int.from_bytes(await reader.readexactly(_LONGER[length]))
    if length > LIMIT:
        raise ValueError(f"a frame of {length} bytes")
    mask = await reader.readexactly(4) if size & _MASKED else b""
    return _unmasked(await reader.readexactly(length), mask)


def _unmasked(text: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(text, cycle(mask), strict=False)) if mask else text


def _head(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A message without a body, and without a length: what follows has none."""
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")

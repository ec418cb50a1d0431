"""As much of HTTP/1.1 as probes and fake servers need, on asyncio streams."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

HEADER_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: the first line's three parts, headers in lower case (repeated ones joined), the body."""

    start: tuple[str, str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        """Whether the sender expects more on this connection."""
        return self.headers.get("connection", "").lower() != "close"


async def read(reader: asyncio.StreamReader, *, answers: str | None = None, begun: bytes = b"") -> Message | None:
    """The next message, None if the peer closed before it.

    `answers`: the method that an answer belongs to; `begun`: the first line, where that was read already.

    Raises ValueError for what is not HTTP/1, EOFError (IncompleteReadError) if cut short.
    """
    try:
        head = begun + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial and not begun:
            return None
        raise
    lines = head.decode("latin-1").split("\r\n")
    first, second, third = [*lines[0].split(" ", 2), "", ""][:3]
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            headers[key] = f"{headers[key]},{value.strip()}" if key in headers else value.strip()
    if not first or not second:
        raise ValueError(f"not HTTP: {lines[0][:80]!r}")
    bodiless = answers == "HEAD" or (answers is not None and second in {"101", "204", "304"})
    body = b"" if bodiless else await _body(reader, headers, until_close=answers is not None)
    return Message((first, second, third), headers, body)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], *, until_close: bool) -> bytes:
    if "chunked" in headers.get("transfer-encoding", ""):
        parts = []
        while size := int((await reader.readline()).partition(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return b"".join(parts)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read() if until_close else b""


def encode(start: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """A message as bytes, with its length."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body

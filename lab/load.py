"""A load client for the lab: permitted requests at a steady pace, every one recorded, and what the records say.

`python -m lab.load SPEC` runs inside the sandbox, on its node, with nothing but the addresses of a lab within reach.
It is bounded twice, in requests and in seconds. Standard input takes lines of JSON while it runs:
{"move": {"<netns>": "<netns>"}} lets requests start in another pod from now on, {"finish": true} ends it once the
wanted count is reached. Latency counts from the moment a request was due, so that a stall is seen by all it delays.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

from lab import client, http, resolver
from lab.probe import Probe
from lab.records import Record
from lab.world import DNS_ADDRESS

MOST_REQUESTS: Final = 100_000
MOST_SECONDS: Final = 600.0
TIMEOUT: Final = 5.0  # seconds for one request, connecting included
SUBJECT_SECONDS: Final = 0.05  # between a subject's requests: how finely the time to effect is seen
Role = Literal["steady", "subject"]


@dataclass(frozen=True, slots=True)
class Stream:
    """One caller and its one request. `steady`: no answer may be lost; `subject`: the change is about it."""

    name: str
    probe: Probe
    reuse: bool  # one connection for many requests, or a fresh one for each
    address: str | None = None  # where to connect; None: asked of DNS from the caller's pod
    certificate: str | None = None  # PEM file with certificate and key
    role: Role = "steady"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(**{**document, "probe": Probe.of(document["probe"])})


@dataclass(frozen=True, slots=True)
class Spec:
    """What is sent: `rate` requests a second by all steady streams, until `requests` were sent and it may finish.

    A subject sends every `SUBJECT_SECONDS`, besides.
    """

    streams: tuple[Stream, ...]
    rate: float
    requests: int
    records: str  # file for the records, a line of JSON each

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(**{**document, "streams": tuple(Stream.of(stream) for stream in document["streams"])})


@dataclass(slots=True)
class _Run:
    """One run's state that its workers share."""

    spec: Spec
    began: float
    sent: int = 0
    finish: bool = False
    moved: dict[str, str] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def over(self) -> bool:
        if self.sent >= MOST_REQUESTS or time.monotonic() - self.began > MOST_SECONDS:
            return True
        return self.finish and self.sent >= self.spec.requests

    def netns(self, stream: Stream) -> str:
        named = client.namespace_of(stream.probe.source)
        while named in self.moved:
            named = self.moved[named]
        return named


@dataclass(slots=True)
class _Caller:
    """One stream's connection, if it keeps one."""

    run: _Run
    index: int
    stream: Stream
    context: ssl.SSLContext | None
    open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    netns: str = ""
    address: str | None = None

    async def work(self, interval: float, offset: float) -> None:
        """A request every `interval` seconds; late ones follow at once, as callers who queue do."""
        due = self.run.began + offset
        while not self.run.over:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            self.run.sent += self.stream.role == "steady"
            reused = self._usable()
            status, problem = await self._answered()
            # TCP has no word for "send no more here": a session that a drain ends may cut a line off. Who speaks
            # SMPP binds anew and sends what was not answered again; so does this caller, once, and says so.
            repeated = status == 0 and reused and self.stream.probe.protocol == "tcp"
            if repeated:
                status, problem = await self._answered()
            self.run.records.append(
                Record(self.index, sent, time.monotonic() - min(due, sent), status, problem, reused, repeated)
            )
            due += interval
        self._drop()

    async def _answered(self) -> tuple[int, str]:
        """The status, or 0 and why there is none."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange(), ""
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self._drop()
            return 0, _reason(error)

    def _usable(self) -> bool:
        """Whether there is a connection to send on: one that the peer closed, or of a pod that is leaving, is none."""
        if self.open is None:
            return False
        reader, writer = self.open
        if reader.at_eof() or writer.is_closing() or self.netns != self.run.netns(self.stream):
            self._drop()
            return False
        return True

    async def _exchange(self) -> int:
        reader, writer = self.open or await self._connect()
        answer = await client.asked(reader, writer, self.stream.probe)
        if answer is None:
            raise EOFError("closed without an answer")
        if not self.stream.reuse or answer.headers.get("connection", "").lower() == "close":
            self._drop()
        if (refused := answer.headers.get("grpc-status", "0")) != "0":  # gRPC says so in a header of an answer 200
            raise ValueError(f"grpc-status {refused}")
        return int(answer.start[1]) or 200  # a line of TCP has no status

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        probe, netns = self.stream.probe, self.run.netns(self.stream)
        if self.address is None or netns != self.netns:
            self.address = self.stream.address or await resolver.resolved(netns, probe.to, DNS_ADDRESS)
            self.netns = netns
        if self.address is None:
            raise OSError(f"nobody is called {probe.to}")
        connection = await client.connected(probe, client.Route(netns, self.address, probe.port))
        self.open = await asyncio.open_connection(
            sock=connection, limit=http.HEADER_LIMIT, ssl=self.context,
            server_hostname=probe.server_name if self.context is not None else None,
        )  # fmt: skip
        return self.open

    def _drop(self) -> None:
        if self.open is not None:
            self.open[1].transport.abort()
            self.open = None


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {TIMEOUT:g} s"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)  # asyncio words some of them by address, and reasons are counted
    return str(error) or type(error).__name__


def _context(stream: Stream) -> ssl.SSLContext | None:
    if stream.probe.server_name is None:
        return None
    context = client.context(None, client.offered(stream.probe))
    if stream.certificate is not None:
        context.load_cert_chain(stream.certificate)
    return context


async def run(spec: Spec) -> list[Record]:
    """All of it, to the end."""
    state = _Run(spec, time.monotonic())
    steady = sum(stream.role == "steady" for stream in spec.streams) / spec.rate
    callers = []
    for index, stream in enumerate(spec.streams):
        interval = steady if stream.role == "steady" else SUBJECT_SECONDS
        offset = interval * index / len(spec.streams)
        callers.append(_Caller(state, index, stream, _context(stream)).work(interval, offset))
    listening = asyncio.create_task(_listen(state))
    await asyncio.gather(*callers)
    listening.cancel()
    return state.records


async def _listen(state: _Run) -> None:
    """Lines of standard input; its end means that nobody waits for us any more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        said = json.loads(line)
        state.moved |= said.get("move", {})
        state.finish = state.finish or bool(said.get("finish"))
    state.finish = True


def main(path: Path) -> int:
    """Send what a file says; write the records beside it."""
    spec = Spec.of(json.loads(path.read_text()))
    records = asyncio.run(run(spec))
    lines = (
        json.dumps([r.stream, round(r.sent, 6), round(r.seconds, 6), r.status, r.problem, r.reused, r.repeated])
        for r in records
    )
    Path(spec.records).write_text("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

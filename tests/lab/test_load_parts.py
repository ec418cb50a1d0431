"""Who calls in the load cases, what the cases write, and how the client sends: without a lab."""

import asyncio
import ipaddress
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import stack as stacks
from lab.cases import Effect, Observed, Outcome, _observed
from lab.drive import callers, streams
from lab.faults import CASES, watching_again
from lab.ground import Ground, differences, seconds_of
from lab.load import Spec, Stream, run
from lab.load_report import table
from lab.probe import Probe, Protocol
from lab.records import Figures, Record
from lab.servers import Servers
from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack("dev", Path())


@pytest.fixture(scope="module")
def ground(stack: Stack) -> Ground:
    documents = stacks.objects(compile_stack(stack))
    return Ground(stack, None, None, documents, callers(stack, documents), {}, "acme-mobile", "payline")  # type: ignore[arg-type]  # no lab is asked


def test_every_entry_of_every_partner_calls_in_both_directions_in_its_own_protocol(ground: Ground) -> None:
    assert {(c.partner, c.direction, c.probe.protocol) for c in ground.callers} == {
        ("acme-mobile", "in", "http"), ("globex-telecom", "in", "http"), ("initech-ledger", "in", "http"),
        ("payline", "in", "http"), ("northwind-sms", "in", "tcp"),
        ("acme-mobile", "out", "http"), ("globex-telecom", "out", "http"), ("globex-telecom", "out", "tcp"),
        ("google-apis", "out", "http"), ("payline", "out", "http"), ("sentinel-fraud", "out", "h2"),
    }  # fmt: skip


def test_a_caller_keeps_one_connection_and_opens_fresh_ones_but_http2_only_opens(ground: Ground) -> None:
    class Certificates:
        def certificate(self, certificate: object, file: str) -> str:
            return file

    found = streams(Certificates(), {}, ground.callers)  # type: ignore[arg-type]  # nothing else of a lab is asked
    kept: dict[str, set[bool]] = {}
    for stream in found:
        kept.setdefault(stream.probe.protocol, set()).add(stream.reuse)
    assert kept == {"http": {True, False}, "tcp": {True, False}, "h2": {False}}


def test_a_partner_that_goes_takes_only_objects_with_its_own_label(ground: Ground) -> None:
    gone = ground.objects_of("payline")
    assert gone
    assert {d["metadata"]["labels"]["partner-mesh.dev/partner"] for d in gone} == {"payline"}


@pytest.mark.parametrize("partner", ["acme-mobile", "northwind-sms"])
def test_the_caller_whose_address_is_withdrawn_was_permitted_and_is_no_longer(ground: Ground, partner: str) -> None:
    address = ipaddress.ip_address(ground.withdrawn(partner).probe.address or "")
    written = [d for d in ground.narrowed(partner) if d["kind"] == "AuthorizationPolicy"]
    restored = [d for d in ground.before_narrowing(partner) if d["kind"] == "AuthorizationPolicy"]

    def blocks(documents: list[dict[str, object]]) -> list[str]:
        text = json.dumps(documents)
        return [part for part in text.split('"') if "/" in part and part[0].isdigit()]

    assert all(address not in ipaddress.ip_network(block) for block in blocks(written))
    assert any(address in ipaddress.ip_network(block) for block in blocks(restored))


def test_callers_whose_pod_was_replaced_call_from_its_successors_successor(ground: Ground) -> None:
    out = next(c for c in ground.callers if c.direction == "out")
    ground.moved.update({out.probe.source: "charging/r1", "charging/r1": "charging/r2"})
    try:
        assert ground.as_now(out).probe.source == "charging/r2"
        assert {ground.as_now(c).probe.source for c in ground.callers if c.direction == "in"} == {"outside"}
    finally:
        ground.moved.clear()


def test_differences_are_what_is_written_and_what_is_deleted() -> None:
    def named(name: str, value: int, version: str = "v1") -> dict[str, object]:
        return {"apiVersion": f"x/{version}", "kind": "A", "metadata": {"name": name}, "spec": {"value": value}}

    written, gone = differences([named("a", 1), named("b", 1), named("c", 1)], [named("a", 1), named("b", 2)])
    assert (written, gone) == ([named("b", 2)], [named("c", 1)])
    assert differences([named("a", 1)], [named("a", 1, "v2")]) == ([named("a", 1, "v2")], [])


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("1m30s", 90), ("250ms", 0.25), ("1h", 3600)])
def test_durations_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@given(st.floats(0.0, 120.0), st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12))
def test_no_run_of_client_gos_back_off_waits_longer_after_an_outage_than_its_bound(
    outage: float, chances: list[float]
) -> None:
    at, base = 0.0, 0.8
    for chance in chances:
        at += base * (1 + chance)
        if at >= outage:
            break
        base = min(base * 2, 30.0)
    assert at - outage <= watching_again(outage) + 1e-9


PROBE = Probe("outside", "x", 443, "x")
SUBJECTS = [Stream("steady", PROBE, reuse=True)] + [
    Stream(f"p in ({how})", PROBE, reuse=how == "kept", role="subject") for how in ("kept", "fresh")
]


@pytest.mark.parametrize(
    ("subjects", "statuses", "seconds"),
    [
        ("", {1: [200, 403, 403], 2: [200, 200, 403]}, 2.0),
        ("(kept)", {1: [200, 403, 403], 2: [200, 200, 200]}, 1.0),
        ("", {1: [200, 403, 403], 2: [200, 200, 200]}, None),
        ("", {1: [403], 2: []}, None),
    ],
)
def test_an_effect_is_complete_when_every_subject_feels_it(
    subjects: str, statuses: dict[int, list[int]], seconds: float | None
) -> None:
    records = [Record(i, float(n), 0.1, status) for i, each in statuses.items() for n, status in enumerate(each)]
    records.append(Record(0, 9.0, 0.1, 200))
    seen = _observed(Effect("refused", 0.0, subjects, good=False, bound=5.0), SUBJECTS, records)
    assert seen.seconds == seconds
    assert seen.passed is (seconds is not None)


@pytest.mark.parametrize(
    ("lost", "seconds", "passed"), [(0, 1.0, True), (1, 1.0, False), (0, 7.0, False), (0, None, False)]
)
def test_a_case_passes_if_nothing_is_lost_and_its_effects_came_in_time(
    lost: int, seconds: float | None, passed: bool
) -> None:
    figures = Figures(100, lost, 1, 2, 3, 4, {"status 503": lost} if lost else {})
    outcome = Outcome("x", "It happens", figures, (Observed("refused", seconds, 6.0),), ("a note",), 9.0, 1.5)
    assert outcome.passed is passed
    text = table([outcome])
    assert ("MISSED" in text) is (seconds != 1.0)
    assert ("lost 1: status 503" in text) is (lost == 1)


@pytest.fixture
def server() -> Iterator[tuple[str, int, list[int]]]:
    """A server on loopback that closes each connection after three answers, and counts connections."""
    connections: list[int] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address: list[tuple[str, int]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while connections[-1] < 3 and await reader.readline():
            while (await reader.readline()).strip():
                pass
            connections[-1] += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def start() -> None:
        made = await asyncio.start_server(serve, "127.0.0.1", 0)
        address.append(made.sockets[0].getsockname()[:2])
        ready.set()

    loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(5)
    yield (*address[0], connections)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_a_connection_that_the_server_closes_between_requests_costs_no_request(
    server: tuple[str, int, list[int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host, port, connections = server
    monkeypatch.setattr("lab.client.inside", lambda _: __import__("contextlib").nullcontext())
    monkeypatch.setattr("lab.load._listen", _finished)
    spec = Spec((Stream("kept", Probe("outside", host, port, host), reuse=True, address=host),), 200, 12, str(tmp_path))
    records = asyncio.run(run(spec))
    assert [record.status for record in records] == [200] * len(records)
    assert len(records) >= 12
    assert 3 < len(connections) < len(records)


async def _finished(state: object) -> None:
    state.finish = True  # type: ignore[attr-defined]  # the run's own state


@pytest.mark.parametrize("protocol", ["tcp", "h2"])
def test_a_caller_of_another_protocol_gets_its_answers(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.load._listen", _finished)

    async def both() -> list[Record]:
        servers, begun = Servers(), []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            begun.append(writer)
            await servers._serve(reader, writer, "here", 1)

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        monkeypatch.setattr("lab.client.inside", lambda _: __import__("contextlib").nullcontext())
        probe = Probe("outside", "x", port, "x", protocol=protocol)
        spec = Spec((Stream("one", probe, reuse=protocol == "tcp", address="127.0.0.1"),), 200, 6, str(tmp_path))
        async with listening:
            records = await run(spec)
        assert len(begun) == (1 if protocol == "tcp" else len(records))
        return records

    assert {record.status for record in asyncio.run(both())} == {200}


def test_a_line_whose_session_is_cut_is_sent_once_more_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.load._listen", _finished)
    monkeypatch.setattr("lab.client.inside", lambda _: __import__("contextlib").nullcontext())

    async def cut_at_the_third() -> list[Record]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await reader.readline()
                writer.write(b"{}\n")
            await reader.readline()
            writer.transport.abort()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        probe = Probe("outside", "x", listening.sockets[0].getsockname()[1], "x", protocol="tcp")
        async with listening:
            return await run(Spec((Stream("one", probe, reuse=True, address="127.0.0.1"),), 200, 8, str(tmp_path)))

    records = asyncio.run(cut_at_the_third())
    assert {record.status for record in records} == {200}
    repeated = Figures.of(records).repeated
    assert 0 < repeated < len(records)
    figures = Figures.of(records)
    told = table([Outcome("x", "It happens", figures, (), (), 1.0, 1.0)])
    assert f"{repeated} lines of TCP sessions were sent again" in told


def test_a_server_that_is_not_there_is_a_loss_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lab.client.inside", lambda _: __import__("contextlib").nullcontext())
    monkeypatch.setattr("lab.load._listen", _finished)
    probe = Probe("outside", "127.0.0.1", 1, "x", server_name="x")
    spec = Spec((Stream("fresh", probe, reuse=False, address="127.0.0.1"),), 100, 3, str(tmp_path))
    records = asyncio.run(run(spec))
    assert {(record.status, record.problem) for record in records} == {(0, "Connection refused")}

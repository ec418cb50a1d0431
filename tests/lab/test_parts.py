"""The lab's parts, each alone: processes end, names resolve, certificates verify, messages parse."""

import asyncio
import ipaddress
import os
import ssl
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import LabError, http, tools
from lab.network import Endpoint, nat_rules
from lab.overlay import overlay
from lab.pki import Authority
from lab.probe import ClientCertificate, Observation, Probe
from lab.process import Processes
from lab.servers import dns_answer
from lab.world import endpoints, world
from tests.lab import fixture

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("argv", [SLEEP, STUBBORN])
def test_leaving_the_block_ends_every_process_even_a_stubborn_one(tmp_path: Path, argv: list[str]) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("one", argv)
        processes.wait_until("one", lambda: "up" in process.log.read_text())
    assert gone(process.popen.pid)


def test_an_error_in_the_block_ends_them_too(tmp_path: Path) -> None:
    with suppress(RuntimeError), Processes(tmp_path) as processes:
        process = processes.start("one", SLEEP)
        raise RuntimeError
    assert gone(process.popen.pid)


def test_a_process_that_dies_is_an_error_with_its_name_status_and_last_words(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("istiod", [sys.executable, "-c", "raise SystemExit('no such flag')"])
        with pytest.raises(LabError, match=r"(?s)istiod: not ready; the process ended with status 1.*no such flag"):
            processes.wait_until("istiod", lambda: False)


def test_a_process_that_is_not_ready_in_time_is_an_error_that_says_so(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("envoy", SLEEP)
        with pytest.raises(LabError, match="envoy: not ready after 0 s; the process is running"):
            processes.wait_until("envoy", lambda: False, seconds=0.05)


def test_children_of_a_killed_parent_die_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from lab.process import Processes\n"
        f"p = Processes(Path({str(tmp_path)!r})).start('child', {SLEEP!r})\n"
        "print(p.popen.pid, flush=True); time.sleep(60)"
    )
    with Processes(tmp_path) as processes:
        parent = processes.start(
            "parent", [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
        processes.wait_until("parent", lambda: parent.log.read_text().strip().isdigit())
        child = int(parent.log.read_text())
        parent.signal(9)
        deadline = time.monotonic() + 5
        while not gone(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert gone(child)


def test_tools_are_cached_by_the_hash_of_their_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_bytes((tools.MODULE / name).read_bytes())
    before = tools.cache_directory()
    monkeypatch.setattr(tools, "MODULE", tmp_path)
    assert tools.cache_directory() == before
    (tmp_path / "go.sum").write_text("other")
    assert tools.cache_directory() != before
    assert not tools.are_built()


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00" + kind.to_bytes(2, "big") + b"\x00\x01"
    )


@pytest.mark.parametrize(
    ("name", "kind", "code", "answers"),
    [("a.example", 1, 0, 1), ("A.Example", 1, 0, 1), ("a.example", 28, 0, 0), ("b.example", 1, 3, 0)],
)
def test_names_resolve_or_do_not_exist(name: str, kind: int, code: int, answers: int) -> None:
    answer = dns_answer(query(name, kind), {"a.example": "192.0.2.1"}.get)
    assert answer is not None
    assert (answer[3] & 0xF, int.from_bytes(answer[6:8], "big")) == (code, answers)
    assert answer.endswith(bytes([192, 0, 2, 1])) == bool(answers)


@given(st.binary(max_size=64))
def test_what_is_no_dns_query_never_breaks_the_server(data: bytes) -> None:
    dns_answer(data, lambda _: "192.0.2.1")


def read(data: bytes, *, answers: str | None = None) -> http.Message | None:
    async def parse() -> http.Message | None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await http.read(reader, answers=answers)

    return asyncio.run(parse())


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.text("abc", min_size=1)))
def test_a_message_reads_as_it_was_written(body: bytes, headers: dict[str, str]) -> None:
    message = read(http.encode("POST /p HTTP/1.1", headers.items(), body))
    assert message is not None
    assert (message.body, message.start) == (body, ("POST", "/p", "HTTP/1.1"))
    assert headers.items() <= dict(message.headers).items()


def test_chunks_join_and_answers_without_bodies_have_none() -> None:
    chunked = read(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", answers="GET"
    )
    assert chunked is not None
    assert chunked.body == b"abcde"
    head = read(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", answers="HEAD")
    assert head is not None
    assert head.body == b""


def test_certificates_verify_against_their_own_authority_only() -> None:
    ours, theirs = Authority.create("ours"), Authority.create("theirs")
    assert handshake(ours, ours) is None
    assert "certificate verify failed" in str(handshake(ours, theirs))


def handshake(signer: Authority, trusted: Authority) -> ssl.SSLError | None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    signer.issue("server", ["a.example"]).load(server)
    client.load_verify_locations(cadata=trusted.certificate.decode())
    a, b, c, d = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(a, b, server_hostname="a.example"), server.wrap_bio(c, d, server_side=True)]
    for _ in range(6):
        for end, (out, into) in zip(ends, ((b, c), (d, a)), strict=True):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return error
            into.write(out.read())
    return None


def test_probes_and_observations_cross_a_socket_unchanged() -> None:
    probe = Probe(
        "outside", "a", 443, "a", certificate=ClientCertificate("ca", ("x", "y"), expired=True), headers={"k": "v"}
    )
    assert Probe.of(probe.document()) == probe
    seen = Observation("answered", 200, {"server": "a"}, {"k": "v"}, "", ("n",))
    assert Observation.of(seen.document()) == seen


def test_service_addresses_lead_to_pods_and_to_nobody_without_them() -> None:
    rules = nat_rules(
        {
            Endpoint("10.96.0.1", 80): [Endpoint("10.0.0.1", 8080)],
            Endpoint("10.96.0.2", 80): [Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)],
            Endpoint("10.96.0.3", 80): [],
        }
    )
    assert "ip daddr 10.96.0.1 tcp dport 80 dnat to 10.0.0.1:8080" in rules
    assert "numgen random mod 2 map { 0 : 10.0.0.1 . 1, 1 : 10.0.0.2 . 2 }" in rules
    assert "10.96.0.3" not in rules


def test_a_world_knows_who_takes_part() -> None:
    found = world(overlay(fixture.documents()))
    assert list(found.workloads) == ["charging/charging", "checkout/checkout", "checkout/stray", "kube-system/coredns"]
    assert list(found.remotes) == ["api.acme-mobile.example"]
    remote = found.remotes["api.acme-mobile.example"]
    assert (remote.tls[443]["credentialName"], remote.credential_namespace) == ("acme-mobile-client", "istio-egress")
    assert "198.51.100.0/28" in found.client_ranges


def test_public_addresses_avoid_every_block_of_a_client() -> None:
    documents = overlay(fixture.documents())
    taken = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkSet",
        "metadata": {"name": "x", "namespace": "charging"},
        "spec": {"nets": ["203.0.113.0/24", "0.0.0.0/1"]},
    }
    found = world([*documents, taken])
    addresses = [ipaddress.ip_address(r.address) for r in found.remotes.values()]
    assert not any(a in ipaddress.ip_network("203.0.113.0/24") for a in addresses)


def test_a_service_port_leads_to_the_pods_port_by_number_or_name() -> None:
    found = world(overlay(fixture.documents()))
    service = next(d for d in fixture.documents() if d["kind"] == "Service" and d["metadata"]["name"] == "charging")
    assert [(w.key, n) for w, n in endpoints(found, service, {"port": 80, "targetPort": "http"})] == [
        ("charging/charging", 8080)
    ]
    assert endpoints(found, service, {"port": 80, "targetPort": "absent"}) == []

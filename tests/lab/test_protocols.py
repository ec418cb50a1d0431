"""What probes and fake servers speak besides HTTP/1.1: HTTP/2, lines of text, DNS, tokens."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from lab import client, resolver, websocket
from lab.client import Route
from lab.credentials import Credentials
from lab.jwt import Issuer
from lab.pki import Authority
from lab.probe import ClientCertificate, Observation, Probe, Token
from lab.servers import Servers, dns_answer


def asked(probe: Probe) -> Observation:
    """A probe to a fake server on a free port of this machine's loopback."""

    async def run() -> Observation:
        servers = Servers(fixed={("here", "/keys"): b'{"keys": []}'})

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await servers._serve(reader, writer, "here", 1)

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening:
            return await client.send(probe, Route(None, "127.0.0.1", port), Credentials().client_context)

    return asyncio.run(run())


@pytest.mark.parametrize("protocol", ["http", "h2", "tcp"])
def test_one_port_answers_every_protocol_with_what_it_saw(protocol: Any) -> None:
    seen = asked(Probe("outside", "x", 1, "a.example", "POST", "/p", headers={"x-a": "1"}, body="b", protocol=protocol))
    assert seen.outcome == "answered"
    assert seen.reached == "here"
    assert seen.seen is not None
    if protocol == "tcp":
        assert (seen.status, seen.seen["text"]) == (None, "b")
    else:
        assert (seen.status, seen.seen["method"], seen.seen["path"], seen.seen["length"]) == (200, "POST", "/p", 1)
        assert (seen.seen["headers"]["host"], seen.seen["headers"]["x-a"]) == ("a.example", "1")


@pytest.mark.parametrize("protocol", ["http", "h2"])
def test_a_fixed_page_and_a_status_asked_for(protocol: Any) -> None:
    assert asked(Probe("outside", "x", 1, "h", path="/keys", protocol=protocol)).text == '{"keys": []}'
    wanted = Probe("outside", "x", 1, "h", headers={"x-lab-status": "503"}, protocol=protocol)
    assert asked(wanted).status == 503


def test_a_websocket_is_agreed_to_and_its_frame_answered_with_what_arrived() -> None:
    seen = asked(Probe("outside", "x", 1, "a.example", path="/p", body="b" * 200, protocol="websocket"))
    assert (seen.status, seen.reached) == (101, "here")
    assert seen.seen is not None
    assert (seen.seen["path"], seen.seen["headers"]["upgrade"], seen.seen["length"]) == ("/p", "websocket", 200)


def test_a_handshake_is_answered_as_the_standard_says() -> None:
    """RFC 6455, section 1.3."""
    assert websocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.integers(0, 70_000), st.sampled_from([b"", b"\x01\x02\x03\x04"]))
def test_a_frame_of_any_length_is_read_as_it_was_written_or_refused(length: int, mask: bytes) -> None:
    async def read() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(websocket.frame(b"x" * length, mask=mask))
        return await websocket.read_frame(reader)

    if length > websocket.LIMIT:
        with pytest.raises(ValueError, match="a frame of"):
            asyncio.run(read())
    else:
        assert asyncio.run(read()) == b"x" * length


@pytest.mark.parametrize("sent", [b"\x82\x00", b"\x01\x00", b"\x88\x00"])
def test_what_is_no_whole_text_frame_is_refused(sent: bytes) -> None:
    async def read() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        return await websocket.read_frame(reader)

    with pytest.raises(ValueError, match="not a whole text frame"):
        asyncio.run(read())


NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True), min_size=1, max_size=5).map(".".join)


@given(NAMES, st.integers(0, 65535), st.one_of(st.none(), st.ip_addresses(v=4).map(str)))
def test_a_query_gets_the_answer_that_the_table_holds(name: str, number: int, address: str | None) -> None:
    answer = dns_answer(resolver.query(number, name), lambda asked_for: address if asked_for == name else None)
    assert answer is not None
    assert resolver.address(answer, number) == address
    assert resolver.address(answer, (number + 1) % 65536) is None


@given(st.binary(max_size=80))
def test_no_answer_breaks_the_resolver(answer: bytes) -> None:
    resolver.address(answer, 0)


def decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def public(key: Mapping[str, str]) -> rsa.RSAPublicKey:
    n, e = (int.from_bytes(base64.urlsafe_b64decode(key[name] + "=="), "big") for name in ("n", "e"))
    return rsa.RSAPublicNumbers(e, n).public_key()


def test_a_token_is_signed_by_the_published_key_and_a_forged_one_is_not() -> None:
    credentials = Credentials()
    (key,) = json.loads(credentials.issuer("https://i.example").jwks())["keys"]
    token = Token("https://i.example", ("us",), {"group": "buyers"})
    head, body, signature = credentials.signed(token).split(".")
    claims = decoded(body)
    assert (claims["iss"], claims["aud"], claims["group"]) == ("https://i.example", ["us"], "buyers")
    raw = base64.urlsafe_b64decode(signature + "==")
    public(key).verify(raw, f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    forged = credentials.signed(Token("https://i.example", ("us",), forged=True)).split(".")
    with pytest.raises(InvalidSignature):
        public(key).verify(
            base64.urlsafe_b64decode(forged[2] + "=="),
            ".".join(forged[:2]).encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    expired = decoded(credentials.signed(Token("https://i.example", expired=True)).split(".")[1])
    assert expired["exp"] < expired["iat"] + 3600 - 60  # Envoy forgives a minute


def test_an_authority_read_from_files_signs_as_the_one_that_was_made() -> None:
    made = Authority.create("somebody")
    key = made._key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    read = Authority.of("somebody", made.certificate, key)
    assert read.issue("x", ["spiffe://cluster.local/ns/a/sa/b"]).certificate.startswith(b"-----BEGIN CERTIFICATE")


@pytest.mark.parametrize(
    "probe",
    [
        Probe("outside", "a", 1, "h"),
        Probe("a/b", "a", 1, "h", certificate=ClientCertificate("x", ("y",)), token=Token("i", ("a",), {"g": ["x"]})),
    ],
)
def test_a_probe_survives_the_socket(probe: Probe) -> None:
    assert Probe.of(json.loads(json.dumps(probe.document()))) == probe


def test_the_key_of_another_issuer_is_another() -> None:
    assert Issuer.create().jwks() != Issuer.create().jwks()

"""What a new partner must be told, as data: the sheet's templates only lay it out."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model.path import PathTemplate

NAT_NOT_KNOWN = "will follow"


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request that the partner may send."""

    methods: tuple[str, ...]
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class IncomingHost:
    """A host of ours that the partner calls."""

    host: str
    port: int
    protocol: str
    tls_minimum: str
    server_certificate: str
    client_authority: str
    client_names: tuple[str, ...]
    source_ranges: tuple[str, ...]  # empty: from anywhere
    calls: tuple[Call, ...]
    samples: tuple[str, ...]  # command lines that a person can paste


@dataclass(frozen=True, slots=True)
class OutgoingHost:
    """A host of the partner that we call."""

    host: str
    port: int
    protocol: str
    tls_minimum: str
    expected_names: tuple[str, ...]
    own_authority: bool  # whether it gives us the one that signs its certificate; else any public one does
    client_certificate: str | None
    paths: tuple[str, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The hand-over sheet of one partner."""

    partner: str
    environment: str
    owner: str
    our_addresses: tuple[str, ...]
    incoming: tuple[IncomingHost, ...]
    outgoing: tuple[OutgoingHost, ...]
    test_window: str
    contacts: tuple[Mapping[str, Any], ...]


def sheet(stack: Stack, partner: Partner, our_addresses: tuple[str, ...] = ()) -> Sheet:
    """The sheet; `our_addresses` are the NAT addresses, where somebody knows them already."""
    return Sheet(
        partner.name,
        stack.platform.environment,
        partner.owner,
        our_addresses or (NAT_NOT_KNOWN,),
        tuple(_incoming(stack, inbound) for inbound in partner.inbound),
        tuple(_outgoing(outbound) for outbound in partner.outbound),
        partner.test_window or "to be agreed",
        tuple(contact.model_dump() for contact in partner.contacts),
    )


def _incoming(stack: Stack, inbound: Inbound) -> IncomingHost:
    gateway = stack.platform.gateways[stack.inbound_gateway(inbound)]
    return IncomingHost(
        inbound.host,
        443,
        spoken(inbound.protocol),
        inbound.tls.min_version,
        inbound.certificate or gateway.certificate or f"{stack.inbound_gateway(inbound)}-server",
        inbound.client_certificate.ca,
        inbound.client_certificate.subject_alt_names,
        inbound.source_ranges,
        tuple(Call(route.methods, route.path, route.headers) for route in inbound.routes if route.path is not None),
        tuple(_samples(inbound)),
    )


def spoken(protocol: str) -> str:
    """A protocol as people write it."""
    return {"grpc": "gRPC", "http2": "HTTP/2"}.get(protocol, protocol.upper())


def _samples(inbound: Inbound) -> Iterator[str]:
    """A line for each route; what a configuration holds is quoted for the shell."""
    if inbound.protocol == "tcp":
        yield (
            f"openssl s_client -quiet -verify_return_error -connect {inbound.host}:443 -servername {inbound.host} "
            "-CAfile our-authority.pem -cert client.pem -key client.key"
        )
        return
    for route in [route for route in inbound.routes if route.path is not None]:
        path = example(route.path or "")
        headers = [part for name, value in route.headers.items() for part in ("-H", f"{name}: {value}")]
        if inbound.protocol == "grpc":
            certificates = ["-cacert", "our-authority.pem", "-cert", "client.pem", "-key", "client.key"]
            yield shlex.join(["grpcurl", *certificates, *headers, f"{inbound.host}:443", path.removeprefix("/")])
            continue
        certificates = ["--cacert", "our-authority.pem", "--cert", "client.pem", "--key", "client.key"]
        method = route.methods[0] if route.methods else "GET"
        way = {"GET": [], "HEAD": ["--head"]}.get(method, ["-X", method])
        yield shlex.join(["curl", *certificates, *way, *headers, f"https://{inbound.host}{path}"])


def example(path: str) -> str:
    """A path that a template matches."""
    return "".join({"{*}": "example", "{**}": "any/path"}.get(part, part) for part in PathTemplate(path).parts)


def _outgoing(outbound: Outbound) -> OutgoingHost:
    return OutgoingHost(
        outbound.host,
        outbound.port,
        spoken(outbound.protocol),
        outbound.tls.min_version,
        outbound.server_names,
        # With a client certificate, the same Secret holds the authority of the server (docs/how-to/partners.md).
        outbound.tls.ca is not None or outbound.tls.mode == "mutual",
        outbound.tls.certificate,
        outbound.paths,
        outbound.methods,
    )

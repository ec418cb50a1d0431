"""What a new partner must be told, as data: the sheet's templates only lay it out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model.path import PathTemplate

NAT_NOT_KNOWN = "known after the first deployment (`pulumi stack output natAddresses`)"


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request that the partner may send, with a curl line that a person can paste."""

    methods: tuple[str, ...]
    path: str
    headers: Mapping[str, str]
    curl: str


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
    source_ranges: tuple[str, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class OutgoingHost:
    """A host of the partner that we call."""

    host: str
    port: int
    protocol: str
    tls_minimum: str
    expected_names: tuple[str, ...]
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
        inbound.protocol,
        inbound.tls.min_version,
        inbound.certificate or gateway.certificate or f"{stack.inbound_gateway(inbound)}-server",
        inbound.client_certificate.ca,
        inbound.client_certificate.subject_alt_names,
        inbound.source_ranges or ("any address",),
        tuple(_calls(inbound)),
    )


def _calls(inbound: Inbound) -> Iterator[Call]:
    for route in inbound.routes:
        if route.path is None:
            continue
        path = example(route.path)
        method = route.methods[0] if route.methods else "GET"
        headers = "".join(f" -H '{name}: {value}'" for name, value in route.headers.items())
        yield Call(
            route.methods,
            route.path,
            route.headers,
            f"curl --cert client.pem --key client.key -X {method}{headers} https://{inbound.host}{path}",
        )


def example(path: str) -> str:
    """A path that a template matches."""
    return "".join({"{*}": "example", "{**}": "any/path"}.get(part, part) for part in PathTemplate(path).parts)


def _outgoing(outbound: Outbound) -> OutgoingHost:
    return OutgoingHost(
        outbound.host,
        outbound.port,
        outbound.protocol,
        outbound.tls.min_version,
        outbound.server_names,
        outbound.tls.certificate,
        outbound.paths,
        outbound.methods,
    )

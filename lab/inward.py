"""Scenarios of partners that call us: each partner's own calls, and every way to pretend to be it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab import paths
from lab.expect import CUT, Expect
from lab.mutual_tls import without_identity
from lab.players import Player
from lab.probe import ClientCertificate, Probe
from lab.scenarios import Scenario
from partner_mesh.config.partner import Inbound, InboundRoute
from partner_mesh.config.stack import Stack

FORGED = {"x-forwarded-client-cert": "By=spiffe://cluster.local/ns/x/sa/x;URI=spiffe://cluster.local/ns/y/sa/y"}
NOBODY = "nobody.example"
GRPC = {"content-type": "application/grpc"}


def scenarios(stack: Stack, players: Sequence[Player], stranger: str) -> Iterator[Scenario]:
    """Of every entry of every partner, in order."""
    for partner in stack.partners:
        for inbound in partner.inbound:
            own = next((p for p in players if p.host == inbound.host), None)
            if own is None:
                continue  # not compiled: what its calls would show, the first kind shows of nobody
            others = [p for p in players if p.partner != partner.name]
            calls = list(own_calls(stack, inbound, own, stranger))
            yield from calls
            right = next((call for call in calls if call.probe.method != "HEAD"), calls[0])
            yield from _pretenders(right, own, others, stranger)
            yield from _elsewhere(right, own, others, stranger)
            if not own.raw:
                yield from _requests(inbound, right, others)


def own_calls(stack: Stack, inbound: Inbound, own: Player, stranger: str) -> Iterator[Scenario]:
    """One request for each route, as the partner sends it."""
    for route in inbound.routes:
        grpc = inbound.protocol == "grpc"
        method, path = (route.methods or (("POST",) if grpc else ("GET",)))[0], paths.sample(route.path or "/")
        probe = replace(own.probe(stranger, method, path), headers=dict(route.headers) | (GRPC if grpc else {}))
        if inbound.protocol in {"grpc", "http2"}:
            probe = replace(probe, protocol="h2")
        arrives = None if route.path is None else paths.rewritten(route.path, route.rewrite)
        about = f"{own.partner} {own.host}" if own.raw else f"{own.partner} {method} {path}"
        yield Scenario("inward", about, probe, Expect(pods(stack, route), path=arrives, statuses=(200,)))


def pods(stack: Stack, route: InboundRoute) -> tuple[str, ...]:
    """Keys of the pods that may answer a route."""
    return versions(stack, route.application, route.version)


def versions(stack: Stack, name: str, version: str | None = None) -> tuple[str, ...]:
    """Keys of an application's pods; of one version, if it is pinned."""
    application = stack.applications[name]
    wanted: list[str | None] = [version] if version is not None else [*application.versions] or [None]
    return tuple(f"{application.namespace}/{name}" + (f"-{each}" if each else "") for each in wanted)


def _pretenders(right: Scenario, own: Player, others: Sequence[Player], stranger: str) -> Iterator[Scenario]:
    """The right call with everything right but the certificate."""
    del stranger
    no_answer = Expect(outcomes=CUT)
    names, authority = own.certificate.names, own.certificate.authority
    shown: list[tuple[str, ClientCertificate | None]] = [
        ("no certificate", None),
        ("stranger's certificate", ClientCertificate("a stranger", names)),
        ("expired certificate", ClientCertificate(authority, names, expired=True)),
        ("other name", ClientCertificate(authority, ("someone.else.example",))),
    ]
    shown += [("other partner's certificate", other.certificate) for other in others[:3]]
    for kind, certificate in shown:
        whose = "" if certificate is None else f" with {certificate.authority} {', '.join(certificate.names)}"
        yield Scenario(kind, f"{own.host}{whose}", replace(right.probe, certificate=certificate), no_answer)


def _elsewhere(right: Scenario, own: Player, others: Sequence[Player], stranger: str) -> Iterator[Scenario]:
    """The right call from other addresses, to other names, in plain text."""
    if own.blocks:
        refused = Expect(outcomes=CUT) if own.raw else Expect(statuses=(403,), outcomes=("answered",))
        foreign = replace(right.probe, address=stranger)
        yield Scenario("stranger's address", f"{own.host} from {stranger}", foreign, Expect(outcomes=("filtered",)))
        yield Scenario("mesh: stranger's address", f"{own.host} from {stranger}", foreign, refused)
        if not own.raw:
            own_address = {"x-forwarded-for": own.address(stranger)}
            forged = replace(foreign, headers={**right.probe.headers, **own_address})
            yield Scenario("mesh: forged X-Forwarded-For", f"{own.host} from {stranger}", forged, refused)
        # Partners of the same gateway: another gateway's partner is a stranger to this one.
        sharing = [o for o in others if o.blocks and o.gateway == own.gateway]
        for other in [o for o in sharing if o.address(stranger) != own.address(stranger)][:2]:
            address = other.address(stranger)
            moved = replace(right.probe, address=address)
            yield Scenario("other partner's address", f"{own.host} from {address} ({other.partner})", moved, refused)
    yield Scenario("unknown server name", own.host, replace(right.probe, server_name=NOBODY), Expect(outcomes=CUT))
    yield Scenario("no TLS", own.host, replace(right.probe, server_name=None, certificate=None), Expect(outcomes=CUT))


def _requests(inbound: Inbound, right: Scenario, others: Sequence[Player]) -> Iterator[Scenario]:
    """The right client with other requests."""
    refused = Expect(statuses=(403, 404))
    for path in paths.strange([route.path for route in inbound.routes if route.path is not None])[:4]:
        probe = replace(right.probe, path=path)
        yield Scenario("other path", f"{inbound.host} {probe.method} {path}", probe, refused)
    named = {method for route in inbound.routes for method in route.methods}
    closed = all(route.methods for route in inbound.routes)
    for method in [m for m in ("DELETE", "PUT", "POST", "GET") if closed and m not in named][:2]:
        yield Scenario("other method", f"{inbound.host} {method}", replace(right.probe, method=method), refused)
    for other in others[:2]:
        crossed = replace(right.probe, host=other.host)
        about = f"{inbound.host}'s server name, Host {other.host}"
        yield Scenario("crossed host", about, crossed, Expect(statuses=(404,)))


def direct(stack: Stack, stranger: str, partner: Probe | None) -> Iterator[Scenario]:
    """From outside to the pods of applications themselves, with the headers that a gateway would send."""
    for name, application in stack.applications.items():
        for port in application.ports.values():
            key = versions(stack, name)[0]
            probe = Probe(
                "outside", key, port.target, partner.host if partner else name, "POST",
                partner.path if partner else "/", address=stranger,
                headers=FORGED | ({"x-forwarded-for": partner.address or ""} if partner else {}),
            )  # fmt: skip
            about = f"{key}:{port.target}"
            yield Scenario("direct to the pod", about, probe, Expect(outcomes=("filtered",)))
            yield Scenario("mesh: direct to the pod", about, probe, without_identity(stack, name, port))

"""No plaintext path: into the mesh, inside it, or out of it; and every exception from mutual TLS has its last day."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from partner_mesh.analysis.authentication import STRICT
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.layers import MUTUAL_TLS, ExternalHost
from partner_mesh.analysis.mesh_config import NETWORKING, SECURITY
from partner_mesh.analysis.mutual_tls import PLAINTEXT, mode_parts
from partner_mesh.analysis.registry import full_name
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.rules import TCP
from partner_mesh.model.names import GROUP

UNTIL: Final = f"{GROUP}/until"  # annotation: the last day of an exception
_NO_TLS: Final = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB", "TCP", "MONGO")


def no_plaintext(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Every place where bytes could travel readable."""
    yield from _into_gateways(facts, invariant)
    yield from _out(facts, invariant)
    yield from _by_default(facts, invariant)
    yield from _between_workloads(facts, invariant)


def _into_gateways(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    said: set[tuple[str, int]] = set()
    for proxy in facts.gateways:
        for server in proxy.servers:
            if server.tls or server.redirects or server.protocol not in _NO_TLS:
                continue
            if (server.resource.title, server.index) in said or facts.leads_out(proxy.pods):
                continue
            said.add((server.resource.title, server.index))
            yield invariant.at(
                server.resource,
                f"server {server.index} takes plain {server.protocol} on port {server.number}",
                "set tls, or tls.httpsRedirect: true",
            )


def _out(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Only of what comes about; a raw TCP port may carry the application's own TLS and is not judged."""
    seen: set[tuple[str, str]] = set()
    for journey in facts.arrivals:
        if not isinstance(journey.destination, ExternalHost):
            continue
        for because in journey.fate.because:
            key = because.object, journey.destination.name
            if (
                because.layer == MUTUAL_TLS
                and because.reason.startswith(PLAINTEXT)
                and because.resource
                and key not in seen
            ):
                seen.add(key)
                yield invariant.at(
                    because.resource,
                    f"{journey.source} reaches {journey.destination} in {because.reason}",
                    "originate TLS at the egress gateway: a DestinationRule with tls for this host and port",
                )


def _by_default(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Without any PeerAuthentication the mode is PERMISSIVE."""
    for pods in facts.world.workloads.values():
        bond = facts.mesh.bond(pods.endpoint)
        if not facts.mesh.present or not bond.proxied or bond.gateway is not None:
            continue
        for _, mode, resource in mode_parts(bond.modes, TCP):
            if mode != STRICT and resource is None:
                yield invariant.at(
                    pods.resource,
                    "no PeerAuthentication binds it: it takes plaintext from anybody (PERMISSIVE is Istio's default)",
                    "a PeerAuthentication with mtls.mode STRICT in the root namespace",
                )


def _between_workloads(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A DestinationRule for a Service of the mesh that turns mutual TLS off."""
    internal = {host.name for hosts in facts.mesh.registry.hosts.values() for host in hosts if host.service is not None}
    for resource in facts.world.of(NETWORKING, "DestinationRule"):
        host = full_name(str(resource.spec.get("host") or ""), resource.namespace)
        for tls in tls_settings(resource):
            mode = str(tls.get("mode") or "DISABLE")
            if mode == "DISABLE" and host in internal:
                yield invariant.at(
                    resource,
                    f"callers of {host} are told to send plaintext (tls.mode DISABLE)",
                    "leave tls out, or say ISTIO_MUTUAL",
                )


def tls_settings(resource: Resource) -> Iterator[dict[str, Any]]:
    """Every `tls` of a DestinationRule: of the rule, of its ports, of its subsets."""
    policies = [resource.spec.get("trafficPolicy")]
    policies += [each.get("trafficPolicy") for each in resource.spec.get("subsets") or () if isinstance(each, dict)]
    for policy in policies:
        if not isinstance(policy, dict):
            continue
        levels = [policy, *(each for each in policy.get("portLevelSettings") or () if isinstance(each, dict))]
        for level in levels:
            if isinstance(level.get("tls"), dict):
                yield level["tls"]


def dated_exceptions(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A PeerAuthentication that is not STRICT says until when."""
    for resource in facts.world.of(SECURITY, "PeerAuthentication"):
        modes = [resource.spec.get("mtls"), *(resource.spec.get("portLevelMtls") or {}).values()]
        loose = [
            str(each["mode"])
            for each in modes
            if isinstance(each, dict) and each.get("mode") in ("PERMISSIVE", "DISABLE")
        ]
        if not loose:
            continue
        written = resource.annotations.get(UNTIL, "")
        try:
            until = date.fromisoformat(written) if written else None
        except ValueError:
            yield invariant.at(resource, f"{UNTIL} is {written!r}, which is no date", "write it as 2026-12-31")
            continue
        if until is None:
            yield invariant.at(
                resource,
                f"admits plaintext ({loose[0]}) with no last day",
                f"set the annotation {UNTIL} to a day, or make the mode STRICT",
            )
        elif until < facts.today:
            yield invariant.at(
                resource,
                f"admits plaintext ({loose[0]}), and its last day, {until}, is past",
                "make the mode STRICT, or agree on a new day",
            )
        else:
            days = (until - facts.today).days
            yield invariant.at(
                resource, f"admits plaintext ({loose[0]}) until {until}, {days} days from now",
                "make the mode STRICT before that", Severity.INFO,
            )  # fmt: skip


INVARIANTS: Final = (
    Invariant("PM007-no-plaintext", Severity.ERROR, "No path carries plaintext", no_plaintext),
    Invariant(
        "PM008-mtls-exception",
        Severity.ERROR,
        "Exceptions from mutual TLS have a last day that is not past",
        dated_exceptions,
    ),
)

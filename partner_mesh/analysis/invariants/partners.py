"""No partner reaches what its own objects do not name, and nobody uses another partner's host."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.gateways import PARTNER_LABEL, Server
from partner_mesh.analysis.invariants.facts import INTERNET, Facts, shown_because
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.journeys import Journey
from partner_mesh.analysis.layers import AUTHORISATION, ROUTE, Addresses, Because, Client, Partner, Verdict, Workload
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import PortSet


def own_objects_only(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Every route and every rule that lets a partner pass bears the partner's label.

    Objects without labels (other people's folders) cannot be told apart: there the Gateway alone names the partner,
    and only a workload that no policy guards is a finding.
    """
    labelled = any(
        each.labels.get(PARTNER_LABEL) for each in facts.world.of("security.istio.io", "AuthorizationPolicy")
    )
    seen: set[tuple[str, str]] = set()
    for journey in facts.arrivals:
        if not isinstance(journey.source, Partner):
            continue
        partner = journey.source.name
        for resource, reason in _strange(facts, journey, partner, labelled=labelled):
            if (partner, resource.title) not in seen:
                seen.add((partner, resource.title))
                yield invariant.at(
                    resource,
                    f"partner {partner} {reason}",
                    f"let objects with {PARTNER_LABEL}: {partner} alone route and admit this partner",
                )


def _strange(facts: Facts, journey: Journey, partner: str, *, labelled: bool) -> Iterator[tuple[Resource, str]]:
    where = f"reaches {journey.destination} on {journey.ports} through {journey.host}"
    admitted = False
    for because in journey.fate.because:
        if because.resource is None or because.layer not in (AUTHORISATION, ROUTE):
            continue
        owner = because.resource.labels.get(PARTNER_LABEL)
        inside = _at_destination(journey, because)
        admitted = admitted or (inside and because.layer == AUTHORISATION)
        if owner not in (None, partner):
            yield because.resource, f"{where} by an object of partner {owner}"
        elif labelled and owner is None and (inside or because.layer == ROUTE):
            yield because.resource, f"{where} by an object that is no partner's"
    if not admitted and isinstance(journey.destination, Workload) and journey.fate.verdict is Verdict.ALLOWED:
        workload = facts.world.workloads.get(journey.destination)
        if workload is not None and workload.endpoint != journey.gateway:
            yield workload.resource, f"{where}, and no AuthorizationPolicy of the workload says who may"


def _at_destination(journey: Journey, because: Because) -> bool:
    """Whether a policy is one of the workload, not of the gateway before it."""
    resource = because.resource
    return (
        resource is not None
        and isinstance(journey.destination, Workload)
        and resource.namespace != journey.gateway.namespace
    )


def no_crossing(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """SNI of one, Host of another; or a CA that two share: the servers' shape says whether it can be."""
    seen: set[tuple[str, str]] = set()
    for journey in facts.arrivals:
        if isinstance(journey.source, Client) and journey.source.name == "another partner":
            resource = next((each.resource for each in journey.fate.because if each.resource is not None), None)
            if resource is None or (resource.title, journey.host) in seen:
                continue
            seen.add((resource.title, journey.host))
            why = next((each.reason for each in journey.fate.because if each.reason), "no server refuses it")
            yield invariant.at(
                resource,
                f"another partner than {journey.source.beside} reaches {journey.destination} "
                f"through {journey.host}: {why}",
                "one server with one exact host, its own CA secret and subjectAltNames for each partner",
            )

    yield from _kept_apart_by_addresses(facts, invariant, {title for title, _ in seen})


def _kept_apart_by_addresses(facts: Facts, invariant: Invariant, known: set[str]) -> Iterator[Finding]:
    """Where the servers' shape would let another partner in, and only its addresses keep it out by now."""
    for proxy in facts.gateways:
        servers = [each for each in proxy.servers if each.tls in ("MUTUAL", "OPTIONAL_MUTUAL")]
        by_credential: dict[str, list[Server]] = {}
        for server in servers:
            by_credential.setdefault(server.credential, []).append(server)
        for server in servers:
            if server.resource.title in known:
                continue
            alike = [each for each in by_credential[server.credential] if _takes_for(server, each)]
            wide = len(server.hosts) > 1 or any("*" in host for _, host in server.hosts)
            crossed = [each for each in servers if wide and _other_host(server, each)]
            if alike or crossed:
                other = (alike or crossed)[0]
                how = "trusts the same CA" if alike else f"serves {other.hosts[0][1]} as well"
                yield invariant.at(
                    server.resource,
                    f"server {server.index} {how} as {other.resource.title}: only addresses keep the two apart",
                    "one server with one exact host, its own CA secret and subjectAltNames for each partner",
                    Severity.WARNING,
                )


def _differ(one: Server, other: Server) -> bool:
    return one is not other and (one.partner or one.gateway) != (other.partner or other.gateway)


def _takes_for(one: Server, other: Server) -> bool:
    """Whether one CA may have signed the clients of both, and no name tells them apart."""
    return _differ(one, other) and (not one.names or not other.names or bool(set(one.names) & set(other.names)))


def _other_host(wide: Server, other: Server) -> bool:
    return _differ(wide, other) and any(wide.serves(host) for _, host in other.hosts)


def from_its_addresses(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A stolen certificate should be worth nothing elsewhere."""
    seen: set[tuple[str, str]] = set()
    for journey in facts.arrivals:
        if isinstance(journey.source, Client) and journey.source.name == "elsewhere":
            resource = facts.at(journey)
            if resource is not None and (journey.source.beside, resource.title) not in seen:
                seen.add((journey.source.beside, resource.title))
                yield invariant.at(
                    resource,
                    f"the certificate of partner {journey.source.beside} is good from addresses that are not the "
                    f"partner's: {journey.destination} through {journey.host}",
                    "name the partner's ranges as remoteIpBlocks and in its NetworkSet",
                )


def outside_only_by_gateways(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """From outside, packets end at a gateway: a workload that the internet reaches by itself has no partner rules."""
    inside = [
        each.endpoint
        for each in facts.world.workloads.values()
        if facts.guarded(each) and facts.mesh.bond(each.endpoint).gateway is None
    ]
    parts = [
        each for each in facts.reach.universe.endpoints if isinstance(each, Addresses) and each.addresses & INTERNET
    ]
    found: dict[tuple[Workload, Verdict], list[tuple[PortSet, str]]] = {}
    for each in facts.reach.results(parts, inside).connections():
        if each.verdict is Verdict.DENIED or not isinstance(each.destination, Workload):
            continue
        if isinstance(each.source, Addresses):
            found.setdefault((each.destination, each.verdict), []).append((each.ports, shown_because(each.decided_by)))
    for (workload, verdict), said in found.items():
        may = "is reached" if verdict is Verdict.ALLOWED else "may be reached"
        ports = PortSet.union(each[0] for each in said)
        yield invariant.at(
            facts.world.workloads[workload].resource,
            f"{may} from the internet without a gateway on {ports}: {said[0][1]}",
            "deny ingress by NetworkPolicy and admit the gateway's pods",
            Severity.ERROR if verdict is Verdict.ALLOWED and facts.mesh.present else Severity.WARNING,
        )


INVARIANTS: Final = (
    Invariant(
        "PM003-partner-reach", Severity.ERROR, "No partner reaches what its own objects do not name", own_objects_only
    ),
    Invariant("PM004-partner-crossing", Severity.ERROR, "No partner uses another partner's host", no_crossing),
    Invariant(
        "PM005-partner-address",
        Severity.WARNING,
        "A partner's certificate is good from its addresses only",
        from_its_addresses,
    ),
    Invariant(
        "PM006-outside-by-gateway",
        Severity.ERROR,
        "Nobody outside reaches a workload but through a gateway",
        outside_only_by_gateways,
    ),
)

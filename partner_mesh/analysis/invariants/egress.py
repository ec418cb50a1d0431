"""Nothing leaves but through the egress gateway, and nobody asks the metadata service."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.invariants.facts import INTERNET, Facts, outwards, shown_addresses, shown_because
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.layers import Addresses, Verdict, Workload
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import Host
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import AddressSet, PortSet

# AWS answers on both; security groups do not filter them (EC2 user guide, "Security groups"), so that only network
# policies count here.
METADATA: Final = {"169.254.169.254": "the metadata service", "fd00:ec2::254": "the metadata service over IPv6"}


def egress_closed(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """By packets alone: REGISTRY_ONLY sees neither UDP nor a process that goes around its sidecar."""
    guarded = [each for each in facts.world.workloads.values() if facts.guarded(each) and not facts.leads_out(each)]
    yield from _open(facts, invariant, guarded)
    others = [each for each in facts.world.workloads.values() if not facts.guarded(each)]
    if facts.mesh.present and others:
        free = dict.fromkeys(source for source, *_ in outwards(facts.packets, _endpoints(others), INTERNET))
        for source in free:
            yield invariant.at(
                facts.world.workloads[source].resource,
                "reaches the internet; it belongs to the platform, not to the mesh",
                "bind it by a network policy of its own if it need not",
                Severity.INFO,
            )


def _endpoints(pods: list[Pods]) -> list[Workload]:
    return [each.endpoint for each in pods]


def _open(facts: Facts, invariant: Invariant, guarded: list[Pods]) -> Iterator[Finding]:
    found: dict[tuple[Workload, Verdict, PortSet, str], list[AddressSet]] = {}
    for source, part, ports, verdict, because in outwards(facts.packets, _endpoints(guarded), INTERNET):
        for addresses, left in _undeclared(facts, source, part, ports):
            found.setdefault((source, verdict, left, shown_because(because)), []).append(addresses)
    for (source, verdict, ports, because_of), parts in found.items():
        where = shown_addresses(AddressSet.union(parts))
        may = "reaches" if verdict is Verdict.ALLOWED else "may reach"
        yield invariant.at(
            facts.world.workloads[source].resource,
            f"{may} {where} on {ports}: {because_of}",
            "deny egress by NetworkPolicy and let it call through the egress gateway",
            Severity.ERROR if verdict is Verdict.ALLOWED and facts.mesh.present else Severity.WARNING,
        )


def _undeclared(
    facts: Facts, source: Workload, part: Addresses, ports: PortSet
) -> Iterator[tuple[AddressSet, PortSet]]:
    """What is left once exact blocks and ports that a ServiceEntry declares to the workload are taken away."""
    left = [(part.addresses, ports)]
    scope = facts.mesh.bond(source).scope
    for host in declared_blocks(facts):
        if scope.sees(host):
            allowed = PortSet.union(PortSet.single("TCP", each.number) for each in host.ports)
            left = [
                piece
                for addresses, open_ports in left
                for piece in (
                    (addresses - host.addresses, open_ports),
                    (addresses & host.addresses, open_ports - allowed),
                )
                if piece[0] and piece[1]
            ]
    yield from left


def declared_blocks(facts: Facts) -> list[Host]:
    """The ServiceEntries that declare address blocks instead of names, exactly: every block narrower than the world."""
    return [
        host
        for hosts in facts.mesh.registry.hosts.values()
        for host in hosts
        if host.external and exact_blocks(host.resource)
    ]


def exact_blocks(resource: Resource) -> bool:
    """Whether a ServiceEntry names blocks of at most 65,536 addresses, for declared TCP or TLS ports only."""
    spec = resource.spec
    blocks = [str(each) for each in spec.get("addresses") or ()]
    ports = [each for each in spec.get("ports") or () if isinstance(each, dict)]
    if not blocks or not ports or any(str(each).startswith("*") for each in spec.get("hosts") or ()):
        return False
    if any(str(each.get("protocol", "")).upper() not in ("TCP", "TLS", "MONGO", "MYSQL", "REDIS") for each in ports):
        return False
    try:
        sets = [AddressSet.of(each) for each in blocks]
    except ValueError:
        return False
    return all(high - low < 1 << 16 for each in sets for low, high in each.intervals)


def metadata_closed(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Whoever reaches it may take the node's credentials."""
    network = facts.packets.network
    for pods in facts.world.workloads.values():
        if not facts.guarded(pods):
            continue
        for address, name in METADATA.items():
            target = Addresses(AddressSet.of(address))
            opinions = network.opinions(pods.endpoint, target, PortSet.single("TCP", 80))
            open_ = [each for each in opinions if each.verdict is not Verdict.DENIED]
            if open_ or not opinions:
                why = shown_because(tuple(b for each in open_ for b in each.because)) or "no policy selects it"
                yield invariant.at(
                    pods.resource,
                    f"reaches {name} ({address}): {why}",
                    f"deny {target} by a GlobalNetworkPolicy of low order, or deny egress by default",
                    None if facts.mesh.present else Severity.WARNING,
                )


INVARIANTS: Final = (
    Invariant(
        "PM001-egress-closed", Severity.ERROR, "No workload but the egress gateway reaches the internet", egress_closed
    ),
    Invariant("PM002-metadata-closed", Severity.ERROR, "No workload reaches the metadata service", metadata_closed),
)

"""One host, one owner: istiod drops the second TLS server, and a sidecar the second VirtualService, without a word."""

from collections.abc import Iterator, Mapping
from typing import Final

from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.mesh_config import NETWORKING, exports_of
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.routes import MESH, gateways_of, hosts_of


def no_duplicates(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """On a gateway's port, and on the mesh."""
    yield from _servers(facts, invariant)
    yield from _on_the_mesh(facts, invariant)


def _servers(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    scoped = facts.mesh.config.gateways_in_own_namespace
    gateways = sorted(facts.world.of(NETWORKING, "Gateway"), key=lambda each: (each.name, each.namespace))
    said: set[tuple[str, int]] = set()
    for proxy in facts.gateways:
        kept = {(id(each.resource), each.index) for each in proxy.servers}
        for resource in gateways:
            chosen = resource.spec.get("selector")
            labels = {str(k): str(v) for k, v in chosen.items()} if isinstance(chosen, Mapping) else {}
            if not labels or not labels.items() <= proxy.pods.labels.items():
                continue
            if scoped and resource.namespace != proxy.pods.namespace:
                continue
            for index, server in enumerate(resource.spec.get("servers") or ()):
                if (id(resource), index) in kept or not isinstance(server, Mapping) or (resource.title, index) in said:
                    continue
                hosts = ", ".join(map(str, server.get("hosts") or ()))
                said.add((resource.title, index))
                yield invariant.at(
                    resource,
                    f"server {index} ({hosts}) is skipped by istiod: another server of this port has its host",
                    "give each host to one Gateway",
                )


def _on_the_mesh(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A sidecar keeps the first VirtualService of a host that it sees."""
    default = facts.mesh.config.default_virtual_service_export
    by_host: dict[str, list[tuple[Resource, frozenset[str]]]] = {}
    for resource in sorted(facts.world.of(NETWORKING, "VirtualService"), key=lambda each: (each.name, each.namespace)):
        if MESH not in gateways_of(resource) or resource.spec.get("hosts") is None:
            continue
        seen_in = frozenset(resource.namespace if e == "." else e for e in exports_of(resource, default))
        for host in hosts_of(resource):
            for other, other_seen in by_host.get(host, []):
                if _meet(seen_in, other_seen):
                    yield invariant.at(
                        resource,
                        f"routes {host} for sidecars, as {other.title} does: one that sees both keeps the first",
                        "one VirtualService a host, or an exportTo of its own for each",
                    )
                    break
            by_host.setdefault(host, []).append((resource, seen_in))


def _meet(left: frozenset[str], right: frozenset[str]) -> bool:
    return "*" in left or "*" in right or bool(left & right)


INVARIANTS: Final = (Invariant("PM013-duplicate-host", Severity.ERROR, "No host is served twice", no_duplicates),)

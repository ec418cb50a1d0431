"""REGISTRY_ONLY as a layer: what a sidecar lets out because its registry knows it."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from partner_mesh.analysis.kinds import Alike, Grouped, Kinds, Parts
from partner_mesh.analysis.layers import EGRESS_REGISTRY, Addresses, Because, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.mesh import Bond, MeshLayer, excluded_ports
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import Host, Scope
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.selectors import Mask, mask_of
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.universe import Universe, union


class RegistryLayer(MeshLayer):
    """REGISTRY_ONLY: a sidecar lets out only what its registry knows. It never sees UDP."""

    name = EGRESS_REGISTRY

    def address_sets(self) -> Iterable[AddressSet]:
        """The blocks that ServiceEntries write: known to a sidecar where the rest of the outside is not."""
        return [host.addresses for host in self._written] if self._matters else ()

    def _closed(self, endpoint: Endpoint) -> bool:
        if not isinstance(endpoint, Workload):
            return False
        bond = self.mesh.bond(endpoint)
        if not bond.proxied or bond.gateway is not None:
            return False
        own = bond.scope.registry_only
        return self.mesh.config.registry_only if own is None else own

    @cached_property
    def _matters(self) -> bool:
        return self.mesh.present and (
            self.mesh.config.registry_only or any(self._closed(endpoint) for endpoint in self.mesh.world.workloads)
        )

    def kinds(self, universe: Universe) -> Kinds:
        """Callers by what they see; destinations by the hosts that lead there, where the caller sees any of them."""
        return _Told(self, universe) if self._matters else Alike()

    def caller(self, endpoint: Endpoint) -> tuple[Scope, PortSet] | None:
        """What a sidecar is told of, and the ports that it lets alone; None for whoever is not kept to a registry."""
        if not self._closed(endpoint) or not isinstance(endpoint, Workload):
            return None
        bond = self.mesh.bond(endpoint)
        return bond.scope, _left_alone(bond.pods)

    def leading(self, endpoint: Endpoint) -> tuple[Host, ...]:
        """The hosts that lead to a destination."""
        if isinstance(endpoint, Workload):
            return tuple(self.mesh.registry.of_workload.get(id(self.mesh.world.workloads[endpoint]), ()))
        if isinstance(endpoint, Addresses):
            return tuple(each for each in self._written if endpoint.addresses <= each.addresses)
        return ()

    @cached_property
    def _written(self) -> list[Host]:
        """The hosts outside whose addresses a ServiceEntry writes."""
        return [
            host
            for hosts in (*self.mesh.registry.hosts.values(), self.mesh.registry.wildcards)
            for host in hosts
            if host.addresses and host.external
        ]

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the registry of the source knows of the destination."""
        ports &= TCP
        if not ports or not self._matters or not self._closed(source) or not isinstance(source, Workload):
            return ()
        bond = self.mesh.bond(source)
        ports -= _left_alone(bond.pods)
        known: list[tuple[PortSet, Because]] = []
        if isinstance(destination, Workload):
            pods = self.mesh.world.workloads[destination]
            for host in self.mesh.registry.of_workload.get(id(pods), ()):
                for port in host.ports:
                    if bond.scope.sees(host, port.number):
                        target = self.mesh.registry.target(host, port, pods)
                        moved = "" if PortSet.single("TCP", port.number) == target else f"as its port {port.number}"
                        known.append((target, Because.of(EGRESS_REGISTRY, host.resource, moved)))
        elif isinstance(destination, Addresses):
            known = list(self._outside(bond, destination))
        found: list[Opinion] = []
        for reached, because in known:
            if reached & ports:
                found.append(Opinion(EGRESS_REGISTRY, Verdict.ALLOWED, reached & ports, (because,)))
                ports -= reached
        if ports:
            found.append(Opinion(EGRESS_REGISTRY, Verdict.DENIED, ports, (self._refusal(bond),)))
        return found

    def _outside(self, bond: Bond, destination: Addresses) -> Iterable[tuple[PortSet, Because]]:
        """Addresses are known only where a ServiceEntry writes them; a name is reached by name."""
        for host in self.leading(destination):
            for port in host.ports:
                if bond.scope.sees(host, port.number):
                    yield PortSet.single("TCP", port.number), Because.of(EGRESS_REGISTRY, host.resource)

    def _refusal(self, bond: Bond) -> Because:
        reason = "REGISTRY_ONLY, and no host that is known here leads to the destination"
        resource = bond.scope.resource or self.mesh.config.resource
        if resource is None:
            return Because(EGRESS_REGISTRY, "REGISTRY_ONLY", reason=reason)
        return Because.of(EGRESS_REGISTRY, resource, reason)


def _left_alone(pods: Pods) -> PortSet:
    """Outbound ports that the sidecar does not capture."""
    if pods.annotations.get("traffic.sidecar.istio.io/excludeOutboundIPRanges", "") in ("*", "0.0.0.0/0"):
        return TCP
    return excluded_ports(pods.annotations.get("traffic.sidecar.istio.io/excludeOutboundPorts", ""))


class _Told:
    """What a caller is not told of is one kind to it, whoever it is."""

    def __init__(self, layer: RegistryLayer, universe: Universe) -> None:
        self._callers = [layer.caller(each) for each in universe.endpoints]
        leading = [layer.leading(each) for each in universe.endpoints]
        registry, pods = layer.mesh.registry, universe.pods
        self._destinations = Grouped(
            tuple(
                # A Service may lead to another port of each workload: its target may be a name.
                (id(host), *(registry.target(host, port, mine) for port in host.ports if mine is not None))
                for host in hosts
            )
            for hosts, mine in zip(leading, pods, strict=True)
        )
        behind: dict[int, tuple[Host, list[int]]] = {}
        for position, hosts in enumerate(leading):
            for host in hosts:
                behind.setdefault(id(host), (host, []))[1].append(position)
        self._behind = [(host, mask_of(members)) for host, members in behind.values()]
        self._homes: dict[str, list[tuple[Host, Mask]]] = {}
        for host, members in self._behind:
            self._homes.setdefault(host.namespace, []).append((host, members))
        self._seen: dict[int, Mask] = {}  # by identity of scopes, which the bonds keep

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        caller = self._callers[source]
        if caller is None:
            yield None, mask
            return
        scope, alone = caller
        key = (id(scope), alone)
        seen = mask & self._seen_by(scope)
        if unseen := mask & ~seen:
            yield (*key, None), unseen
        if seen:
            for number, members in self._destinations.split(seen):
                yield (*key, number), members

    def _seen_by(self, scope: Scope) -> Mask:
        """Whom some host leads to that a sidecar is told of."""
        if id(scope) not in self._seen:
            homes = {home for home, _, _ in scope.hosts}
            known = self._behind
            if homes and "*" not in homes:
                known = [each for home in sorted(homes) for each in self._homes.get(home, ())]
            self._seen[id(scope)] = union(members for host, members in known if scope.sees(host))
        return self._seen[id(scope)]

"""REGISTRY_ONLY as a layer: what a sidecar lets out because its registry knows it."""

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

from partner_mesh.analysis.layers import EGRESS_REGISTRY, Addresses, Because, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.mesh import Bond, MeshLayer, excluded_ports
from partner_mesh.analysis.registry import Host
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import Pods


class RegistryLayer(MeshLayer):
    """REGISTRY_ONLY: a sidecar lets out only what its registry knows. It never sees UDP."""

    name = EGRESS_REGISTRY

    def address_sets(self) -> Iterable[AddressSet]:
        """The blocks that ServiceEntries write: known to a sidecar where the rest of the outside is not."""
        return [host.addresses for host in self._blocks] if self._matters else ()

    @cached_property
    def _blocks(self) -> list[Host]:
        """The outside hosts that are known by their addresses."""
        registry = self.mesh.registry
        hosts = (*registry.wildcards, *(host for listed in registry.hosts.values() for host in listed))
        return [host for host in hosts if host.addresses and host.external]

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

    def distinguishes(self, endpoint: Endpoint) -> Hashable:
        """Workloads by what they see and by which Services lead to them."""
        if not self._matters:
            return None
        if isinstance(endpoint, Addresses):
            return tuple(id(host) for host in self._blocks if endpoint.addresses <= host.addresses)
        if not isinstance(endpoint, Workload):
            return type(endpoint).__name__
        bond = self.mesh.bond(endpoint)
        hosts = self.mesh.registry.of_workload.get(id(bond.pods), ())
        sees = bond.scope.signature if self._closed(endpoint) and self._tells_apart else None
        return self._closed(endpoint), sees, _left_alone(bond.pods), tuple(id(each) for each in hosts)

    @cached_property
    def _tells_apart(self) -> bool:
        """Whether two callers can be told of different hosts at all."""
        registry = self.mesh.registry
        hosts = [*registry.wildcards, *(host for listed in registry.hosts.values() for host in listed)]
        public = all("*" in host.exports for host in hosts if host.service is not None or host.addresses)
        return not public or any(self.mesh.bond(each).scope.resource for each in self.mesh.world.workloads)

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
        for host in self._blocks:
            if destination.addresses <= host.addresses:
                for port in host.ports:
                    if bond.scope.sees(host, port.number):
                        reached = PortSet.single("TCP", port.number)
                        yield reached, Because.of(EGRESS_REGISTRY, host.resource)

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

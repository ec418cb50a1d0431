"""HBONE: what carries connections to and from pods in ambient mode, and which port packets then have.

ztunnel carries a connection to another that speaks HBONE inside one to port 15008 of the pod, whatever port was asked
for: NetworkPolicies and security groups see that port alone. Who has a sidecar that speaks HBONE sends so only where it
must (`supportTunnel` and what follows it, istio pilot/pkg/xds/endpoints/endpoint_builder.go): to pods in ambient mode.
"""

from collections.abc import Sequence

from partner_mesh.analysis.kinds import BothSides, Crossed, Kinds
from partner_mesh.analysis.layers import Addresses, Endpoint, Opinion, Workload
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.network import Groups, NetworkLayer, Row
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.security_groups import SecurityGroupLayer
from partner_mesh.analysis.selectors import Mask, mask_of
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.waypoints import HBONE
from partner_mesh.model.record import replace


class Tunnels:
    """Who sends and who takes connections inside HBONE."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @property
    def there_are(self) -> bool:
        """Whether any pods are in ambient mode: without them nothing is carried so."""
        return self.mesh.present and any(self.mesh.bond(each).ambient for each in self.mesh.world.workloads)

    def kind(self, endpoint: Endpoint) -> tuple[bool, bool]:
        """Whether it is in ambient mode, and whether its own proxy speaks HBONE."""
        if not isinstance(endpoint, Workload):
            return False, False
        bond = self.mesh.bond(endpoint)
        return bond.ambient, bond.proxied and bond.hbone

    def taking(self, endpoint: Endpoint) -> tuple[bool, bool, bool]:
        """As a destination: also whether it is a waypoint, which is called on the port itself."""
        way = isinstance(endpoint, Workload) and self.mesh.bond(endpoint).waypoint is not None
        return (*self.kind(endpoint), way)

    def carries(self, source: Endpoint, destination: Endpoint) -> bool:
        """Whether a connection between the two has port 15008 on the wire."""
        (ambient, sends), (in_tunnel, takes, way) = self.kind(source), self.taking(destination)
        if way:
            return False
        return (in_tunnel and (ambient or sends)) or (ambient and takes)


def carried(opinions: Sequence[Opinion]) -> tuple[Opinion, ...]:
    """What a layer says of port 15008, said of every TCP port."""
    found = []
    for each in opinions:
        ports = each.ports - TCP
        if each.ports & HBONE:
            ports |= TCP
        if ports:
            found.append(replace(each, ports=ports))
    return tuple(found)


class TunnelledNetwork(NetworkLayer):
    """NetworkPolicies, asked about the port that packets have."""

    def __init__(self, world: World, tunnels: Tunnels) -> None:
        super().__init__(world)
        self.tunnels = tunnels
        # By identity of what the base class keeps; the values hold it, so that no identity is used twice.
        self._rows: dict[tuple[int, Mask], tuple[Row, Row]] = {}
        self._groups: dict[int, tuple[Sequence[Opinion], tuple[Opinion, ...]]] = {}
        self._masks: dict[tuple[bool, bool], Mask] = {}

    def row(self, source: int) -> Row:
        """As the base class has it, but for the destinations that are reached inside a tunnel."""
        plain, inside = super().row(source), self._reached(source)
        if not inside:
            return plain
        key = (id(plain), inside)
        if key not in self._rows:
            self._rows[key] = plain, Row(tuple(self._parted(tuple(plain.groups()), inside)))
        return self._rows[key][1]

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What is said of one pair."""
        if not self.tunnels.carries(source, destination):
            return super().opinions(source, destination, ports)
        found = carried(super().opinions(source, destination, PortSet.ALL))
        return [replace(each, ports=both) for each in found if (both := each.ports & ports)]

    def _reached(self, source: int) -> Mask:
        universe = self._now().universe
        caller = universe.endpoints[source]
        kind = self.tunnels.kind(caller)
        if not any(kind):
            return 0
        if kind not in self._masks:
            ends = [(i, each) for i, each in enumerate(universe.endpoints) if not isinstance(each, Addresses)]
            self._masks[kind] = mask_of(i for i, each in ends if self.tunnels.carries(caller, each))
        return self._masks[kind]

    def _parted(self, groups: Groups, inside: Mask) -> Groups:
        found = []
        for mask, opinions in groups:
            if beyond := mask & ~inside:
                found.append((beyond, opinions))
            if within := mask & inside:
                if id(opinions) not in self._groups:
                    self._groups[id(opinions)] = opinions, carried(opinions)
                found.append((within, self._groups[id(opinions)][1]))
        return tuple(found)


class TunnelledGroups(SecurityGroupLayer):
    """Security groups, asked about the port that packets have."""

    def __init__(self, world: World, tunnels: Tunnels) -> None:
        super().__init__(world)
        self.tunnels = tunnels

    def kinds(self, universe: Universe) -> Kinds:
        """Also by how an endpoint sends and takes."""
        return Crossed(super().kinds(universe), BothSides(universe, self.tunnels.kind, self.tunnels.taking))

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the groups say of one pair."""
        if not self.tunnels.carries(source, destination) or not ports & TCP:
            return super().opinions(source, destination, ports)
        found = carried(super().opinions(source, destination, (ports - TCP) | HBONE))
        return [replace(each, ports=both) for each in found if (both := each.ports & ports)]

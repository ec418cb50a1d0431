"""The connections that lead through gateways, as rows of the same table as all others."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from partner_mesh.analysis.egress_registry import RegistryLayer
from partner_mesh.analysis.journeys import Ingress, Journey
from partner_mesh.analysis.layers import SECURITY_GROUP, Addresses, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.load_balancers import balancers
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.outbound import Egress
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.sets import AddressSet, PortSet

Stages = Sequence[Sequence[Opinion]]
INSIDE: Final = Addresses(
    AddressSet.union(
        AddressSet.of(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    )
)
FEW: Final = 8  # a caller of so many parts of the outside is asked for part by part
PARTS: Final = 64  # no more parts than these stand for one caller


def mesh_of(reach: Reach) -> Mesh:
    """The mesh that a table's layers share; a new one where it was made without them."""
    return next((each.mesh for each in reach.layers if isinstance(each, RegistryLayer)), None) or Mesh(reach.world)


def journeys(reach: Reach, mesh: Mesh | None = None) -> Iterator[Journey]:
    """Every journey: from outside to workloads, then from workloads to outside hosts."""
    mesh = mesh or mesh_of(reach)
    if not mesh.present:
        return
    below = _Below(reach)
    ingress = Ingress(mesh, below.between, below.into_gateway)
    yield from ingress.journeys()
    yield from Egress(mesh, ingress).journeys()


def connections(reach: Reach, mesh: Mesh | None = None) -> Iterator[Connection]:
    """The journeys as connections: the destination's port, and requests as the source sends them."""
    for each in journeys(reach, mesh):
        fate = each.fate
        yield Connection(each.source, each.destination, fate.verdict, each.ports, fate.because, fate.requests)


class _Below:
    """The layers that judge packets, asked for single hops."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.groups = [each for each in reach.layers if each.name == SECURITY_GROUP]
        self.outside = [each for each in reach.universe.endpoints if isinstance(each, Addresses)]
        spans = [(low, high, part) for part in self.outside for low, high in part.addresses.intervals]
        self._spans = sorted(spans, key=lambda each: each[0])
        self._starts = [low for low, _, _ in self._spans]
        self._admitted: dict[tuple[Endpoint, PortSet, bool], list[tuple[Addresses, Stages]]] = {}

    def between(self, source: Endpoint, destination: Endpoint, ports: PortSet, *, groups: bool = True) -> Stages:
        """What each layer says of a hop. A set of outside addresses stands for the parts that lie in it: of several,
        one that gets through is enough.
        """
        if not isinstance(source, Addresses):
            return self._first([source], self._parts(destination), ports, groups=groups)
        few = self._parts(source)
        if len(few) <= FEW:
            return self._first(few, self._parts(destination), ports, groups=groups)
        for part, stages in self._through(destination, ports, groups=groups):
            if part.addresses <= source.addresses:
                return stages
        return self._pair(few[0], destination, ports, groups=groups)

    def into_gateway(self, source: Addresses, gateway: Workload, ports: PortSet, *, forwarded: bool) -> Stages:
        """From outside to a gateway: through its load balancer where the groups tell of one.

        With `forwarded` a proxy stands between that calls from an address of its own, somewhere inside: network
        policies then see that address, and one that they admit is taken to be the proxy's.
        """
        seen = INSIDE if forwarded else source
        network = self.between(seen, gateway, ports, groups=False)
        front = list(balancers(self.groups, gateway, ports))
        if not front:
            direct = self.between(source, gateway, ports, groups=True)
            return [*network, *(each for each in direct if each[0].layer == SECURITY_GROUP)]
        said = [each.admits(source.addresses, ports) for each in front]
        return [*network, (next((each for each in said if each.verdict is Verdict.ALLOWED), said[0]),)]

    def _through(self, destination: Endpoint, ports: PortSet, *, groups: bool) -> list[tuple[Addresses, Stages]]:
        """The parts of the outside that get through to a destination, found once."""
        key = destination, ports, groups
        if key not in self._admitted:
            answers = ((part, self._pair(part, destination, ports, groups=groups)) for part in self.outside)
            self._admitted[key] = [(part, stages) for part, stages in answers if _open(stages)]
        return self._admitted[key]

    def _first(
        self, sources: Sequence[Endpoint], destinations: Sequence[Endpoint], ports: PortSet, *, groups: bool
    ) -> Stages:
        """The first pair that gets through, else the first."""
        first: Stages = ()
        for one in sources:
            for other in destinations:
                stages = self._pair(one, other, ports, groups=groups)
                if _open(stages):
                    return stages
                first = first or stages
        return first

    def _pair(self, source: Endpoint, destination: Endpoint, ports: PortSet, *, groups: bool) -> Stages:
        layers = (self.reach.network, *(self.groups if groups else ()))
        answers = ([_cut(each, ports) for each in layer.opinions(source, destination, ports)] for layer in layers)
        return [each for each in answers if each]

    def _parts(self, endpoint: Endpoint) -> Sequence[Endpoint]:
        """The parts that lie in a set of outside addresses, else those that it touches."""
        if not isinstance(endpoint, Addresses):
            return [endpoint]
        touched: dict[Addresses, None] = {}
        for low, high in endpoint.addresses.intervals:
            at = max(bisect_right(self._starts, low) - 1, 0)
            while at < len(self._spans) and self._spans[at][0] <= high:
                if self._spans[at][1] >= low:
                    touched[self._spans[at][2]] = None
                at += 1
                if len(touched) > PARTS:
                    break
        inside = [each for each in touched if each.addresses <= endpoint.addresses]
        return inside or list(touched)


def _open(stages: Stages) -> bool:
    return all(opinion.verdict is Verdict.ALLOWED for opinions in stages for opinion in opinions)


def _cut(opinion: Opinion, ports: PortSet) -> Opinion:
    return Opinion(opinion.layer, opinion.verdict, opinion.ports & ports, opinion.because, opinion.http)

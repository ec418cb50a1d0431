"""The connections that lead through gateways, as rows of the same table as all others."""

from collections.abc import Iterator, Sequence

from partner_mesh.analysis.journeys import Ingress, Journey
from partner_mesh.analysis.layers import Addresses, Because, Endpoint, NETWORK_POLICY, Opinion, Verdict
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.outbound import Egress
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.sets import PortSet


def journeys(reach: Reach, mesh: Mesh) -> Iterator[Journey]:
    """Every journey: from outside to workloads, then from workloads to outside hosts."""
    ingress = Ingress(mesh, _Network(reach).between)
    yield from ingress.journeys()
    yield from Egress(mesh, ingress).journeys()


def connections(reach: Reach, mesh: Mesh) -> Iterator[Connection]:
    """The journeys as connections: source and destination, the destination's port, requests as the source sends them."""
    for each in journeys(reach, mesh):
        fate = each.fate
        yield Connection(each.source, each.destination, fate.verdict, each.ports, fate.because, fate.requests)


class _Network:
    """The network layer asked for single hops. A set of outside addresses stands for the parts that lie in it."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.outside = [
            (position, each.addresses)
            for position, each in enumerate(reach.universe.endpoints)
            if isinstance(each, Addresses)
        ]

    def between(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """The opinion on a hop. Of several parts of the outside, one that gets through is enough."""
        found: list[Opinion] = []
        for one in self._positions(source):
            for other in self._positions(destination):
                found += self._pair(one, other, ports)
        for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED):
            same = [each for each in found if each.verdict is verdict]
            if same:
                because = tuple(dict.fromkeys(reason for each in same[:3] for reason in each.because))
                return (Opinion(same[0].layer, verdict, ports, because),)
        return ()

    def _pair(self, source: int, destination: int, ports: PortSet) -> Sequence[Opinion]:
        for mask, opinions in self.reach.network.row(source):
            if mask >> destination & 1:
                return [each for each in opinions if each.ports & ports]
        return ()

    def _positions(self, endpoint: Endpoint) -> list[int]:
        if not isinstance(endpoint, Addresses):
            return [self.reach.universe.position[endpoint]]
        inside = [position for position, each in self.outside if each <= endpoint.addresses]
        touching = [position for position, each in self.outside if each & endpoint.addresses]
        return (inside or touching)[:64]


__all__ = ["Because", "NETWORK_POLICY", "connections", "journeys"]

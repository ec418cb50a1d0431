"""The connections that lead through gateways, as rows of the same table as all others."""

from collections.abc import Iterable, Iterator, Sequence

from partner_mesh.analysis.journeys import Ingress, Journey
from partner_mesh.analysis.layers import SECURITY_GROUP, Addresses, Endpoint, Opinion, Verdict
from partner_mesh.analysis.mesh import Mesh, RegistryLayer
from partner_mesh.analysis.outbound import Egress
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.sets import PortSet

PARTS = 64  # of the outside, so many parts are asked; policies that tell more apart for one caller are rare


def mesh_of(reach: Reach) -> Mesh:
    """The mesh that a table's layers share; a new one where it was made without them."""
    return next((each.mesh for each in reach.layers if isinstance(each, RegistryLayer)), None) or Mesh(reach.world)


def journeys(reach: Reach, mesh: Mesh | None = None) -> Iterator[Journey]:
    """Every journey: from outside to workloads, then from workloads to outside hosts."""
    mesh = mesh or mesh_of(reach)
    if not mesh.present:
        return
    ingress = Ingress(mesh, _Below(reach).between)
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

    def between(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Sequence[Opinion]]:
        """What each layer says of a hop. A set of outside addresses stands for the parts that lie in it: of several,
        one that gets through is enough."""  # noqa: D205
        pairs = [(one, other) for one in self._parts(source) for other in self._parts(destination)]
        stages = [_best((self._network(one, other, ports) for one, other in pairs), ports)]
        stages += [_best((layer.opinions(*pair, ports) for pair in pairs), ports) for layer in self.groups]
        return [each for each in stages if each]

    def _network(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        return self.reach.network.opinions(source, destination, ports)

    def _parts(self, endpoint: Endpoint) -> list[Endpoint]:
        if not isinstance(endpoint, Addresses):
            return [endpoint]
        inside = [each for each in self.outside if each.addresses <= endpoint.addresses]
        touching = [each for each in self.outside if each.addresses & endpoint.addresses] if not inside else []
        return [*(inside or touching)[:PARTS]]


def _best(answers: Iterable[Sequence[Opinion]], ports: PortSet) -> Sequence[Opinion]:
    """The opinion of the parts that fare best; none where the layer says nothing of one of them."""
    found: list[Opinion] = []
    for opinions in answers:
        if not opinions:
            return ()
        found += opinions
    for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED):
        same = [each for each in found if each.verdict is verdict]
        if same:
            because = tuple(dict.fromkeys(reason for each in same[:3] for reason in each.because))
            return (Opinion(same[0].layer, verdict, ports, because),)
    return ()

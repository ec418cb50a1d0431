"""From a gateway to pods in ambient mode: straight to their ztunnel, or through the waypoint of their Service.

A gateway sends a Service's requests to its waypoint where the Service says so (`istio.io/ingress-use-waypoint`), and
else to the pods, past what the waypoint would judge (istio.io, "Configure waypoint proxies").
"""

from collections.abc import Callable, Sequence
from typing import Final

from partner_mesh.analysis.authentication import STRICT
from partner_mesh.analysis.authorization_layer import AuthorizationLayer
from partner_mesh.analysis.gateways import GatewayProxy
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import MUTUAL_TLS, Because, Endpoint, Opinion, Verdict
from partner_mesh.analysis.mesh import Bond, Mesh
from partner_mesh.analysis.mutual_tls import mode_parts
from partner_mesh.analysis.peers import Peer, Token
from partner_mesh.analysis.services import Service
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.waypoints import HBONE
from partner_mesh.analysis.ways import Way

INGRESS: Final = "istio.io/ingress-use-waypoint"
Carried = Callable[[Way, Endpoint, Endpoint, PortSet], Way]


class Ambient:
    """The last stages of a way that ends at a pod without a sidecar."""

    def __init__(self, mesh: Mesh, carried: Carried) -> None:
        self.mesh = mesh
        self.carried = carried
        self.authorization = AuthorizationLayer(mesh)

    def entered(
        self,
        way: Way,
        gateway: GatewayProxy,
        called: tuple[Service | None, int | None],
        end: tuple[Bond, PortSet],
        token: Token,
    ) -> Way:
        """A way from a gateway, after whoever judges it; `called`: the Service and its port, `end`: pods and theirs."""
        service, number = called
        sender = self.mesh.bond(gateway.endpoint)
        waypoint = self.mesh.waypoints.of(service) if service is not None and _asks(service) else None
        if waypoint is None or service is None:
            return self._to_ztunnel(way, sender, end)
        way = self.carried(way, gateway.endpoint, waypoint.pods.endpoint, HBONE)
        chosen = [each for each in service.ports if each.port == number] or list(service.ports[:1])
        # The gateway's own identity; what it says of the client's address is not followed here.
        peer = Peer(sender.principal, gateway.pods.addresses or None, None, token, claims_remote=False)
        within = HttpSet.union(each.requests for each in way.open if each.requests is not None) or HttpSet.ALL
        for port in chosen:
            way = way.through(self.mesh.waypoints.judged(waypoint, service, port, peer, within))
        return self._to_ztunnel(way, self.mesh.bond(waypoint.pods.endpoint), end)

    def _to_ztunnel(self, way: Way, sender: Bond, end: tuple[Bond, PortSet]) -> Way:
        bond, ports = end
        way = self.carried(way, sender.pods.endpoint, bond.pods.endpoint, ports)
        identified = sender.hbone
        way = way.through(self._modes(bond, ports, identified=identified))
        peer = Peer(sender.principal if identified else None, sender.pods.addresses or None, claims_remote=False)
        return way.through(self.authorization.at_ztunnel(bond, peer, ports))

    def _modes(self, bond: Bond, ports: PortSet, *, identified: bool) -> Sequence[Opinion]:
        found = []
        for part, mode, resource in mode_parts(bond.modes, ports):
            by = (Because.of(MUTUAL_TLS, resource, mode),) if resource is not None else ()
            verdict = Verdict.ALLOWED if identified or mode != STRICT else Verdict.DENIED
            found.append(Opinion(MUTUAL_TLS, verdict, part, by))
        return found


def _asks(service: Service) -> bool:
    return service.resource.labels.get(INGRESS) == "true"

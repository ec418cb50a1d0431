"""AuthorizationPolicy as a layer: what the destination's proxy says of a peer, at a sidecar and at a gateway."""

from collections.abc import Iterable, Sequence

from partner_mesh.analysis.authentication import DISABLE
from partner_mesh.analysis.bound_policies import Bound
from partner_mesh.analysis.gateways import AUTO_PASSTHROUGH, GatewayProxy, Server
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.kinds import Alike, Kinds
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    Addresses,
    Endpoint,
    Opinion,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.mesh import Bond, MeshLayer
from partner_mesh.analysis.mesh_kinds import Called, Spoken
from partner_mesh.analysis.mutual_tls import mode_parts
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.waypoints import HBONE
from partner_mesh.model.record import replace


class AuthorizationLayer(MeshLayer):
    """AuthorizationPolicy at the destination's proxy."""

    name = AUTHORISATION

    def address_sets(self) -> Iterable[AddressSet]:
        """The blocks that rules name."""
        return self.mesh.authorizations.addresses if self.mesh.present else ()

    def kinds(self, universe: Universe) -> Kinds:
        """Sources by what the rules of a destination can tell, destinations by what binds them."""
        return Called(self.mesh, universe, Spoken(self.mesh, universe)) if self.mesh.present else Alike()

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the policies of the destination say of the source."""
        ports &= TCP
        if not ports or not self.mesh.present or not isinstance(destination, Workload):
            return ()
        bond = self.mesh.bond(destination)
        peer = self.mesh.peer(source)
        if isinstance(source, Workload) and self.mesh.towards(self.mesh.bond(source), bond)[0] not in (
            "",
            "ISTIO_MUTUAL",
        ):
            peer = replace(peer, principal=None)
        if bond.gateway is not None:
            return tuple(self._at_gateway(peer, source, bond, bond.gateway, ports))
        if bond.waypoint is not None:
            return tuple(self.mesh.waypoints.opinions(bond.waypoint, peer)) if ports & HBONE else ()
        if bond.ambient:
            return self.at_ztunnel(bond, peer, ports)
        return tuple(self.at_sidecar(bond, peer, ports))

    def at_ztunnel(self, bond: Bond, peer: Peer, ports: PortSet) -> Sequence[Opinion]:
        """What ztunnel says of a peer: it judges connections by the port asked for, as a sidecar does where it reads no
        HTTP (`handleRule`, istio pilot/pkg/serviceregistry/ambient/authorization.go). CUSTOM it does not know.
        """
        return self.mesh.authorizations.opinions(bond.bound, peer, ports, http=False, raw=True)

    def at_sidecar(
        self, bond: Bond, peer: Peer, ports: PortSet, *, bound: Bound | None = None, within: HttpSet = HttpSet.ALL
    ) -> Iterable[Opinion]:
        """What a sidecar's policies say of a peer; `bound` where not all of them, `within` where not all requests can
        matter.
        """
        ports -= bond.excluded
        if not bond.proxied or not ports:
            return
        if bond.extension is not None:
            yield Opinion(AUTHORISATION, Verdict.UNKNOWN, ports, (bond.extension,))
            return
        policies = bond.bound if bound is None else bound
        for part, mode, _ in mode_parts(bond.modes, ports):
            seen = replace(peer, principal=None) if mode == DISABLE else peer
            for ports_, http, raw in (
                (part & bond.raw_ports, False, True),
                (part & bond.http_ports, True, False),
                (part - bond.raw_ports - bond.http_ports, True, True),
            ):
                yield from self.mesh.authorizations.opinions(policies, seen, ports_, http=http, raw=raw, within=within)

    def _at_gateway(
        self, peer: Peer, source: Endpoint, bond: Bond, proxy: GatewayProxy, ports: PortSet
    ) -> Iterable[Opinion]:
        if bond.extension is not None:
            yield Opinion(AUTHORISATION, Verdict.UNKNOWN, ports, (bond.extension,))
            return
        trusted = self.mesh.trusted_proxies(bond.pods)
        for number in proxy.ports:
            part = PortSet.single("TCP", number) & ports
            servers = proxy.on(number)
            if not part or not servers or servers[0].tls == AUTO_PASSTHROUGH:
                continue  # of a connection that it only passes on a gateway asks no policy
            seen = gateway_peer(peer, servers[0], trusted, direct=isinstance(source, (Addresses, Partner)))
            yield from self.mesh.authorizations.opinions(bond.bound, seen, part, http=servers[0].is_http, raw=False)


def gateway_peer(peer: Peer, server: Server, trusted_proxies: int, *, direct: bool) -> Peer:
    """A peer as a gateway's listener sees it: a mesh identity only over ISTIO_MUTUAL, the client's address from the
    connection, or from X-Forwarded-For where proxies in front of it are believed.
    """
    remote = peer.addresses if direct and trusted_proxies == 0 else None
    if server.tls == "ISTIO_MUTUAL":
        return replace(peer, remote=remote)
    foreign = server.tls in ("MUTUAL", "OPTIONAL_MUTUAL")
    return replace(peer, principal=None, remote=remote, foreign_certificate=foreign)

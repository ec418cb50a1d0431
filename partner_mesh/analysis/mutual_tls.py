"""mTLS as a layer: what a proxy demands of whoever calls it."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final

from partner_mesh.analysis.authentication import DISABLE, STRICT, PeerModes
from partner_mesh.analysis.gateways import OWN_PORTS, GatewayProxy, Server, refusing
from partner_mesh.analysis.kinds import Alike, BothSides, Kinds
from partner_mesh.analysis.layers import MUTUAL_TLS, ROUTE, Because, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.mesh import Bond, MeshLayer
from partner_mesh.analysis.mesh_kinds import Called
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.waypoints import HBONE, Waypoint
from partner_mesh.model.record import replace

PLAINTEXT: Final = "plaintext"


class MutualTlsLayer(MeshLayer):
    """mTLS: STRICT refuses whoever has no mesh identity to show; a gateway's server asks for its own certificates."""

    name = MUTUAL_TLS

    def kinds(self, universe: Universe) -> Kinds:
        """Sources by whether they have an identity; destinations by what they ask for."""
        if not self.mesh.present:
            return Alike()
        return Called(self.mesh, universe, BothSides(universe, self.mesh.in_mesh, self._asks))

    def _asks(self, endpoint: Endpoint) -> Hashable:
        if not isinstance(endpoint, Workload):
            return None
        bond = self.mesh.bond(endpoint)
        gateway = id(bond.gateway) if bond.gateway is not None else 0
        way = bond.waypoint is not None
        return bond.proxied, bond.ambient, way, gateway, bond.modes.signature, bond.excluded

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the destination's proxy demands of the source."""
        ports &= TCP
        if not ports or not self.mesh.present or not isinstance(destination, Workload):
            return ()
        bond = self.mesh.bond(destination)
        if bond.gateway is not None:
            return tuple(self._at_gateway(source, bond.gateway, ports))
        if bond.waypoint is not None:
            return tuple(self._at_waypoint(source, bond.waypoint, ports & HBONE))
        if bond.ambient:  # ztunnel heeds the same modes; a sidecar's exclusions are nothing to it
            return tuple(self._at_sidecar(source, bond, ports))
        if not bond.proxied:
            return ()
        return tuple(self._at_sidecar(source, bond, ports - bond.excluded))

    def _at_waypoint(self, source: Endpoint, waypoint: Waypoint, ports: PortSet) -> Iterable[Opinion]:
        if ports and not self.mesh.in_mesh(source):
            reason = "HBONE is mutual TLS: a waypoint hears nobody without an identity of the mesh"
            because = (Because.of(MUTUAL_TLS, waypoint.pods.resource, reason),)
            yield Opinion(MUTUAL_TLS, Verdict.DENIED, ports, because)

    def _at_sidecar(self, source: Endpoint, bond: Bond, ports: PortSet) -> Iterable[Opinion]:
        identified = self.mesh.in_mesh(source)
        said = ""
        because: Because | None = None
        if isinstance(source, Workload):
            said, because = self.mesh.towards(self.mesh.bond(source), bond)
        plain = not identified or said not in ("", "ISTIO_MUTUAL")
        for part, mode, resource in mode_parts(bond.modes, ports):
            by = (Because.of(MUTUAL_TLS, resource, mode),) if resource is not None else ()
            if plain and mode == STRICT:
                refusal = (because,) if because is not None and identified else by
                yield Opinion(MUTUAL_TLS, Verdict.DENIED, part, tuple(each for each in refusal if each))
            elif plain or mode == DISABLE:
                shown = tuple(replace(each, reason=f"{mode}: {PLAINTEXT}") for each in by)
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, shown or (_DEFAULT_PLAIN,))
            else:
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, by)

    def _at_gateway(self, source: Endpoint, proxy: GatewayProxy, ports: PortSet) -> Iterable[Opinion]:
        left = ports - PortSet.union(PortSet.single("TCP", each) for each in OWN_PORTS)
        for number in proxy.ports:
            part = PortSet.single("TCP", number) & left
            if not part:
                continue
            left -= part
            servers = proxy.on(number)
            open_to = [each for each in servers if self._admits(source, each)]
            if open_to:
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, refusing(open_to, MUTUAL_TLS, "admits the client"))
            else:
                reason = "asks for a client certificate of its own CA"
                yield Opinion(MUTUAL_TLS, Verdict.DENIED, part, refusing(servers, MUTUAL_TLS, reason))
        if left:
            yield Opinion(ROUTE, Verdict.DENIED, left, (Because(ROUTE, "no Gateway server listens on this port"),))

    def _admits(self, source: Endpoint, server: Server) -> bool:
        if server.tls == "ISTIO_MUTUAL":
            return self.mesh.in_mesh(source)
        return server.tls != "MUTUAL"


_DEFAULT_PLAIN: Final = Because(MUTUAL_TLS, "no PeerAuthentication", reason=f"PERMISSIVE by default: {PLAINTEXT}")


def mode_parts(modes: PeerModes, ports: PortSet) -> Iterable[tuple[PortSet, str, Resource | None]]:
    """The ports by the mode in force on them."""
    rest = ports
    for number, mode, resource in modes.ports:
        part = PortSet.single("TCP", number) & rest
        if part:
            rest -= part
            yield part, mode, resource
    if rest:
        yield rest, modes.mode, modes.decided_by

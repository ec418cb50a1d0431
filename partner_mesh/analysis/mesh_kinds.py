"""What the mesh's layers tell apart beyond what each end is by itself."""

from partner_mesh.analysis.authorization import Authorizations
from partner_mesh.analysis.bound_policies import Bound
from partner_mesh.analysis.kinds import Grouped, Kinds, Parts
from partner_mesh.analysis.layers import Addresses, Partner, Workload
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.universe import Universe, union


class Called:
    """Kinds, with those destinations apart towards which DestinationRules change how one calls."""

    def __init__(self, mesh: Mesh, universe: Universe, inner: Kinds) -> None:
        self.mesh = mesh
        self.inner = inner
        self._bonds = [mesh.bond(each) if isinstance(each, Workload) else None for each in universe.endpoints]
        self._changing = mask_of(
            position for position, bond in enumerate(self._bonds) if bond is not None and mesh.changes_tls(bond)
        )

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        client = self._bonds[source]
        changing = mask & self._changing if client is not None else 0
        if rest := mask & ~changing:
            yield from self.inner.parts(source, rest)
        for position in positions(changing):
            server = self._bonds[position]
            said = self.mesh.towards(client, server) if client is not None and server is not None else None
            for key, member in self.inner.parts(source, 1 << position):
                yield (key, said), member


class Spoken:
    """Sources by what patterns say of them; those that a destination's policies speak of by name are told apart there.

    To all the other destinations, callers whom they do not mention are one kind.
    """

    def __init__(self, mesh: Mesh, universe: Universe) -> None:
        self.known: Authorizations = mesh.authorizations
        endpoints = universe.endpoints
        self._peers: list[Peer] = [mesh.peer(each) for each in endpoints]
        # A gateway takes the address of whoever comes straight from outside for the client's.
        self._direct = [isinstance(each, Addresses | Partner) for each in endpoints]
        self._sources = [self.known.unmentioned(each) for each in self._peers]
        self._bounds = [_judging(mesh, each) if isinstance(each, Workload) else None for each in endpoints]
        self._destinations = Grouped(
            mesh.bond(each).signature if isinstance(each, Workload) else None for each in endpoints
        )
        self._speaking: dict[tuple[str, str], Mask] = {}
        self._addresses: Mask = 0
        for members in self._destinations.masks:
            bound = self._bounds[(members & -members).bit_length() - 1]
            if bound is not None:
                mentions = self.known.mentions(bound)
                for each in mentions.names:
                    self._speaking[each] = self._speaking.get(each, 0) | members
                if mentions.addresses:
                    self._addresses |= members

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        peer, direct = self._peers[source], self._direct[source]
        said = mask & union(self._speaking.get(each, 0) for each in self.known.names(peer))
        if peer.addresses is not None or peer.remote is not None:
            said |= mask & self._addresses
        if rest := mask & ~said:
            kind = self._sources[source]
            for number, members in self._destinations.split(rest):
                yield (number, direct, kind), members
        if said:
            for number, members in self._destinations.split(said):
                bound = self._bounds[(members & -members).bit_length() - 1]
                if bound is not None:
                    yield (number, direct, None, self.known.told_apart(bound, peer)), members


def _judging(mesh: Mesh, workload: Workload) -> Bound:
    """The policies that say whom a workload hears: its own, or those of the Services that it judges for."""
    bond = mesh.bond(workload)
    return bond.bound if bond.waypoint is None else mesh.waypoints.judging(bond.waypoint)

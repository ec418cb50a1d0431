"""What a further network lets through, beside the pods' own: NetworkPolicies and the mesh do not judge it.

A connection that the pods' own network refuses comes about all the same where both ends share another network and that
one's MultiNetworkPolicies let it (k8s.cni.cncf.io; the form of NetworkPolicy, with the annotation `policy-for`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from partner_mesh.analysis import network_policy
from partner_mesh.analysis.attachments import GROUP, Network, further_networks
from partner_mesh.analysis.layers import FURTHER_NETWORK, Addresses, Because, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.policies import FREE, Evaluator, Piece, Pieces, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.results import Decision, Decisions, Row
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.model.record import replace

POLICY_FOR: Final = "k8s.v1.cni.cncf.io/policy-for"
_OUTSIDE: Final = Addresses(AddressSet.ALL)
_BEYOND: Final = "leads out of the cluster: who else is on it is not among the objects"
_SIDECAR: Final = "what a sidecar does with a further network is not modelled"


class FurtherNetworks:
    """All further networks of a world, over the positions of one universe."""

    def __init__(self, universe: Universe, in_mesh: Callable[[Endpoint], bool]) -> None:
        self.universe = universe
        self.notes: list[Note] = []
        self.networks = [
            _Judged(network, universe.world, in_mesh, self.notes)
            for network in further_networks(universe.world, self.notes)
        ]
        self._shared: dict[int, Mask] = {}
        for judged in self.networks:
            members = mask_of(universe.position[each] for each in judged.network.members)
            beyond = universe.outside if judged.network.leads_out else 0
            for position in positions(members | beyond):
                met = members | beyond if members >> position & 1 else members
                self._shared[position] = self._shared.get(position, 0) | (met & ~(1 << position))

    def widened(self, source: int, row: Row, ports: PortSet) -> Row:
        """A row of the table with what further networks let through."""
        shared = self._shared.get(source, 0)
        if not shared:
            return row
        found: dict[Decisions, Mask] = {}
        for mask, decisions in row:
            if rest := mask & ~shared:
                found[decisions] = found.get(decisions, 0) | rest
            for destination in positions(mask & shared):
                after = joined(decisions, self.opinions(source, destination, ports))
                found[after] = found.get(after, 0) | 1 << destination
        return tuple((mask, decisions) for decisions, mask in found.items())

    def opinions(self, source: int, destination: int, ports: PortSet) -> list[Opinion]:
        """What each network that both are on says; empty where there is none."""
        ends = self.universe.endpoints[source], self.universe.endpoints[destination]
        return [opinion for each in self.networks for opinion in each.opinions(*ends, ports)]


def joined(decisions: Decisions, opinions: Sequence[Opinion]) -> Decisions:
    """What holds where one way that is open is enough."""
    for opinion in sorted(opinions, key=lambda each: each.verdict is Verdict.UNKNOWN):
        if opinion.verdict is Verdict.DENIED:
            continue
        kept: list[Decision] = []
        taken = PortSet.NONE
        for each in decisions:
            better = each.verdict is Verdict.DENIED or (
                opinion.verdict is Verdict.ALLOWED and (each.verdict is Verdict.UNKNOWN or each.http is not None)
            )
            both = each.ports & opinion.ports if better else PortSet.NONE
            taken |= both
            if rest := each.ports - both:
                kept.append(replace(each, ports=rest))
        decisions = (*kept, Decision(opinion.verdict, taken, opinion.because)) if taken else decisions
    return decisions


class _Judged:
    """One network with its policies."""

    def __init__(self, network: Network, world: World, in_mesh: Callable[[Endpoint], bool], notes: list[Note]) -> None:
        self.network = network
        self.in_mesh = in_mesh
        self.members = _Members(world, network)
        written = [each for each in world.of(GROUP, "MultiNetworkPolicy") if _is_for(each, network)]
        policies = network_policy.policies(self.members, notes, written)
        self.evaluator = Evaluator([Tier(network.title, 0.0, tuple(policies))] if policies else [], self.members)
        if network.leads_out:
            source = network.resource.source if network.resource is not None else None
            if source is not None:
                notes.append(Note(source, f"{network.title} {_BEYOND}"))

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Iterator[Opinion]:
        """Nothing where one of the two is not on the network."""
        ends = [self._position(source), self._position(destination)]
        if None in ends or ends[0] == ends[1]:
            return
        here, there = int(ends[0] or 0), int(ends[1] or 0)
        out, inward = FREE, FREE
        if isinstance(source, Workload):
            out = self.evaluator.table(here, "egress").of(there)
        if isinstance(destination, Workload):
            inward = self.evaluator.table(there, "ingress").of(here)
        reason = ""
        if not isinstance(source, Workload) or not isinstance(destination, Workload):
            reason = _BEYOND
        elif self.in_mesh(source) or self.in_mesh(destination):
            reason = _SIDECAR
        yield from self._said(out, inward, ports, reason)

    def _position(self, endpoint: Endpoint) -> int | None:
        if isinstance(endpoint, Addresses):
            return self.members.position[_OUTSIDE] if self.network.leads_out else None
        return self.members.position.get(endpoint)

    def _said(self, out: Pieces, inward: Pieces, ports: PortSet, reason: str) -> Iterator[Opinion]:
        """Both ends' policies; with a reason for doubt, what they let pass is unknown."""
        for first in out:
            for second in inward if first.verdict is not Verdict.DENIED else (Piece(PortSet.ALL, Verdict.ALLOWED),):
                both = first.ports & second.ports & ports
                if not both:
                    continue
                verdicts = (first.verdict, second.verdict)
                verdict = next((v for v in (Verdict.DENIED, Verdict.UNKNOWN) if v in verdicts), Verdict.ALLOWED)
                why = tuple(replace(each, layer=FURTHER_NETWORK) for each in (*first.because, *second.because))
                own = self._because(reason if verdict is Verdict.ALLOWED else "")
                if verdict is Verdict.ALLOWED and reason:
                    verdict = Verdict.UNKNOWN
                yield Opinion(FURTHER_NETWORK, verdict, both, why if verdict is Verdict.DENIED else (own, *why))

    def _because(self, reason: str) -> Because:
        if self.network.resource is None:
            return Because(FURTHER_NETWORK, f"NetworkAttachmentDefinition {self.network.title}", None, reason)
        return Because.of(FURTHER_NETWORK, self.network.resource, reason)


class _Members(Universe):
    """The workloads on one network and, as one, whatever else may be on it. Addresses are those on this network."""

    def __init__(self, world: World, network: Network) -> None:
        super().__init__(world, [*network.members, _OUTSIDE])
        self._known = [*network.members.values(), AddressSet.NONE]

    def inside(self, addresses: AddressSet) -> Mask:
        """Members whose address is known and lies inside."""
        found = (i for i, own in enumerate(self._known) if own and own <= addresses)
        return mask_of(found) | (self.outside if addresses == AddressSet.ALL else 0)

    def perhaps_inside(self, addresses: AddressSet) -> Mask:
        """Members of unknown address, and the rest of the world."""
        return mask_of(i for i, own in enumerate(self._known) if not own or own & addresses) & ~self.inside(addresses)


def _is_for(policy: Resource, network: Network) -> bool:
    """Whether a MultiNetworkPolicy is for a network: it names attachment definitions, by default of its namespace."""
    for part in policy.annotations.get(POLICY_FOR, "").split(","):
        home, slash, name = part.strip().partition("/")
        if ((home, name) if slash else (policy.namespace, part.strip())) in network.names:
            return True
    return False

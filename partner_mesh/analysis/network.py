"""The network layer: NetworkPolicies of Kubernetes and Calico, and admin policies, judged together.

They are one layer because one engine enforces them and their order matters. A connection must be let out by the
source's policies and in by the destination's. Evaluation is by workload and direction, never by pair: each table says
of all peers at once, as masks, what is decided, and a row joins one source's table with the destinations' tables.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from partner_mesh.analysis import admin_policy, calico, network_policy, unmodelled
from partner_mesh.analysis.layers import (
    NETWORK_POLICY,
    Addresses,
    Because,
    Endpoint,
    Opinion,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.policies import FREE, Evaluator, Piece, Pieces, Table, Tier, joined
from partner_mesh.analysis.resources import Note
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe, union
from partner_mesh.model.record import dataclass, replace

NO_POLICY: Final = Because(NETWORK_POLICY, "no policy selects either end")
_SOME_ADDRESSES: Final = "the answer depends on which of its addresses calls"

Groups = tuple[tuple[Mask, tuple[Opinion, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What is said of every destination, for one source: masks that part all endpoints.

    `usual` is shared by sources whose own policies are alike; it does not count for the destinations in `except_for`,
    whose policies single this source out: those are in `special`.
    """

    usual: Groups
    except_for: Mask = 0
    special: Groups = ()

    def groups(self) -> Iterator[tuple[Mask, tuple[Opinion, ...]]]:
        """All of it in one list."""
        for mask, opinions in self.usual:
            if kept := mask & ~self.except_for:
                yield kept, opinions
        yield from self.special


class NetworkLayer:
    """All network policies of a world. `bind` numbers the endpoints; then every question is a look-up."""

    name = NETWORK_POLICY

    def __init__(self, world: World) -> None:
        self.world = world
        self.notes: list[Note] = []
        self._bound: _Bound | None = None

    def endpoints(self) -> Sequence[Endpoint]:
        """No callers of its own."""
        return ()

    def address_sets(self) -> Iterator[AddressSet]:
        """The blocks, nets and network sets that policies name."""
        yield from network_policy.address_sets(self.world)
        yield from calico.address_sets(self.world)
        yield from admin_policy.address_sets(self.world)

    def bind(self, universe: Universe) -> None:
        """Read the policies for these endpoints; whoever asks `row` or `opinions` afterwards means their positions."""
        self.notes.clear()
        self._bound = _Bound(universe, self._tiers(universe))

    def _tiers(self, universe: Universe) -> list[Tier]:
        tiers = [
            *calico.tiers(universe, network_policy.policies(universe, self.notes), self.notes),
            *admin_policy.tiers(universe, self.notes),
            *unmodelled.tiers(universe, self.notes),
        ]
        selected = union(policy.subjects for tier in tiers for policy in tier.policies)
        for position in positions(selected):
            pods = universe.pods[position]
            if pods is not None and pods.host_network:
                text = "is on its node's network, where plugins differ in whether policies hold: here they are taken to"
                self.notes.append(Note(pods.resource.source, f"{pods.resource.title} {text}"))
        return sorted(tiers, key=lambda tier: (tier.order, tier.name))

    def row(self, source: int) -> Row:
        """What is said of every destination, for the source at a position: masks that part all endpoints."""
        return self._now().row(source)

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What is said of one pair; either end may also be addresses that are no single part of the outside."""
        bound = self._now()
        pairs = (bound.pair(one, other) for one in bound.ends(source) for other in bound.ends(destination))
        first, *others = {id(opinions): opinions for opinions in pairs}.values()
        answer: tuple[Opinion, ...] = first
        for each in others:
            answer = _agreed(answer, each) if each != answer else answer
        return [replace(each, ports=both) for each in answer if (both := each.ports & ports)]

    def _now(self) -> "_Bound":
        if self._bound is None:
            raise RuntimeError("bind the layer to a universe before asking it")
        return self._bound


class _Bound:
    """The layer over one numbering of endpoints."""

    def __init__(self, universe: Universe, tiers: Sequence[Tier]) -> None:
        self.universe = universe
        self.evaluator = Evaluator(tiers, universe)
        # Source → destination → what the destination's policies say of it, where that is not what they usually say.
        self._special: dict[int, dict[int, Pieces]] = {}
        self._usual: dict[int, Pieces] = {}  # destination → what its policies say of most sources
        self._usual_rows: dict[object, Groups] = {}
        self._plain: dict[int, Row] = {}
        self._rows: dict[object, Row] = {}
        self._joined: dict[tuple[int, int], tuple[Opinion, ...]] = {}
        self._ends: dict[Endpoint, list[int]] = {}
        self._kept: list[Pieces] = []  # keeps alive what `_joined` knows by identity
        usual: dict[int, list[int]] = {}
        pieces: dict[int, Pieces] = {}
        for destination in positions(universe.workloads):
            most = self._read(destination, self.evaluator.table(destination, "ingress"))
            usual.setdefault(id(most), []).append(destination)
            pieces[id(most)] = most
        # What most sources get, with the destinations where they get it.
        self._members = [(pieces[identity], mask_of(members)) for identity, members in usual.items()]

    def _read(self, destination: int, table: Table) -> Pieces:
        most = max(table.groups, key=lambda group: group[0].bit_count())
        self._usual[destination] = most[1]
        for group in table.groups:
            if group is not most:
                for source in positions(group[0]):
                    self._special.setdefault(source, {})[destination] = group[1]
        return most[1]

    def row(self, source: int) -> Row:
        endpoint = self.universe.endpoints[source]
        if isinstance(endpoint, Partner):
            if endpoint not in self._rows:
                self._rows[endpoint] = self._partner_row(endpoint)
            return self._rows[endpoint]
        if isinstance(endpoint, Workload):
            outward = self.evaluator.table(source, "egress").groups
        else:
            outward = ((self.universe.everybody, FREE),)
        usual = self._usual_row(outward)
        special = self._special.get(source)
        if not special:
            return self._plain.setdefault(id(usual), Row(usual))
        key = (id(usual), tuple((destination, id(pieces)) for destination, pieces in special.items()))
        if key not in self._rows:
            self._rows[key] = self._singled_out(usual, outward, special)
        return self._rows[key]

    def pair(self, source: int, destination: int) -> tuple[Opinion, ...]:
        """What is said of one pair of positions."""
        out, inward = FREE, FREE
        if isinstance(self.universe.endpoints[source], Workload):
            out = self.evaluator.table(source, "egress").of(destination)
        if isinstance(self.universe.endpoints[destination], Workload):
            inward = self._special.get(source, {}).get(destination) or self._usual[destination]
        return self._join(out, inward)

    def _usual_row(self, outward: tuple[tuple[Mask, Pieces], ...]) -> Groups:
        """What a source gets of destinations that do not single it out, from its own tables."""
        key = tuple((mask, id(pieces)) for mask, pieces in outward)
        if key in self._usual_rows:
            return self._usual_rows[key]
        # By identity: `_join` gives one object for one answer, and comparing answers would cost more than all the rest.
        found: dict[int, tuple[Opinion, ...]] = {}
        masks: dict[int, Mask] = {}

        def add(answer: tuple[Opinion, ...], mask: Mask) -> None:
            found[id(answer)] = answer
            masks[id(answer)] = masks.get(id(answer), 0) | mask

        for mask, out in outward:
            if out[0].ports == PortSet.ALL and out[0].verdict is Verdict.DENIED:
                add(self._join(out, FREE), mask)
                continue
            if beyond := mask & ~self.universe.workloads:
                add(self._join(out, FREE), beyond)
            inside = mask & self.universe.workloads
            if inside.bit_count() < len(self._members):
                for destination in positions(inside):
                    add(self._join(out, self._usual[destination]), 1 << destination)
                continue
            for inward, members in self._members:
                if both := members & inside:
                    add(self._join(out, inward), both)
        self._usual_rows[key] = tuple((mask, found[identity]) for identity, mask in masks.items())
        return self._usual_rows[key]

    def _singled_out(self, usual: Groups, outward: tuple[tuple[Mask, Pieces], ...], special: dict[int, Pieces]) -> Row:
        found: list[tuple[Mask, tuple[Opinion, ...]]] = []
        for destination, inward in special.items():
            out = next(pieces for mask, pieces in outward if mask >> destination & 1)
            found.append((1 << destination, self._join(out, inward)))
        return Row(usual, mask_of(special), tuple(found))

    def _join(self, out: Pieces, inward: Pieces) -> tuple[Opinion, ...]:
        """Both ends must agree: the source's refusal comes first, as it does on the wire."""
        key = (id(out), id(inward))
        if key not in self._joined:
            self._kept += [out, inward]
            self._joined[key] = tuple(_opinion(piece) for piece in joined(_both(out, inward)))
        return self._joined[key]

    def _partner_row(self, partner: Partner) -> Row:
        """What holds for every address that the partner calls from."""
        groups: list[tuple[Mask, tuple[Opinion, ...]]] = [(self.universe.everybody, ())]
        parts = {id(row): row for row in (self.row(end) for end in self.ends(partner))}
        for row in parts.values():
            groups = [
                (both, _agreed(known, opinions) if known else opinions)
                for mask, known in groups
                for other, opinions in row.groups()
                if (both := mask & other)
            ]
        return Row(tuple(group for group in groups if group[1]))

    def ends(self, endpoint: Endpoint) -> list[int]:
        """The positions that an endpoint is made of."""
        if isinstance(endpoint, Addresses | Partner) and endpoint not in self._ends:
            self._ends[endpoint] = [position for position, _ in self.universe.touching(endpoint.addresses)]
        return self._ends.get(endpoint) or [self.universe.position[endpoint]]


def _both(out: Pieces, inward: Pieces) -> Iterator[Piece]:
    for first in out:
        if first.verdict is Verdict.DENIED:
            yield first
            continue
        for second in inward:
            ports = first.ports & second.ports
            if not ports:
                continue
            if second.verdict is Verdict.DENIED or (
                first.verdict is Verdict.ALLOWED and second.verdict is Verdict.UNKNOWN
            ):
                yield Piece(ports, second.verdict, second.because)
            elif first.verdict is Verdict.UNKNOWN:
                yield Piece(ports, first.verdict, first.because)
            else:
                yield Piece(ports, Verdict.ALLOWED, (*first.because, *second.because))


def _opinion(piece: Piece) -> Opinion:
    return Opinion(NETWORK_POLICY, piece.verdict, piece.ports, piece.because or (NO_POLICY,))


def _agreed(left: tuple[Opinion, ...], right: tuple[Opinion, ...]) -> tuple[Opinion, ...]:
    """One answer for two callers: where they differ nothing can be said of both."""
    found: list[Piece] = []
    for one in left:
        for other in right:
            ports = one.ports & other.ports
            if ports and one.verdict is other.verdict:
                found.append(Piece(ports, one.verdict, one.because))
            elif ports:
                because = tuple(
                    Because(each.layer, each.object, each.resource, _SOME_ADDRESSES, each.path)
                    for each in (*one.because, *other.because)
                )
                found.append(Piece(ports, Verdict.UNKNOWN, because))
    return tuple(_opinion(piece) for piece in joined(found))

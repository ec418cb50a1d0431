"""Who can talk to whom: the layers of the data plane asked in turn, and their opinions combined.

A refusal decides at once and needs no second opinion; a layer that cannot tell makes the answer `unknown` unless a
later one refuses; what every layer lets pass is allowed. The network layer is asked first, source by source over all
destinations at once; only what it leaves open is put to the layers that look closer, once for each kind of pair.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from partner_mesh.analysis.authorization_layer import AuthorizationLayer
from partner_mesh.analysis.egress_registry import RegistryLayer
from partner_mesh.analysis.further_networks import FurtherNetworks
from partner_mesh.analysis.ingress import IngressLayer
from partner_mesh.analysis.layers import (
    Addresses,
    Because,
    Endpoint,
    HttpSet,
    Layer,
    Opinion,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.mutual_tls import MutualTlsLayer
from partner_mesh.analysis.network import Groups, NetworkLayer
from partner_mesh.analysis.primary_network import PrimaryNetworkLayer
from partner_mesh.analysis.resources import Loaded, Note
from partner_mesh.analysis.results import Decision, Decisions, Results, Row
from partner_mesh.analysis.security_groups import SecurityGroupLayer
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.sets import AddressSet, PortSet, atoms
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe


@dataclass(frozen=True, slots=True)
class _Open:
    """What no layer has refused so far."""

    ports: PortSet
    http: HttpSet | None
    passed: tuple[Because, ...]
    unknown: tuple[Because, ...] = ()

    def close(self) -> Decision:
        """The verdict when every layer has been asked."""
        if self.unknown:
            return Decision(Verdict.UNKNOWN, self.ports, self.unknown, self.http)
        return Decision(Verdict.ALLOWED, self.ports, self.passed, self.http)


@dataclass(frozen=True, slots=True)
class _State:
    """A pair half way through the layers."""

    refused: Decisions
    left: tuple[_Open, ...]


_ALL_OPEN = _State((), (_Open(PortSet.ALL, None, ()),))


def asked(state: _State, opinions: Sequence[Opinion]) -> _State:
    """A pair after one more layer. Ports of which the layer says nothing stay as they are."""
    if not opinions:
        return state
    refused = list(state.refused)
    left: list[_Open] = []
    for each in state.left:
        silent = each.ports
        for opinion in opinions:
            ports = each.ports & opinion.ports
            if not ports:
                continue
            silent -= ports
            http = _http(each.http, opinion.http)
            if http is not None and not http:
                continue
            if opinion.verdict is Verdict.DENIED:
                refused.append(Decision(Verdict.DENIED, ports, opinion.because, http))
            elif opinion.verdict is Verdict.UNKNOWN:
                left.append(_Open(ports, http, each.passed, each.unknown or opinion.because))
            else:
                left.append(_Open(ports, http, (*each.passed, *opinion.because), each.unknown))
        if silent:
            left.append(replace(each, ports=silent))
    return _State(tuple(refused), tuple(left))


def _http(left: HttpSet | None, right: HttpSet | None) -> HttpSet | None:
    if left is None or right is None:
        return left if right is None else right
    both: HttpSet = left & right
    return both


def decided(state: _State) -> Decisions:
    """The decisions of a pair: refusals, then what is unknown or allowed."""
    return (*state.refused, *(each.close() for each in state.left))


class Reach:
    """All questions about one world. Layers after the network layer are asked in the order given."""

    def __init__(self, world: World, layers: Sequence[Layer] = ()) -> None:
        self.world = world
        self.network = NetworkLayer(world)
        self.layers: tuple[Layer, ...] = tuple(layers)
        self.universe = Universe(world, self._endpoints())
        self.network.bind(self.universe)
        self.further = FurtherNetworks(self.universe, self._in_mesh)
        self._answers: dict[tuple[int, int, int, PortSet], Sequence[Opinion]] = {}
        # By identity; the values hold what the keys mean, so that no identity is used twice.
        self._states: dict[int, _State] = {}
        self._shared: dict[tuple[int, PortSet], tuple[list[tuple[Mask, Decisions]], list[tuple[Mask, _State]]]] = {}
        self._decisions: dict[tuple[int, PortSet], tuple[_State, Decisions]] = {}
        self._further: dict[tuple[int, int], tuple[_State, Sequence[Opinion], _State]] = {}
        self._kinds = [self._numbered(layer) for layer in self.layers]
        self._alike = [len(set(kinds)) == 1 for kinds in self._kinds]

    @classmethod
    def of(cls, loaded: Loaded) -> "Reach":
        """With every layer there is."""
        world = World(loaded)
        return cls(world, layers_of(world))

    def _endpoints(self) -> list[Endpoint]:
        """Workloads, the parts of the outside that some layer tells apart, then the layers' own callers."""
        own = list(dict.fromkeys(each for layer in self.layers for each in layer.endpoints()))
        named = [each for layer in (self.network, *self.layers) for each in layer.address_sets()]
        named += [each.addresses for each in own if isinstance(each, Partner)]
        outside = [part for family in (AddressSet.V4, AddressSet.V6) for part in atoms(named, family)]
        return [*self.world.workloads, *map(Addresses, outside), *own]

    def _numbered(self, layer: Layer) -> list[int]:
        """For each endpoint the number of its kind: those of one kind get the same opinions of this layer."""
        numbers: dict[object, int] = {}
        return [numbers.setdefault(layer.distinguishes(each), len(numbers)) for each in self.universe.endpoints]

    def _in_mesh(self, endpoint: Endpoint) -> bool:
        meshes = [each.mesh for each in self.layers if isinstance(each, RegistryLayer)]
        return any(mesh.present and mesh.in_mesh(endpoint) for mesh in meshes)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a person should know of the input."""
        further = (note for layer in self.layers if isinstance(layer, PrimaryNetworkLayer) for note in layer.notes)
        return (*self.world.notes, *self.network.notes, *self.further.notes, *further)

    def results(
        self,
        sources: Iterable[Endpoint] | None = None,
        destinations: Iterable[Endpoint] | None = None,
        ports: PortSet = PortSet.ALL,
    ) -> Results:
        """The table; of some sources, destinations and ports where they are given.

        Two different workloads, a workload and the outside: both ways. Never the outside with itself.
        """
        universe = self.universe
        asked_for = range(len(universe.endpoints)) if sources is None else [universe.position[s] for s in sources]
        wanted = universe.everybody if destinations is None else mask_of(universe.position[d] for d in destinations)
        kept: list[int] = []
        rows: list[Row] = []
        for source in asked_for:
            row = self.further.widened(source, self._row(source, wanted & self._callable(source), ports), ports)
            if row:
                kept.append(source)
                rows.append(row)
        return Results(universe.endpoints, tuple(kept), tuple(rows), self.notes)

    def _callable(self, source: int) -> Mask:
        """Whom a source may ask for: an outsider only workloads, a workload everybody else but callers."""
        if not isinstance(self.universe.endpoints[source], Workload):
            return self.universe.workloads
        return (self.universe.workloads | self.universe.outside) & ~(1 << source)

    def _row(self, source: int, wanted: Mask, ports: PortSet) -> Row:
        row = self.network.row(source)
        closed, still_open = self._usual(row.usual, ports)
        kept = wanted & ~row.except_for
        found = [(both, decisions) for mask, decisions in closed if (both := mask & kept)]
        begun = [(both, state) for mask, state in still_open if (both := mask & kept)]
        begun += [(both, self._begun(opinions)) for mask, opinions in row.special if (both := mask & wanted)]
        masks: dict[int, Mask] = {}  # decisions, by identity: they are made once for each kind of answer
        meaning: dict[int, Decisions] = {}
        for group, state in begun:
            for part, after in self._closer(source, group, state):
                decisions = self._decided(after, ports)
                meaning[id(decisions)] = decisions
                masks[id(decisions)] = masks.get(id(decisions), 0) | part
        found += [(mask, meaning[each]) for each, mask in masks.items() if meaning[each]]
        return tuple(found)

    def _usual(self, groups: Groups, ports: PortSet) -> tuple[list[tuple[Mask, Decisions]], list[tuple[Mask, _State]]]:
        """What the network layer usually says, decided where it refuses everything, and what it leaves open."""
        key = (id(groups), ports)
        if key not in self._shared:
            closed: list[tuple[Mask, Decisions]] = []
            still_open: list[tuple[Mask, _State]] = []
            for mask, opinions in groups:
                state = self._begun(opinions)
                if state.left:
                    still_open.append((mask, state))
                elif decisions := self._decided(state, ports):
                    closed.append((mask, decisions))
            self._shared[key] = closed, still_open
        return self._shared[key]

    def _begun(self, opinions: tuple[Opinion, ...]) -> _State:
        """A pair after the network layer; the layer itself keeps `opinions` alive."""
        known = self._states.get(id(opinions))
        if known is None:
            known = self._states[id(opinions)] = asked(_ALL_OPEN, opinions)
        return known

    def _decided(self, state: _State, ports: PortSet) -> Decisions:
        key = (id(state), ports)
        if key not in self._decisions:
            whole = decided(state)
            self._decisions[key] = state, whole if ports == PortSet.ALL else tuple(_narrowed(whole, ports))
        return self._decisions[key][1]

    def _asked(self, before: _State, opinions: Sequence[Opinion]) -> _State:
        """`asked`, once for each state and answer."""
        key = (id(before), id(opinions))
        if key not in self._further:
            self._further[key] = before, opinions, asked(before, opinions)
        return self._further[key][2]

    def _closer(self, source: int, group: Mask, state: _State) -> Iterator[tuple[Mask, _State]]:
        """The group parted by what the other layers say, each layer asked once for each kind of destination."""
        parts = [(group, state)]
        for number, layer in enumerate(self.layers):
            after: list[tuple[Mask, _State]] = []
            for mask, before in parts:
                if not before.left:
                    after.append((mask, before))
                    continue
                for kind, members in self._parted(number, mask):
                    key = (number, self._kinds[number][source], kind, PortSet.union(each.ports for each in before.left))
                    if key not in self._answers:
                        endpoints, first = self.universe.endpoints, (members & -members).bit_length() - 1
                        self._answers[key] = tuple(layer.opinions(endpoints[source], endpoints[first], key[3]))
                    opinions = self._answers[key]
                    after.append((members, self._asked(before, opinions)))
            parts = after
        yield from parts

    def _parted(self, number: int, mask: Mask) -> Iterator[tuple[int, Mask]]:
        if self._alike[number]:
            yield 0, mask
            return
        kinds: dict[int, list[int]] = {}
        for position in positions(mask):
            kinds.setdefault(self._kinds[number][position], []).append(position)
        for kind, members in kinds.items():
            yield kind, mask_of(members)


def _narrowed(decisions: Decisions, ports: PortSet) -> Iterator[Decision]:
    for each in decisions:
        if both := each.ports & ports:
            yield replace(each, ports=both)


def layers_of(world: World) -> list[Layer]:
    """The layers after the network layer, in the order in which they are asked."""
    return [IngressLayer(world), PrimaryNetworkLayer(world), SecurityGroupLayer(world), *mesh_layers(Mesh(world))]


def mesh_layers(mesh: Mesh) -> list[Layer]:
    """The mesh's layers, in the order in which they are asked."""
    return [RegistryLayer(mesh), MutualTlsLayer(mesh), AuthorizationLayer(mesh)]

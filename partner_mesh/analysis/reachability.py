"""Who can talk to whom: the layers of the data plane asked in turn, and their opinions combined.

A refusal decides at once and needs no second opinion; a layer that cannot tell makes the answer `unknown` unless a
later one refuses; what every layer lets pass is allowed. The network layer is asked first, source by source over all
destinations at once; only what it leaves open is put to the layers that look closer, once for each kind of pair.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property

from partner_mesh.analysis.authorization_layer import AuthorizationLayer
from partner_mesh.analysis.egress_registry import RegistryLayer
from partner_mesh.analysis.further_networks import FurtherNetworks
from partner_mesh.analysis.ingress import IngressLayer
from partner_mesh.analysis.kinds import Alike
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
from partner_mesh.analysis.tunnels import TunnelledGroups, TunnelledNetwork, Tunnels
from partner_mesh.analysis.universe import Universe, union
from partner_mesh.model.record import dataclass, replace


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


class _Usual:
    """What the network layer usually says: refused for good, and still open."""

    def __init__(self, closed: list[tuple[Mask, Decisions]], still_open: list[tuple[Mask, _State]]) -> None:
        self.open = still_open
        self._closed = closed
        self._all = union(mask for mask, _ in closed)

    @cached_property
    def _where(self) -> dict[int, int]:
        """Position → the closed group that it is in."""
        return {each: number for number, (mask, _) in enumerate(self._closed) for each in positions(mask)}

    def closed(self, kept: Mask) -> list[tuple[Mask, Decisions]]:
        """The refusals of some destinations. Where only a few are left out, all other groups are shared as they are."""
        gone = self._all & ~kept
        if gone.bit_count() * 4 > len(self._closed):
            return [(both, decisions) for mask, decisions in self._closed if (both := mask & kept)]
        found = list(self._closed)
        for number in sorted({self._where[each] for each in positions(gone)}, reverse=True):
            mask, decisions = found[number]
            if both := mask & kept:
                found[number] = both, decisions
            else:
                del found[number]
        return found


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
            left.append(_Open(silent, each.http, each.passed, each.unknown))
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

    def __init__(self, world: World, layers: Sequence[Layer] = (), network: NetworkLayer | None = None) -> None:
        self.world = world
        self.network = network if network is not None else NetworkLayer(world)
        self.layers: tuple[Layer, ...] = tuple(layers)
        self.universe = Universe(world, self._endpoints())
        self.network.bind(self.universe)
        self.further = FurtherNetworks(self.universe, self._in_mesh)
        self._answers: dict[tuple[int, Hashable, int], Sequence[Opinion]] = {}
        self._open_ports: dict[int, tuple[_State, PortSet, int]] = {}
        self._numbers: dict[PortSet, int] = {}
        # By identity; the values hold what the keys mean, so that no identity is used twice.
        self._states: dict[int, _State] = {}
        self._shared: dict[tuple[int, PortSet], _Usual] = {}
        self._decisions: dict[tuple[int, PortSet], tuple[_State, Decisions]] = {}
        self._further: dict[tuple[int, int], tuple[_State, Sequence[Opinion], _State]] = {}
        kinds = [(layer, layer.kinds(self.universe)) for layer in self.layers]
        self._closer_layers = [(layer, each) for layer, each in kinds if not isinstance(each, Alike)]

    @classmethod
    def of(cls, loaded: Loaded) -> "Reach":
        """With every layer there is."""
        world = World(loaded)
        mesh = Mesh(world)
        tunnels = Tunnels(mesh)
        groups: Layer = TunnelledGroups(world, tunnels) if tunnels.there_are else SecurityGroupLayer(world)
        layers: list[Layer] = [IngressLayer(world), PrimaryNetworkLayer(world), groups, *mesh_layers(mesh)]
        return cls(world, layers, TunnelledNetwork(world, tunnels) if tunnels.there_are else None)

    def _endpoints(self) -> list[Endpoint]:
        """Workloads, the parts of the outside that some layer tells apart, then the layers' own callers."""
        own = list(dict.fromkeys(each for layer in self.layers for each in layer.endpoints()))
        named = [*self.network.address_sets(), *(each for layer in self.layers for each in layer.address_sets())]
        named += [each.addresses for each in own if isinstance(each, Partner)]
        outside = [part for family in (AddressSet.V4, AddressSet.V6) for part in atoms(named, family)]
        return [*self.world.workloads, *map(Addresses, outside), *own]

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
        usual = self._usual(row.usual, ports)
        kept = wanted & ~row.except_for
        found = usual.closed(kept)
        begun = [(both, state) for mask, state in usual.open if (both := mask & kept)]
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

    def _usual(self, groups: Groups, ports: PortSet) -> "_Usual":
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
            self._shared[key] = _Usual(closed, still_open)
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

    def _closer(self, source: int, group: Mask, state: _State) -> Iterable[tuple[Mask, _State]]:
        """The group parted by what the other layers say, each layer asked once for each kind of pair."""
        endpoints = self.universe.endpoints
        parts = [(group, state)]
        for number, (layer, kinds) in enumerate(self._closer_layers):
            if not any(before.left for _, before in parts):
                break
            after: dict[int, Mask] = {}  # states, by identity
            meaning: dict[int, _State] = {}
            for mask, before in parts:
                if not before.left:
                    after[id(before)], meaning[id(before)] = after.get(id(before), 0) | mask, before
                    continue
                ports, ports_number = self._ports(before)
                for kind, members in kinds.parts(source, mask):
                    key = (number, kind, ports_number)
                    opinions = self._answers.get(key)
                    if opinions is None:
                        first = (members & -members).bit_length() - 1
                        opinions = tuple(layer.opinions(endpoints[source], endpoints[first], ports))
                        self._answers[key] = opinions
                    state = self._asked(before, opinions)
                    after[id(state)] = after.get(id(state), 0) | members
                    meaning[id(state)] = state
            parts = [(mask, meaning[each]) for each, mask in after.items()]
        return parts

    def _ports(self, state: _State) -> tuple[PortSet, int]:
        """The ports that are still open, and a number for them: a layer is asked of those only."""
        known = self._open_ports.get(id(state))
        if known is None:
            ports = PortSet.union(each.ports for each in state.left)
            known = state, ports, self._numbers.setdefault(ports, len(self._numbers))
            self._open_ports[id(state)] = known
        return known[1], known[2]


def _narrowed(decisions: Decisions, ports: PortSet) -> Iterator[Decision]:
    for each in decisions:
        if both := each.ports & ports:
            yield replace(each, ports=both)


def mesh_layers(mesh: Mesh) -> list[Layer]:
    """The mesh's layers, in the order in which they are asked."""
    return [RegistryLayer(mesh), MutualTlsLayer(mesh), AuthorizationLayer(mesh)]

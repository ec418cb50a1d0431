"""Defence in depth: what a change does to one layer while the others still refuse, and so to nobody's access.

Each layer that a changed object belongs to is asked alone, on both sides (`partner_mesh.analysis.walls`). What also
changes somebody's access is told there, and not again here.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from partner_mesh.analysis.differences import Access, Change, access_changes, calls_from, identity
from partner_mesh.analysis.layers import AUTHORISATION, Addresses, Because, Endpoint, Verdict, Workload
from partner_mesh.analysis.narrowing import Narrowed
from partner_mesh.analysis.near import access_changes_near
from partner_mesh.analysis.object_changes import ObjectChanges
from partner_mesh.analysis.regions import NOTHING, Piece, Region, region
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.strangers import NAME, strangers
from partner_mesh.analysis.table import Table
from partner_mesh.analysis.through_gateways import mesh_of
from partner_mesh.analysis.walls import MESH, ROUTES, Ground, Wall, alone, is_route, walls_of
from partner_mesh.model.record import dataclass, replace

Tables = tuple[Table, Table]
Opened = Mapping[tuple[Change, Endpoint], Region]  # what changed for somebody, by destination
_READS_HTTP: Final = (AUTHORISATION, MESH)


@dataclass(frozen=True, slots=True)
class LayerChange:
    """What one layer alone lets pass, or no longer, and who refuses it on the side where the layer does not.

    `refused_by` is empty where nobody is there to be refused: a workload that no policy means.
    """

    wall: Wall
    access: Access
    refused_by: tuple[Because, ...]


def ground_of(tables: Iterable[Table]) -> Ground:
    """What both sides have in common to stand on."""
    meshes = [mesh_of(each.reach) for each in tables]
    gateways = frozenset(end.namespace for each in meshes for end in each.gateways.proxies)
    return Ground(gateways, meshes[0].config.root_namespace)


def layer_changes(
    before: Loaded,
    after: Loaded,
    changes: ObjectChanges,
    tables: Tables,
    accesses: Sequence[Access],
    *,
    kept: Narrowed | None,
) -> Iterator[LayerChange]:
    """What changed in a layer alone and in nobody's access.

    `tables` hold all layers, of the same objects, and `accesses` say what changed between them.
    """
    ground = ground_of(tables)
    opened = _by_destination(accesses)
    standing: dict[Wall, list[str]] = {}
    for each in changes.touched:
        for wall in walls_of(each, ground):
            standing.setdefault(wall, []).append(each.namespace)
    told: set[Hashable] = set()  # of the mesh alone: the same is not told twice
    for wall, namespaces in standing.items():
        left, right = (Table(each) for each in _sides(wall, before, after, ground, namespaces))
        if kept is None:
            found: Iterable[Access] = access_changes(left.results(), right.results())
        else:
            found = access_changes_near((left, right), kept)
        found = [each for each in found if _there(each, tables) and (wall != ROUTES or _key(each) not in told)]
        told.update(map(_key, found) if wall == Wall(MESH) else ())
        # Routes do not say who may use them: that a new one leads somewhere is told once it lets somebody in.
        yield from _untold(wall, found, tables, opened if wall.layer == MESH else {})


def _there(access: Access, tables: Tables) -> bool:
    """Whether both ends are on both sides: of a workload that comes or goes every layer says something new, and what
    that amounts to its access tells.
    """
    ends = [each for each in (access.source, access.destination) if isinstance(each, Workload)]
    return all(end.name == NAME or all(end in table.world.workloads for table in tables) for end in ends)


def _key(access: Access) -> Hashable:
    return access.change, access.source, access.destination, access.ports, access.http


def _sides(
    wall: Wall, before: Loaded, after: Loaded, ground: Ground, namespaces: Sequence[str]
) -> tuple[Loaded, Loaded]:
    """A wall on both sides. A policy is judged on the routes as they will be: a new route is no policy's doing."""
    was, now = alone(before, wall, ground), alone(after, wall, ground)
    if wall.layer == AUTHORISATION:
        routes = [each for each in now.resources if is_route(each)]
        was = Loaded((*(each for each in was.resources if not is_route(each)), *routes))
    # The registry tells every sidecar of a namespace the same, whoever it is.
    extra = () if wall.layer == MESH else tuple(strangers(each for each in namespaces if each))
    return Loaded((*was.resources, *extra)), Loaded((*now.resources, *extra))


def _by_destination(accesses: Sequence[Access]) -> Opened:
    parts: dict[tuple[Change, Endpoint], list[tuple[PortSet, Any]]] = {}
    for each in accesses:
        parts.setdefault((each.change, each.destination), []).append((each.ports, each.http))
    return {key: region(listed) for key, listed in parts.items()}


# What the whole says of the same -----------------------------------------------------------------------------------


def _untold(wall: Wall, accesses: Sequence[Access], tables: Tables, opened: Opened) -> Iterator[LayerChange]:
    """The changes of a layer without those that the other layers let through."""
    for change in Change:
        listed = [each for each in accesses if each.change is change]
        # What was gained would be told by the new table, what was lost by the old one.
        whole = _Whole(
            tables[0] if change is Change.LOST else tables[1], listed, opened, http=wall.layer in _READS_HTTP
        )
        yield from (LayerChange(wall, access, by) for each in listed for access, by in whole.refused(each))


@dataclass(frozen=True, slots=True)
class _Said:
    """What all layers together say between two ends."""

    passes: Region
    refused_by: tuple[Because, ...]


class _Whole:
    """A table of all layers, asked about the ends of some changes at once."""

    def __init__(self, table: Table, accesses: Sequence[Access], opened: Opened, *, http: bool) -> None:
        self.table = table
        self.opened = opened
        self.http = http
        self.direct = _direct(table, accesses)
        self.through: dict[tuple[Any, Endpoint], list[Connection]] = {}
        for each in table.journeys:
            self.through.setdefault((identity(each.source), each.destination), []).append(each)

    def refused(self, access: Access) -> Iterator[tuple[Access, tuple[Because, ...]]]:
        """The parts of a change that no connection of the table tells, each with who refuses it."""
        parts: dict[tuple[Piece, tuple[Because, ...]], tuple[list[AddressSet], list[AddressSet]]] = {}
        told = self.opened.get((access.change, access.destination), NOTHING)
        for source, destination in self._pairs(access):
            said = self._said(source, destination)
            for piece in (region([(access.ports, access.http)]) - told - said.passes).pieces:
                ends = parts.setdefault((piece, said.refused_by), ([], []))
                for end, addresses in zip((source, destination), ends, strict=True):
                    addresses.extend([end.addresses] if isinstance(end, Addresses) else [])
        for (piece, by), (sources, destinations) in parts.items():
            yield (
                replace(
                    access,
                    source=_narrowed(access.source, sources),
                    destination=_narrowed(access.destination, destinations),
                    ports=piece.ports,
                    http=piece.requests,
                ),
                by,
            )

    def _pairs(self, access: Access) -> Iterator[tuple[Endpoint, Endpoint]]:
        for source in self._parts(access.source):
            for destination in self._parts(access.destination):
                yield source, destination

    def _parts(self, end: Endpoint) -> list[Endpoint]:
        """An end; of addresses what each of the table's own parts has of them."""
        if not isinstance(end, Addresses):
            return [end]
        touched = self.table.reach.universe.touching(end.addresses)
        return [Addresses(part & end.addresses) for _, part in touched]

    def _said(self, source: Endpoint, destination: Endpoint) -> _Said:
        if (direct := self.direct.get((self._place(source), self._place(destination)))) is not None:
            listed = [(each.verdict, each.ports, each.http, each.decided_by) for each in direct]
        else:
            there = self.through.get((identity(source), destination), ())
            same = [each for each in there if calls_from(each.source) & calls_from(source)]
            listed = [(each.verdict, each.ports, each.http, each.decided_by) for each in same]
        passing = [(ports, http if self.http else None) for verdict, ports, http, _ in listed
                   if verdict is not Verdict.DENIED]  # fmt: skip
        refusing = (by for verdict, _, _, decided_by in listed if verdict is Verdict.DENIED for by in decided_by)
        return _Said(region(passing), tuple(dict.fromkeys(refusing)))

    def _place(self, end: Endpoint) -> int:
        if isinstance(end, Addresses):
            return self.table.reach.universe.touching(end.addresses)[0][0]
        return self.table.reach.universe.position.get(end, -1)


def _narrowed(end: Endpoint, parts: Sequence[AddressSet]) -> Endpoint:
    return Addresses(AddressSet.union(parts)) if parts else end


def _direct(table: Table, accesses: Sequence[Access]) -> Mapping[tuple[int, int], Sequence[Any]]:
    """(source, destination) by their places → the decisions, of all the ends that changes name."""
    universe = table.reach.universe
    places: tuple[dict[Endpoint, None], dict[Endpoint, None]] = ({}, {})
    for access in accesses:
        for end, found in zip((access.source, access.destination), places, strict=True):
            if isinstance(end, Addresses):
                found.update((universe.endpoints[place], None) for place, _ in universe.touching(end.addresses))
            elif end in universe.position:
                found[end] = None
    if not places[0] or not places[1]:
        return {}
    results = table.reach.results(places[0], places[1])
    position = universe.position
    return {(position[one], position[other]): decisions for one, other, decisions in results.pairs()}

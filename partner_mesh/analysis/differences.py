"""Access gained and lost between two tables, by exact difference of the sets of connections.

Ends are compared by who they are. Addresses are divided anew along the blocks of both tables, so that a part of one is
never cut by a part of the other; what is the same for several parts is told once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, Final

from partner_mesh.analysis.layers import Addresses, Because, Client, Endpoint, Partner, Verdict
from partner_mesh.analysis.regions import NOTHING, Piece, Region, region
from partner_mesh.analysis.results import Connection, Decisions, Results
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.sets import AddressSet, PortSet, atoms
from partner_mesh.model.record import dataclass


class Change(Enum):
    """What became of a connection."""

    GAINED = "gained"
    LOST = "lost"
    DOUBTFUL = "doubtful"  # refused before, and now it cannot be told


@dataclass(frozen=True, slots=True)
class Access:
    """Some requests on some ports between two ends that became possible, or impossible."""

    change: Change
    source: Endpoint
    destination: Endpoint
    ports: PortSet
    http: Any = None  # an HttpSet, or None for every kind of connection
    decided_by: tuple[Because, ...] = ()  # objects of the side on which the connection is allowed
    everywhere: bool = True  # for a partner: from all of its addresses


_Regions = dict[Verdict, Region]


def access_changes(before: Results, after: Results) -> list[Access]:
    """Every difference, direct pairs first, then what leads through gateways."""
    return [*direct_changes(before, after), *journey_changes(before.journeys, after.journeys)]


def _regions(decisions: Iterable[tuple[Verdict, PortSet, Any]]) -> _Regions:
    parts: dict[Verdict, list[tuple[PortSet, Any]]] = {}
    for verdict, ports, http in decisions:
        if verdict is not Verdict.DENIED:
            parts.setdefault(verdict, []).append((ports, http))
    return {verdict: region(listed) for verdict, listed in parts.items()}


def _compared(was: _Regions, now: _Regions) -> Iterator[tuple[Change, Piece]]:
    """Gained, doubtful, lost."""
    none: Region = NOTHING
    allowed_before, allowed_after = was.get(Verdict.ALLOWED, none), now.get(Verdict.ALLOWED, none)
    unknown_before, unknown_after = was.get(Verdict.UNKNOWN, none), now.get(Verdict.UNKNOWN, none)
    for piece in (allowed_after - allowed_before).pieces:
        yield Change.GAINED, piece
    for piece in (unknown_after - unknown_before - allowed_before).pieces:
        yield Change.DOUBTFUL, piece
    for piece in (allowed_before - allowed_after).pieces:
        yield Change.LOST, piece


# Direct pairs ------------------------------------------------------------------------------------------------------


class _Side:
    """One table, renumbered to the ends that both tables share."""

    def __init__(self, results: Results, ends: Sequence[Endpoint]) -> None:
        self.results = results
        where = {each: number for number, each in enumerate(ends)}
        parts = _places_of_parts(results, ends)
        self._places: list[Mask] = []
        for each in results.endpoints:
            if isinstance(each, Addresses):
                self._places.append(mask_of(parts.get(each, ())))
            else:
                self._places.append(1 << where[each] if each in where else 0)
        self._masks: dict[Mask, Mask] = {}
        self.rows: dict[int, list[tuple[Mask, Decisions]]] = {}
        for source, row in zip(results.sources, results.rows, strict=True):
            renumbered = [(self._renumbered(mask), decisions) for mask, decisions in row]
            for place in positions(self._places[source]):
                self.rows[place] = renumbered

    def _renumbered(self, mask: Mask) -> Mask:
        if mask not in self._masks:
            found = 0
            for position in positions(mask):
                found |= self._places[position]
            self._masks[mask] = found
        return self._masks[mask]


def _places_of_parts(results: Results, ends: Sequence[Endpoint]) -> dict[Addresses, list[int]]:
    """Each part of a table's outside → the positions of the finer parts that lie in it."""
    parts = [each for each in results.endpoints if isinstance(each, Addresses)]
    spans = sorted(((low, each) for each in parts for low, _ in each.addresses.intervals), key=lambda each: each[0])
    starts = [low for low, _ in spans]
    found: dict[Addresses, list[int]] = {}
    for number, end in enumerate(ends):
        if isinstance(end, Addresses):
            at = bisect_right(starts, end.addresses.intervals[0][0]) - 1
            if at >= 0 and end.addresses <= spans[at][1].addresses:
                found.setdefault(spans[at][1], []).append(number)
    return found


def direct_changes(before: Results, after: Results) -> Iterator[Access]:
    """Of pairs whose packets go straight. Both tables answer the same questions."""
    outside = [e.addresses for side in (before, after) for e in side.endpoints if isinstance(e, Addresses)]
    divided = [Addresses(part) for part in atoms(outside, AddressSet.union(outside))]
    others = (e for side in (before, after) for e in side.endpoints if not isinstance(e, Addresses))
    ends: list[Endpoint] = [*dict.fromkeys(others), *divided]
    was, now = _Side(before, ends), _Side(after, ends)
    known: dict[tuple[int, int], tuple[Decisions, Decisions, list[tuple[Change, Piece]]]] = {}
    regions: dict[int, tuple[Decisions, _Regions]] = {}

    def of(decisions: Decisions) -> _Regions:
        if id(decisions) not in regions:
            regions[id(decisions)] = decisions, _regions((e.verdict, e.ports, e.http) for e in decisions)
        return regions[id(decisions)][1]

    merged: dict[Any, tuple[Access, list[AddressSet], list[AddressSet]]] = {}
    for source in range(len(ends)):
        left, right = was.rows.get(source, []), now.rows.get(source, [])
        for mask, one, other in _pairs(left, right):
            key = id(one), id(other)
            if key not in known:
                known[key] = one, other, list(_compared(of(one), of(other)))
            for change, piece in known[key][2]:
                because = _because(one if change is Change.LOST else other, change)
                for destination in positions(mask):
                    access = Access(change, ends[source], ends[destination], piece.ports, piece.requests, because)
                    _merge(merged, access)
    yield from _unfolded(merged)


_NONE: Final[Decisions] = ()


def _pairs(
    left: list[tuple[Mask, Decisions]], right: list[tuple[Mask, Decisions]]
) -> Iterator[tuple[Mask, Decisions, Decisions]]:
    """Destinations by their decisions on both sides; what one side does not know is refused there."""
    rest = {number: mask for number, (mask, _) in enumerate(right)}
    for mask, one in left:
        remaining = mask
        for number, (other_mask, other) in enumerate(right):
            both = remaining & other_mask
            if both:
                remaining &= ~both
                rest[number] &= ~both
                if one is not other and one != other:
                    yield both, one, other
        if remaining:
            yield remaining, one, _NONE
    for number, mask in rest.items():
        if mask:
            yield mask, _NONE, right[number][1]


def _because(decisions: Decisions, change: Change) -> tuple[Because, ...]:
    wanted = Verdict.UNKNOWN if change is Change.DOUBTFUL else Verdict.ALLOWED
    return next((each.decided_by for each in decisions if each.verdict is wanted), ())


def _merge(merged: dict[Any, tuple[Access, list[AddressSet], list[AddressSet]]], access: Access) -> None:
    """Parts of the outside that fare alike are one end."""
    source = None if isinstance(access.source, Addresses) else access.source
    destination = None if isinstance(access.destination, Addresses) else access.destination
    key = access.change, source, destination, access.ports, access.http
    entry = merged.setdefault(key, (access, [], []))
    if isinstance(access.source, Addresses):
        entry[1].append(access.source.addresses)
    if isinstance(access.destination, Addresses):
        entry[2].append(access.destination.addresses)


def _unfolded(merged: dict[Any, tuple[Access, list[AddressSet], list[AddressSet]]]) -> Iterator[Access]:
    for access, sources, destinations in merged.values():
        source = Addresses(AddressSet.union(sources)) if sources else access.source
        destination = Addresses(AddressSet.union(destinations)) if destinations else access.destination
        yield Access(access.change, source, destination, access.ports, access.http, access.decided_by)


# Through gateways --------------------------------------------------------------------------------------------------


def journey_changes(before: Iterable[Connection], after: Iterable[Connection]) -> Iterator[Access]:
    """Of ways through gateways."""
    was, now = _by_ends(before), _by_ends(after)
    for key in dict.fromkeys((*was, *now)):
        left, right = was.get(key, []), now.get(key, [])
        if _same(left, right):
            continue
        yield from _of_ends(left, right)


def _by_ends(journeys: Iterable[Connection]) -> dict[Any, list[Connection]]:
    """By who calls whom; a partner is one caller wherever it calls from."""
    found: dict[Any, list[Connection]] = {}
    for each in journeys:
        if each.verdict is not Verdict.DENIED:
            found.setdefault((identity(each.source), each.destination), []).append(each)
    return found


def identity(endpoint: Endpoint) -> Any:
    """An end as comparisons know it: a partner is one caller wherever it calls from."""
    if isinstance(endpoint, Partner):
        return "partner", endpoint.name
    if isinstance(endpoint, Client):
        return endpoint.name, endpoint.beside
    return endpoint


def _same(left: list[Connection], right: list[Connection]) -> bool:
    def shape(each: Connection) -> tuple[Any, ...]:
        return each.source, each.verdict, each.ports, each.http

    return [shape(each) for each in left] == [shape(each) for each in right]


def calls_from(endpoint: Endpoint) -> AddressSet:
    """Where a caller calls from, where that is told apart: of partners, and of their certificates elsewhere."""
    told_apart = isinstance(endpoint, Partner) or (isinstance(endpoint, Client) and endpoint.name == "elsewhere")
    return endpoint.addresses if told_apart and isinstance(endpoint, Partner | Client) else AddressSet.ALL


def _of_ends(left: list[Connection], right: list[Connection]) -> Iterator[Access]:
    sets = [calls_from(each.source) for each in (*left, *right)]
    found: dict[tuple[Change, PortSet, Any], list[AddressSet]] = {}
    for part in atoms(sets, AddressSet.union(sets)):
        was, now = (
            _regions((e.verdict, e.ports, e.http) for e in side if part <= calls_from(e.source))
            for side in (left, right)
        )
        for change, piece in _compared(was, now):
            found.setdefault((change, piece.ports, piece.requests), []).append(part)
    for (change, ports, http), parts in found.items():
        side = left if change is Change.LOST else right
        addresses = AddressSet.union(parts)
        example = next((e for e in side if calls_from(e.source) & addresses), side[0])
        whole = AddressSet.union(calls_from(each.source) for each in side)
        source = _narrowed(example.source, addresses)
        yield Access(
            change, source, example.destination, ports, http, example.decided_by, everywhere=whole <= addresses
        )


def _narrowed(endpoint: Endpoint, addresses: AddressSet) -> Endpoint:
    if isinstance(endpoint, Partner):
        return Partner(endpoint.name, addresses)
    if isinstance(endpoint, Client) and endpoint.name == "elsewhere":
        return Client(endpoint.name, addresses, endpoint.beside)
    return endpoint

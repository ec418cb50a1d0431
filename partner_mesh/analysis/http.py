"""Sets of HTTP requests: hosts × methods × paths, and what else a request must carry.

A set is a list of boxes. Host, method and path are told apart exactly. Everything else that a rule may ask of a
request (a header, a query parameter, a claim) is a condition: a fact that holds or not, of which nothing more is
known. So a set answers "is there such a request", and says what it must carry.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

from partner_mesh.analysis import strings
from partner_mesh.analysis.host_names import bare_hosts
from partner_mesh.analysis.strings import StringSet
from partner_mesh.model.record import dataclass, replace

JOINED: Final = 16  # boxes that are put together along a field whose values are not plain literals
ANY_PATH: Final = strings.prefix("/")  # `OPTIONS *` matches no route of Istio's and is left out


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """A fact about a request beyond host, method and path: `subject` is (or is not) `value`."""

    subject: str  # "request.headers[x-api-version]", "request.auth.claims[group]"
    value: str
    holds: bool = True
    exact: bool = False  # `value` is the one value: another exact value of the same subject excludes it

    def negated(self) -> "Condition":
        """The opposite fact."""
        return replace(self, holds=not self.holds)

    def excludes(self, other: "Condition") -> bool:
        """Whether no request can satisfy both."""
        if self.subject != other.subject:
            return False
        if self.value == other.value:
            return self.holds != other.holds
        return self.exact and other.exact and self.holds and other.holds

    def __str__(self) -> str:
        return f"{self.subject} {'is' if self.holds else 'is not'} {self.value}"


@dataclass(frozen=True, slots=True)
class Requests:
    """One box. Hosts are lower case and may end in `:port`."""

    hosts: StringSet = StringSet.ALL
    methods: StringSet = StringSet.ALL
    paths: StringSet = ANY_PATH
    conditions: frozenset[Condition] = frozenset()

    def __bool__(self) -> bool:
        if not (self.hosts and self.methods and self.paths):
            return False
        conditions = self.conditions
        return len(conditions) < 2 or not any(a.excludes(b) for a in conditions for b in conditions)

    def __and__(self, other: "Requests") -> "Requests":
        hosts = self.hosts & other.hosts
        if not hosts:
            return NOTHING
        return Requests(
            hosts, self.methods & other.methods, self.paths & other.paths, self.conditions | other.conditions
        )

    def without(self, other: "Requests") -> Iterator["Requests"]:
        """What is left of this box, as disjoint boxes."""
        hosts = self.hosts & other.hosts
        methods = self.methods & other.methods
        paths = self.paths & other.paths
        if not (hosts and methods and paths):
            yield self
            return
        pieces = [
            Requests(self.hosts - hosts, self.methods, self.paths, self.conditions),
            Requests(hosts, self.methods - methods, self.paths, self.conditions),
            Requests(hosts, methods, self.paths - paths, self.conditions),
        ]
        held: frozenset[Condition] = self.conditions
        for condition in sorted(other.conditions):
            pieces.append(Requests(hosts, methods, paths, held | {condition.negated()}))
            held |= {condition}
        yield from (piece for piece in pieces if piece)

    def covers(self, other: "Requests") -> bool:
        """Whether every request of the other box is one of this box."""
        return (
            self.conditions <= other.conditions
            and other.hosts <= self.hosts
            and other.methods <= self.methods
            and other.paths <= self.paths
        )

    def document(self) -> dict[str, Any]:
        """`{"hosts", "methods", "paths"}` and, where the request must carry more, `"when"`."""
        shown: dict[str, Any] = {
            "hosts": list(shown_hosts(self.hosts)),
            "methods": list(self.methods.patterns()),
            "paths": list(shown_paths(self.paths)),
        }
        if self.conditions:
            shown["when"] = [str(condition) for condition in sorted(self.conditions)]
        return shown


EVERYTHING: Final = Requests()
NOTHING: Final = Requests(StringSet.NONE, StringSet.NONE, StringSet.NONE)


def shown_hosts(hosts: StringSet) -> tuple[str, ...]:
    """Host patterns for people: `h:*` is left out beside `h`, for the port in a Host header says nothing new."""
    listed = hosts.patterns()
    return tuple(each for each in listed if not (each.endswith(":*") and each[:-2] in listed))


def shown_paths(paths: StringSet) -> tuple[str, ...]:
    """Path patterns for people: every path is `*`."""
    return ("*",) if paths == ANY_PATH else paths.patterns()


@dataclass(frozen=True, slots=True)
class HttpSet:
    """A union of boxes."""

    boxes: tuple[Requests, ...] = ()

    ALL: ClassVar["HttpSet"]
    NONE: ClassVar["HttpSet"]

    def __bool__(self) -> bool:
        return bool(self.boxes)

    def __and__(self, other: "HttpSet") -> "HttpSet":
        if self is other or other is HttpSet.ALL or not self.boxes:
            return self
        if self is HttpSet.ALL or not other.boxes:
            return other
        mine, theirs = _one_host(self.boxes), _one_host(other.boxes)
        if mine is None or theirs is None:
            return of(a & b for a, b in _overlapping(self.boxes, other.boxes))
        hosts = mine & theirs
        return _at(hosts, _intersection(_anywhere(self.boxes), _anywhere(other.boxes))) if hosts else HttpSet.NONE

    def __or__(self, other: "HttpSet") -> "HttpSet":
        if not other:
            return self
        if not self:
            return other
        return of((*self.boxes, *other.boxes))

    def __sub__(self, other: "HttpSet") -> "HttpSet":
        if not other or not self:
            return self
        if other is HttpSet.ALL or other == self:
            return HttpSet.NONE
        mine, theirs = _one_host(self.boxes), _one_host(other.boxes)
        shared = mine & theirs if mine is not None and theirs is not None else StringSet.NONE
        if mine is None or not shared:
            return of(_left(self.boxes, other.boxes))
        left = _at(shared, _difference(_anywhere(self.boxes), _anywhere(other.boxes)))
        if shared == mine:
            return left
        apart = mine - shared
        beyond = tuple([Requests(apart, each.methods, each.paths, each.conditions) for each in self.boxes])
        if left and not set(_anywhere(beyond)).isdisjoint(_anywhere(left.boxes)):
            return of((*beyond, *left.boxes))
        return HttpSet((*beyond, *left.boxes))

    def __le__(self, other: "HttpSet") -> bool:
        return not self - other

    def accepts(self, host: str, method: str, path: str) -> bool:
        """Whether some request of this host, method and path belongs to the set."""
        return any(host in box.hosts and method in box.methods and path in box.paths for box in self.boxes)

    def document(self) -> list[dict[str, Any]]:
        """See `Requests.document`; in a fixed order."""
        shown = [box.document() for box in self.boxes]
        return sorted(shown, key=lambda box: (box["hosts"], box["paths"], box["methods"], box.get("when", [])))

    @classmethod
    def union(cls, sets: Iterable["HttpSet"]) -> "HttpSet":
        """All of them together."""
        found = list(dict.fromkeys(each for each in sets if each.boxes))
        if len(found) < 2:  # each set is kept as `of` leaves it
            return found[0] if found else HttpSet.NONE
        return of(box for each in found for box in each.boxes)


def of(boxes: Iterable[Requests]) -> HttpSet:
    """The boxes as a set: empty and covered ones gone, those that differ in one field only put together."""
    kept = [box for box in boxes if box]
    if len(kept) > 1 and (hosts := _one_host(kept)) is not None:
        return _at(hosts, _normal(_anywhere(kept)))
    return _simplest(kept)


def _simplest(kept: list[Requests]) -> HttpSet:
    if len(kept) > 1:
        kept = _uncovered(list(dict.fromkeys(kept)))
    while len(kept) > 1:
        merged = _joined(kept)
        if len(merged) == len(kept):
            break
        kept = _uncovered(merged)
    if len(kept) == 1 and kept[0] == EVERYTHING:
        return HttpSet.ALL
    return HttpSet(tuple(kept))


# What partners may do is much alike but for the hosts at which they do it. So where all boxes of an operation speak of
# the same hosts, it is done for the rest of them, once for all partners, and the hosts are put back.


def _one_host(boxes: Sequence[Requests]) -> StringSet | None:
    """The hosts, where every box speaks of the same."""
    hosts = boxes[0].hosts
    for each in boxes:
        if each.hosts is not hosts and each.hosts != hosts:
            return None
    return hosts


def _anywhere(boxes: Iterable[Requests]) -> tuple[Requests, ...]:
    """The boxes, as if they were of every host."""
    return tuple([Requests(StringSet.ALL, each.methods, each.paths, each.conditions) for each in boxes])


def _at(hosts: StringSet, found: HttpSet) -> HttpSet:
    return found if hosts is StringSet.ALL else HttpSet(tuple(_with(each, "hosts", hosts) for each in found.boxes))


@lru_cache(maxsize=16384)
def _normal(boxes: tuple[Requests, ...]) -> HttpSet:
    return _simplest(list(boxes))


@lru_cache(maxsize=16384)
def _intersection(left: tuple[Requests, ...], right: tuple[Requests, ...]) -> HttpSet:
    return of(a & b for a in left for b in right)


@lru_cache(maxsize=16384)
def _difference(left: tuple[Requests, ...], right: tuple[Requests, ...]) -> HttpSet:
    return of(_left(left, right))


def _left(boxes: Iterable[Requests], taken: tuple[Requests, ...]) -> Iterator[Requests]:
    """What is left of boxes without others."""
    by_host = _ByHost(taken)
    for box in boxes:
        pieces = [box]
        for each in by_host.near(box):
            pieces = [rest for piece in pieces for rest in piece.without(each)]
        yield from pieces


def _joined(boxes: list[Requests]) -> list[Requests]:
    """Unions along one field at a time: paths first, then methods, then hosts."""
    for field in ("paths", "methods", "hosts"):
        groups: dict[Requests, list[Requests]] = {}
        for box in boxes:
            groups.setdefault(_with(box, field, StringSet.NONE), []).append(box)
        joined: list[Requests] = []
        for members in groups.values():
            if len(members) > JOINED and any(getattr(each, field).language is not None for each in members):
                joined += members  # an automaton of a thousand hosts would cost more than a thousand boxes
                continue
            joined.append(_with(members[0], field, _total([getattr(member, field) for member in members])))
        boxes = joined
    return boxes


def _with(box: Requests, field: str, value: StringSet) -> Requests:
    if field == "paths":
        return Requests(box.hosts, box.methods, value, box.conditions)
    if field == "methods":
        return Requests(box.hosts, value, box.paths, box.conditions)
    return Requests(value, box.methods, box.paths, box.conditions)


def _total(sets: list[StringSet]) -> StringSet:
    """A union of many, in pairs: an automaton of a thousand hosts is made of halves, not by adding one at a time."""
    while len(sets) > 1:
        sets = [sets[i] | sets[i + 1] if i + 1 < len(sets) else sets[i] for i in range(0, len(sets), 2)]
    return sets[0]


def _uncovered(boxes: list[Requests]) -> list[Requests]:
    by_host = _ByHost(boxes)
    gone: set[int] = set()  # two boxes may cover each other: the first of them to go no longer counts
    for box in boxes:
        if any(other is not box and id(other) not in gone and other.covers(box) for other in by_host.near(box)):
            gone.add(id(box))
    return [box for box in boxes if id(box) not in gone]


class _ByHost:
    """Boxes found by the literal hosts they name: of thousands, a request's box meets those of its own host only."""

    def __init__(self, boxes: Iterable[Requests]) -> None:
        self.named: dict[str, list[Requests]] = {}
        self.other: list[Requests] = []
        for box in boxes:
            names = bare_hosts(box.hosts)
            if names is None:
                self.other.append(box)
            else:
                for name in names:
                    self.named.setdefault(name, []).append(box)

    def near(self, box: Requests) -> list[Requests]:
        names = bare_hosts(box.hosts)
        if names is None:
            return [*self.other, *dict.fromkeys(each for listed in self.named.values() for each in listed)]
        return [*self.other, *dict.fromkeys(each for name in names for each in self.named.get(name, ()))]


def _overlapping(left: Iterable[Requests], right: tuple[Requests, ...]) -> Iterator[tuple[Requests, Requests]]:
    by_host = _ByHost(right)
    for box in left:
        for other in by_host.near(box):
            yield box, other


HttpSet.ALL = HttpSet((EVERYTHING,))
HttpSet.NONE = HttpSet()

"""Endpoints by what a layer can tell them apart by, so that it is asked once for each kind of pair.

A layer sees the two ends of a connection differently: of a source it may read an identity, of a destination the rules
that bind it. So kinds are kept for each side of its own, and a layer that knows which destinations speak of a source
may say that all the others are one kind to it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Protocol

from partner_mesh.analysis.layers import Endpoint
from partner_mesh.analysis.selectors import Mask, mask_of, positions
from partner_mesh.analysis.universe import Universe

Parts = Iterable[tuple[Hashable, Mask]]


class Kinds(Protocol):
    """What a layer tells apart among the endpoints of one universe."""

    def parts(self, source: int, mask: Mask) -> Parts:
        """The destinations of a mask, parted: pairs under equal keys get equal opinions of the layer."""
        ...


class Grouped:
    """Positions by a trait; each value of it has a number, in the order of first appearance."""

    def __init__(self, traits: Iterable[Hashable]) -> None:
        known: dict[Hashable, int] = {}
        self.numbers = [known.setdefault(each, len(known)) for each in traits]
        members: list[list[int]] = [[] for _ in known]
        for position, number in enumerate(self.numbers):
            members[number].append(position)
        self.masks = [mask_of(each) for each in members]

    def split(self, mask: Mask) -> Iterator[tuple[int, Mask]]:
        """(number, those of the mask that have it); a number that nobody has is left out."""
        if len(self.masks) == 1:
            yield 0, mask
        elif mask & (mask - 1) == 0:
            yield self.numbers[mask.bit_length() - 1], mask
        elif mask.bit_count() * 4 < len(self.masks):
            found: dict[int, Mask] = {}
            for position in positions(mask):
                number = self.numbers[position]
                found[number] = found.get(number, 0) | 1 << position
            yield from found.items()
        else:
            for number, members in enumerate(self.masks):
                if both := mask & members:
                    yield number, both


class BothSides:
    """Kinds of sources by one trait, of destinations by another."""

    def __init__(
        self,
        universe: Universe,
        as_source: Callable[[Endpoint], Hashable],
        as_destination: Callable[[Endpoint], Hashable],
    ) -> None:
        self._sources = Grouped(map(as_source, universe.endpoints)).numbers
        self._destinations = Grouped(map(as_destination, universe.endpoints))

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        kind = self._sources[source]
        return (((kind, number), members) for number, members in self._destinations.split(mask))


class Crossed:
    """Kinds by what either of two tells apart."""

    def __init__(self, first: Kinds, second: Kinds) -> None:
        self._first = first
        self._second = second

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        for key, members in self._first.parts(source, mask):
            for other, both in self._second.parts(source, members):
                yield (key, other), both


class Alike:
    """Everybody is one kind: a layer that has nothing to say."""

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        _ = source
        return ((None, mask),)

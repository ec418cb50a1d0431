"""Exact sets of ports and of addresses, as sorted disjoint intervals of integers.

Ports of all protocols share one number line (protocol index x 2¹⁶ + port), and so do both address families, so one
set of interval algorithms serves both, and a set of anything is a tuple of pairs.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Final, Self

from partner_mesh.model.record import dataclass

Interval = tuple[int, int]  # both ends belong to it
Intervals = tuple[Interval, ...]  # sorted, disjoint, never adjacent

PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
FIRST_PORT: Final = 1
LAST_PORT: Final = 65535
_STRIDE: Final = 1 << 16

V4_END: Final = (1 << 32) - 1
V6_BASE: Final = 1 << 33  # a gap after IPv4, so that the families never merge
V6_END: Final = V6_BASE + (1 << 128) - 1


def normalised(intervals: Iterable[Interval]) -> Intervals:
    """Sorted and merged; overlapping and adjacent intervals become one."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """What lies in both."""
    if len(left) == 1 == len(right):  # as in most questions
        (low, high), (from_, to) = left[0], right[0]
        low, high = max(low, from_), min(high, to)
        return ((low, high),) if low <= high else ()
    found: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = left[i]
        from_, to = right[j]
        if high < to:
            i += 1
        else:
            j += 1
            high = to
        low = max(low, from_)
        if low <= high:
            found.append((low, high))
    return tuple(found)


def difference(left: Intervals, right: Intervals) -> Intervals:
    """What lies in `left` only."""
    found: list[Interval] = []
    j = 0
    for start, end in left:
        low = start
        while j < len(right) and right[j][1] < low:
            j += 1
        k = j
        while k < len(right) and right[k][0] <= end:
            if right[k][0] > low:
                found.append((low, right[k][0] - 1))
            low = right[k][1] + 1
            k += 1
        if low <= end:
            found.append((low, end))
    return tuple(found)


def contains(outer: Intervals, inner: Intervals) -> bool:
    """Whether each interval of `inner` lies in one of `outer`: as these never touch, it cannot lie in two."""
    at = 0
    for low, high in inner:
        while at < len(outer) and outer[at][1] < low:
            at += 1
        if at == len(outer) or outer[at][0] > low or outer[at][1] < high:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _IntervalSet:
    """The set operations that ports and addresses share."""

    intervals: Intervals = ()

    def __or__(self, other: Self) -> Self:
        if not other.intervals or self.intervals == other.intervals:
            return self
        if not self.intervals:
            return other
        return type(self)(normalised((*self.intervals, *other.intervals)))

    def __and__(self, other: Self) -> Self:
        mine, theirs = self.intervals, other.intervals
        if mine is theirs or not mine or mine == theirs:
            return self
        if not theirs:
            return other
        both = intersection(mine, theirs)
        return self if both == mine else other if both == theirs else type(self)(both)

    def __sub__(self, other: Self) -> Self:
        if not other.intervals or not self.intervals:
            return self
        if self.intervals == other.intervals:
            return type(self)()
        return type(self)(difference(self.intervals, other.intervals))

    def __le__(self, other: Self) -> bool:
        return contains(other.intervals, self.intervals)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    @classmethod
    def union(cls, sets: Iterable[Self]) -> Self:
        """All of them together."""
        found = [each for each in sets if each.intervals]
        if len(found) == 1:
            return found[0]
        return cls(normalised(interval for each in found for interval in each.intervals))


@dataclass(frozen=True, slots=True)
class PortSet(_IntervalSet):
    """A set of (protocol, port) for TCP, UDP and SCTP, ports 1 to 65535."""

    ALL: ClassVar["PortSet"]
    NONE: ClassVar["PortSet"]

    @classmethod
    def of(cls, protocol: str, first: int = FIRST_PORT, last: int | None = None) -> "PortSet":
        """The ports `first` to `last` of a protocol; all of them without bounds.

        `PortSet.of("TCP", 80)` is one port, `PortSet.of("TCP")` is every TCP port. Ports outside 1 to 65535 fall away;
        a protocol other than TCP, UDP and SCTP has no ports and gives the empty set.
        """
        if protocol not in PROTOCOLS:
            return cls.NONE
        if last is None:
            last = LAST_PORT if first == FIRST_PORT else first
        return cls.range(protocol, first, last)

    @classmethod
    def range(cls, protocol: str, first: int, last: int) -> "PortSet":
        """The ports `first` to `last`, both included."""
        first, last = max(first, FIRST_PORT), min(last, LAST_PORT)
        if protocol not in PROTOCOLS or first > last:
            return cls.NONE
        base = PROTOCOLS.index(protocol) * _STRIDE
        return cls(((base + first, base + last),))

    @classmethod
    def single(cls, protocol: str, port: int) -> "PortSet":
        """One port."""
        return cls.range(protocol, port, port)

    @classmethod
    def protocol(cls, protocol: str) -> "PortSet":
        """Every port of one protocol."""
        return cls.range(protocol, FIRST_PORT, LAST_PORT)

    def by_protocol(self) -> Iterator[tuple[str, list[Interval]]]:
        """(protocol, [(first, last), …]) in the order TCP, UDP, SCTP; protocols without a port are left out."""
        for index, protocol in enumerate(PROTOCOLS):
            base = index * _STRIDE
            ports = [(low - base, high - base) for low, high in self.intervals if base <= low < base + _STRIDE]
            if ports:
                yield protocol, ports

    def __contains__(self, item: tuple[str, int]) -> bool:
        protocol, port = item
        return bool(self & PortSet.single(protocol, port))

    def __str__(self) -> str:
        if self == PortSet.ALL:
            return "all ports"
        return ", ".join(
            protocol + ("" if ports == [(FIRST_PORT, LAST_PORT)] else " " + ",".join(_span(*p) for p in ports))
            for protocol, ports in self.by_protocol()
        )


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


PortSet.NONE = PortSet()
PortSet.ALL = PortSet.union(PortSet.protocol(each) for each in PROTOCOLS)


@dataclass(frozen=True, slots=True)
class AddressSet(_IntervalSet):
    """A set of IPv4 and IPv6 addresses."""

    ALL: ClassVar["AddressSet"]
    NONE: ClassVar["AddressSet"]
    V4: ClassVar["AddressSet"]
    V6: ClassVar["AddressSet"]

    @classmethod
    def of(cls, cidr: str) -> "AddressSet":
        """The addresses of a CIDR, or one address. Host bits are ignored, as the API server's clients do.

        Raises ValueError when it is neither.
        """
        return _block(cidr)

    @classmethod
    def block(cls, cidr: str, exceptions: Sequence[str] = ()) -> "AddressSet":
        """A NetworkPolicy's `ipBlock`: a CIDR without the CIDRs in `except`."""
        return cls.of(cidr) - cls.union(cls.of(each) for each in exceptions)

    def cidrs(self) -> list[str]:
        """The fewest CIDRs that cover exactly this set, IPv4 before IPv6."""
        found: list[str] = []
        for low, high in self.intervals:
            make = ipaddress.IPv4Address if high <= V4_END else ipaddress.IPv6Address
            base = 0 if high <= V4_END else V6_BASE
            found += [str(n) for n in ipaddress.summarize_address_range(make(low - base), make(high - base))]
        return found

    def ranges(self) -> list[str]:
        """`first-last` for each unbroken run of addresses, a CIDR where a run is one, one address alone as itself."""
        spans: list[str] = []
        for low, high in self.intervals:
            make = ipaddress.IPv4Address if high <= V4_END else ipaddress.IPv6Address
            base = 0 if high <= V4_END else V6_BASE
            first, last = str(make(low - base)), str(make(high - base))
            spans.append(first if low == high else f"{first}-{last}")
        return spans

    def __str__(self) -> str:
        return ", ".join(self.ranges())


@lru_cache(maxsize=65536)  # each layer reads the blocks that it is written with, and a comparison has many layers
def _block(cidr: str) -> AddressSet:
    network = ipaddress.ip_network(cidr, strict=False)
    base = 0 if network.version == 4 else V6_BASE
    return AddressSet(((base + int(network.network_address), base + int(network.broadcast_address)),))


AddressSet.NONE = AddressSet()
AddressSet.V4 = AddressSet(((0, V4_END),))
AddressSet.V6 = AddressSet(((V6_BASE, V6_END),))
AddressSet.ALL = AddressSet.V4 | AddressSet.V6


def atoms(sets: Iterable[AddressSet], within: AddressSet) -> list[AddressSet]:
    """The coarsest partition of `within` in which no given set cuts through a part.

    In order of the first address. One sweep over the sorted boundaries: n log n in the number of intervals.
    """
    events: dict[int, int] = {}
    for index, each in enumerate(dict.fromkeys((within, *sets))):
        bit = 1 << index
        for low, high in each.intervals:
            events[low] = events.get(low, 0) ^ bit
            events[high + 1] = events.get(high + 1, 0) ^ bit
    members: dict[int, list[Interval]] = {}
    signature = 0
    start = 0
    for boundary in sorted(events):
        if signature & 1 and boundary > start:
            members.setdefault(signature, []).append((start, boundary - 1))
        signature ^= events[boundary]
        start = boundary
    return [AddressSet(normalised(intervals)) for intervals in members.values()]

"""Interval sets behave as the sets that they stand for."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.analysis.sets import (
    V6_BASE,
    AddressSet,
    PortSet,
    atoms,
    difference,
    intersection,
    normalised,
)

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)).map(lambda t: (t[0], t[0] + t[1])), max_size=6)


def members(intervals: object) -> set[int]:
    return {each for low, high in intervals for each in range(low, high + 1)}  # type: ignore[attr-defined]  # pairs


@given(spans, spans)
def test_operations_agree_with_sets_of_integers(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    one, other = normalised(left), normalised(right)
    assert members(one) == members(left)
    assert members(intersection(one, other)) == members(one) & members(other)
    assert members(difference(one, other)) == members(one) - members(other)


@given(spans)
def test_intervals_never_touch(left: list[tuple[int, int]]) -> None:
    one = normalised(left)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(one))


def test_ports_are_told_apart_by_protocol() -> None:
    ports = PortSet.single("TCP", 65535) | PortSet.single("UDP", 1)
    assert list(ports.by_protocol()) == [("TCP", [(65535, 65535)]), ("UDP", [(1, 1)])]
    assert ("UDP", 65535) not in ports
    assert str(ports) == "TCP 65535, UDP 1"


def test_all_ports_are_1_to_65535_of_three_protocols() -> None:
    assert [(p, r) for p, r in PortSet.ALL.by_protocol()] == [(p, [(1, 65535)]) for p in ("TCP", "UDP", "SCTP")]


@pytest.mark.parametrize("protocol", ["ICMP", "", "tcp"])
def test_a_protocol_without_ports_is_an_empty_set(protocol: str) -> None:
    assert not PortSet.protocol(protocol)


def test_a_block_leaves_out_its_exceptions() -> None:
    block = AddressSet.block("10.0.0.0/8", ["10.1.0.0/16", "10.1.2.0/24"])
    assert block.ranges() == ["10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255"]


def test_whole_families_are_one_cidr_each() -> None:
    assert AddressSet.ALL.cidrs() == ["0.0.0.0/0", "::/0"]


@given(st.lists(st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/1", "8.8.8.8/32", "2001:db8::/32")), max_size=4))
def test_cidrs_cover_exactly_the_set(written: list[str]) -> None:
    chosen = AddressSet.union(AddressSet.of(each) for each in written)
    assert AddressSet.union(AddressSet.of(each) for each in chosen.cidrs()) == chosen


@given(st.lists(spans, max_size=5))
def test_atoms_part_the_whole_and_no_set_cuts_one(written: list[list[tuple[int, int]]]) -> None:
    whole = AddressSet(((0, 60),))
    sets = [AddressSet(normalised(each)) for each in written]
    parts = atoms(sets, whole)
    assert AddressSet.union(parts) == whole
    assert sum(len(members(each.intervals)) for each in parts) == 61
    for part in parts:
        for each in sets:
            assert part <= each or not part & each
    signatures = [tuple(bool(part & each) for each in sets) for part in parts]
    assert len(set(signatures)) == len(signatures), "two parts that no set tells apart should be one"


def test_ipv6_lies_beyond_ipv4() -> None:
    assert AddressSet.of("::1").intervals == ((V6_BASE + int(ipaddress.IPv6Address("::1")),) * 2,)

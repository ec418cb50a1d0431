"""Subnets: computed blocks that never overlap and never move."""

import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.specs.aws.subnets import (
    NARROWEST,
    NODE_ENDPOINTS,
    WIDEST,
    closed,
    nat_of,
    subnet_tags,
    subnets,
)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    length = draw(st.integers(WIDEST, NARROWEST))
    return f"10.{draw(st.integers(0, 255))}.0.0/{length}" if length <= 16 else f"10.7.0.0/{length}"


@given(blocks(), st.integers(2, 6))
def test_subnets_lie_in_the_block_and_never_overlap(block: str, zones: int) -> None:
    found = [ipaddress.IPv4Network(subnet.cidr) for subnet in subnets(block, zones)]
    assert all(one.subnet_of(ipaddress.IPv4Network(block)) for one in found)
    assert not [pair for pair in combinations(found, 2) if pair[0].overlaps(pair[1])]


@given(blocks(), st.integers(2, 5))
def test_one_more_zone_moves_no_subnet(block: str, zones: int) -> None:
    before = subnets(block, zones)
    assert subnets(block, zones + 1)[: len(before)] == before


@given(blocks(), st.integers(2, 6))
def test_every_zone_has_every_tier_in_a_size_that_aws_takes(block: str, zones: int) -> None:
    found = subnets(block, zones)
    assert [(one.zone, one.tier) for one in found] == [
        (zone, tier) for zone in range(zones) for tier in ("private", "egress", "public", "control")
    ]
    assert all(16 <= ipaddress.IPv4Network(one.cidr).prefixlen <= 28 for one in found)


@pytest.mark.parametrize("block", ["10.0.0.0/15", "10.0.0.0/23"])
def test_a_block_that_holds_no_such_network_is_refused(block: str) -> None:
    with pytest.raises(ValueError, match="between /16 and /22"):
        subnets(block, 3)


@given(st.integers(0, 5), st.integers(1, 6))
def test_a_zone_leaves_by_a_nat_gateway_that_exists_and_by_its_own_if_there_is_one(zone: int, gateways: int) -> None:
    assert 0 <= nat_of(zone, gateways) < gateways
    assert zone >= gateways or nat_of(zone, gateways) == zone


def test_only_endpoints_for_all_that_nodes_need_close_the_private_subnets() -> None:
    assert closed(NODE_ENDPOINTS)
    for missing in NODE_ENDPOINTS:
        assert not closed([name for name in NODE_ENDPOINTS if name != missing]), missing


def test_load_balancers_find_public_subnets_and_internal_ones_private_subnets() -> None:
    roles = {
        one.tier: {key for key in subnet_tags(one, "prod") if key.startswith("kubernetes.io/role")}
        for one in subnets("10.0.0.0/16", 2)
    }
    assert roles == {
        "public": {"kubernetes.io/role/elb"},
        "private": {"kubernetes.io/role/internal-elb"},
        "egress": set(),
        "control": set(),
    }

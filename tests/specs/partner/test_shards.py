"""Who is on which gateway, and who has to move when a partner comes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.specs.shards import Shards, shards, split
from tests.specs.stacks import GATEWAYS, stack

names = st.sets(st.text("abcdefgh", min_size=1, max_size=6), max_size=60).map(sorted)


def partner(name: str, **entry: Any) -> dict[str, Any]:
    inbound = {
        "host": f"{name}.example.com",
        "clientCertificate": {"ca": "ca", "subjectAltNames": ["a.example"]},
        "sourceRanges": ["192.0.2.1/32"],
        "routes": [{"path": "/v1", "to": "charging:http"}],
    }
    return {"name": name, "owner": "integrations@example.com", "inbound": inbound | entry}


def formed(partners: list[dict[str, Any]], **gateway: Any) -> Shards:
    declared = GATEWAYS | {"partners": GATEWAYS["partners"] | gateway}
    return shards(stack(partners=partners, gateways=declared))


def places(members: list[str], most: int) -> dict[str, str]:
    return {name: suffix for suffix, found in split(members, most) for name in found}


@settings(deadline=None)
@given(names, st.text("abcdefgh", min_size=1, max_size=6), st.integers(1, 9))
def test_a_partner_that_fits_in_moves_nobody(members: list[str], newcomer: str, most: int) -> None:
    before, after = places(members, most), places(sorted({*members, newcomer}), most)
    moved = [name for name in members if before[name] != after[name]]
    shared = [name for name in members if before[name] == _home(members, newcomer, most)]
    if newcomer in members or len(shared) < most:
        assert moved == []
    else:
        assert set(moved) <= set(shared)  # only the shard that overflows splits


def _home(members: list[str], newcomer: str, most: int) -> str:
    """The suffix of the leaf that a newcomer's hash leads to, before it is there."""
    from partner_mesh.specs.shards import _bits  # noqa: PLC0415  (the test follows the bits by hand)

    prefix, inside = "", list(members)
    while len(inside) > most:
        prefix += _bits(newcomer)[len(prefix)]
        inside = [name for name in inside if _bits(name).startswith(prefix)]
    return prefix.rstrip("0")


@given(names, st.integers(1, 9))
def test_every_partner_is_on_one_shard_and_none_is_too_full(members: list[str], most: int) -> None:
    leaves = list(split(members, most))
    assert sorted(name for _, found in leaves for name in found) == members
    assert all(len(found) <= most for _, found in leaves)
    assert len({suffix for suffix, _ in leaves}) == len(leaves)


def test_one_gateway_holds_all_until_it_overflows() -> None:
    few = formed([partner(f"p{index}") for index in range(3)], maxPartners=3)
    assert list(few.gateways) == ["partners"]
    more = formed([partner(f"p{index}") for index in range(4)], maxPartners=3)
    assert len(more.gateways) > 1
    assert next(iter(more.gateways)) == "partners"
    assert all(name == "partners" or name.startswith("partners-") for name in more.gateways)


def test_the_edge_holds_a_hundred_by_default() -> None:
    hundred = [partner(f"p{index:03}") for index in range(100)]
    assert len(formed(hundred, enforceAt="edge").gateways) == 1
    assert len(formed([*hundred, partner("p100")], enforceAt="edge").gateways) == 2
    assert len(formed([*hundred, partner("p100")]).gateways) == 1


def test_who_wants_the_edge_gets_a_gateway_beside() -> None:
    """On one gateway the static ALLOW of the others would admit what the edge refuses."""
    found = formed([partner("acme"), partner("globex", enforceAt="edge")])
    assert {name: (shard.enforce_at, shard.partners) for name, shard in found.gateways.items()} == {
        "partners": ("sidecar", ("acme",)),
        "partners-edge": ("edge", ("globex",)),
    }


def test_a_declared_gateway_is_there_without_partners() -> None:
    assert [shard.partners for shard in formed([]).gateways.values()] == [()]


def test_a_shard_does_not_take_a_declared_gateways_name() -> None:
    declared = GATEWAYS | {"partners-edge": {"direction": "ingress", "exposure": "partner"}}
    acme = partner("acme", enforceAt="edge", gateway="partners")
    with pytest.raises(ValueError, match="partners-edge"):
        shards(stack(partners=[acme], gateways=declared))

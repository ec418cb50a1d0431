"""A partner's pull request touches that partner: whoever else is there keeps every input and every dependency."""

from dataclasses import replace

import pytest

from components.program import deploy
from components.recording import Registration, record
from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from tests.engine.deployment import REPOSITORY


def registered(stack: Stack) -> dict[str, Registration]:
    """What the engine compares: outputs of components are lists of what is in them, and no resource of anybody."""
    recording = record(lambda: deploy(stack), stack=stack.name)
    return {one.urn: one if one.custom else replace(one, outputs=None) for one in recording}


@pytest.fixture(scope="module")
def dev() -> Stack:
    return load_stack("dev", REPOSITORY)


@pytest.fixture(scope="module")
def everybody(dev: Stack) -> dict[str, Registration]:
    return registered(dev)


@pytest.mark.parametrize("name", ["acme-mobile", "globex-telecom"])
def test_a_partner_that_leaves_takes_its_own_and_changes_nothing(
    name: str, dev: Stack, everybody: dict[str, Registration]
) -> None:
    """Seen from the other side: one that joins creates, and neither updates, replaces nor deletes anything."""
    others = tuple(partner for partner in dev.partners if partner.name != name)
    assert len(others) == len(dev.partners) - 1
    without = registered(dev.model_copy(update={"partners": others}))
    assert [one for one in without.values() if everybody.get(one.urn) != one] == []
    gone = [one for one in everybody.values() if one.urn not in without]
    assert [one for one in gone if one.name.startswith(f"{name}/")]

"""Recorded runs of the whole program, each made once for all tests that look at it."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from components.program import deploy
from components.recording import Registration, record
from components.shard import platform_outputs
from components.stand_in import StandIn
from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from tests.pulumi_mocks import Recorded

ROOT = Path(__file__).parents[2]


@cache
def environment(name: str) -> Stack:
    """A stack of the repository."""
    return load_stack(name, ROOT)


@cache
def run_of(name: str) -> Recorded:
    """The program's run of a stack of the repository."""
    return run(environment(name))


def run(stack: Stack) -> Recorded:
    """The program's run of any stack."""
    account = StandIn(exported=platform_outputs(stack))
    return Recorded(record(lambda: deploy(stack), stack=stack.name, stand_in=account))


def ancestors(recorded: Recorded, one: Registration) -> list[Registration]:
    """From a resource to the stack."""
    by_urn = {each.urn: each for each in recorded}
    found = []
    while one.parent_urn is not None:
        one = by_urn[one.parent_urn]
        found.append(one)
    return found


def changed(before: Recorded, after: Recorded) -> tuple[list[str], list[str], list[str]]:
    """What an `up` would touch: names created, deleted and updated, by the registrations of two runs."""
    first, second = ({one.urn: one for one in each} for each in (before, after))
    created = [one.name for urn, one in second.items() if urn not in first]
    deleted = [one.name for urn, one in first.items() if urn not in second]
    updated = [one.name for urn, one in second.items() if urn in first and one.custom and _differs(first[urn], one)]
    return created, deleted, updated


def _differs(before: Registration, after: Registration) -> bool:
    return before.inputs != after.inputs or before.protect != after.protect


def texts(value: Any) -> Sequence[str]:
    """Every string within a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts(inner)]
    return []

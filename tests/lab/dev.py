"""The project's own development stack, as the lab takes it."""

from functools import cache
from pathlib import Path
from typing import Any

from lab import stack as stacks
from lab import traffic
from lab.scenarios import Scenario
from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled

ROOT = Path(__file__).parents[2]


@cache
def stack() -> Stack:
    return load_stack("dev", ROOT)


@cache
def compiled() -> Compiled:
    return compile_stack(stack())


def objects() -> list[dict[str, Any]]:
    return stacks.objects(compiled())


@cache
def scenarios() -> list[Scenario]:
    """With addresses as they are without rendered charts."""
    return traffic.scenarios(stack(), objects())


def document(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """One object; KeyError lists what there is of the kind."""
    for each in objects():
        metadata = each["metadata"]
        if (each["kind"], metadata.get("namespace", ""), metadata["name"]) == (kind, namespace, name):
            return each
    raise KeyError([each["metadata"]["name"] for each in objects() if each["kind"] == kind])

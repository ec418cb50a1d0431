"""A plain command line, read without typer: of `--manifests DIR` the verbs that only judge.

Typer, and pydantic with it, take 0.15 s to load; judging a small folder takes 0.05. What is not as plain as `--name
value`, `--name=value` or a flag, whatever is wrong or asks for help is left to typer, and so is a stack: reading its
configuration loads both anyway.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from partner_mesh.cli.options import Argument, Ended, Option, Refusal

# Verb → module and the name in it: a function, or a Typer of its own for verbs with verbs below them.
VERBS: Final[dict[str, tuple[str, str]]] = {
    "validate": ("partner_mesh.cli.validate", "validate"),
    "plan": ("partner_mesh.cli.plan", "plan"),
    "render": ("partner_mesh.cli.render", "render"),
    "reach": ("partner_mesh.cli.reach", "reach"),
    "check": ("partner_mesh.cli.check", "check"),
    "diff": ("partner_mesh.cli.diff", "diff"),
    "picture": ("partner_mesh.cli.picture", "picture"),
    "upgrade": ("partner_mesh.cli.upgrade", "upgrade"),
    "cost": ("partner_mesh.cli.cost", "cost"),
    "onboard": ("partner_mesh.cli.onboard", "onboard"),
    "lab": ("partner_mesh.cli.lab", "lab"),
    "hairpin": ("partner_mesh.cli.hairpin", "hairpin"),
}
_PLAIN: Final = ("reach", "check")


def called(arguments: Sequence[str]) -> int | None:
    """The exit status of the verb; None where nothing was done, for typer to do it."""
    name = arguments[0] if arguments else ""
    judges = name in _PLAIN and any(each.startswith("--manifests") for each in arguments)
    if not judges or "_PARTNER_MESH_COMPLETE" in os.environ:
        return None
    verb = getattr(importlib.import_module(VERBS[name][0]), VERBS[name][1])
    given = parsed(verb, arguments[1:])
    if given is None:
        return None
    status = 0
    try:
        verb(**given)
    except Refusal as refusal:
        sys.stderr.write(f"partner-mesh {name}: {refusal}\n")
        status = 2
    except Ended as ended:
        status = ended.status
    except KeyboardInterrupt:
        status = 130
    return status


def parsed(verb: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any] | None:
    """What a verb is to be called with; None for a command line that is not plain."""
    options: dict[str, tuple[str, Any]] = {}
    places: list[tuple[str, Any]] = []
    for name, annotation in verb.__annotations__.items():
        match getattr(annotation, "__metadata__", ()):
            case (Option(flag, _),):
                options[flag] = name, annotation.__origin__
            case (Argument(),):
                places.append((name, annotation.__origin__))
    found: dict[str, Any] = {}
    left = list(arguments)
    while left:
        flag, equals, text = left.pop(0).partition("=")
        if flag in options:
            name, kind = options[flag]
            if kind is bool and equals:
                return None
            if kind is not bool and not equals:
                text = left.pop(0) if left else ""
        elif places:
            (name, kind), text = places.pop(0), flag + equals + text
        else:
            return None
        value = True if kind is bool else _value(kind, text)
        if value is None or name in found:
            return None
        found[name] = value
    return found


def _value(kind: Any, text: str) -> Any:
    """The text as a parameter's type has it; None for what typer must judge."""
    plain = [each for each in get_args(kind) if each is not NoneType] or [kind]
    if not text or text.startswith("-"):
        return None
    if plain[0] in (str, Path):
        return plain[0](text)
    if isinstance(plain[0], type) and issubclass(plain[0], Enum):
        return next((each for each in plain[0] if each.value == text), None)
    return None

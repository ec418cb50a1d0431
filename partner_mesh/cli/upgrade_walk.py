"""The way from one revision to another, written down: each step's edit, and what it changes on the cluster."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

from partner_mesh.cli.upgrade import edited, restarts
from partner_mesh.config import upgrade as machine
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import Step
from partner_mesh.model.serialize import dump
from partner_mesh.specs import Compiled, compile_stack

_SHOWN: Final = 9  # lines of a document that is new or gone


def steps(config: Stack, to: str) -> Iterator[tuple[Stack, Step]]:
    """Every step from stable to the new stable: the stack after it, and the step."""
    mesh = config.platform.mesh
    namespaces = machine.sidecar_namespaces(mesh, tuple(config.by_namespace))
    step: Step | None = machine.begin(mesh, to)
    while step is not None:
        config = at(config, step)
        yield config, step
        step = machine.forward(step.mesh, namespaces)


def at(config: Stack, step: Step) -> Stack:
    """The stack with the mesh of a step."""
    platform = config.platform.model_copy(update={"mesh": step.mesh})
    return config.model_copy(update={"platform": platform})


def changes(before: Compiled, after: Compiled) -> list[str]:
    """The difference on the cluster, as a unified diff of documents: releases first, then objects, then restarts."""
    old, new = _documents(before), _documents(after)
    found: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name, ""), new.get(name, "")
        if was != now:
            found += list(unified_diff(was.splitlines(), now.splitlines(), *_titles(name, was, now), lineterm="", n=1))
    return found


def _titles(name: str, was: str, now: str) -> tuple[str, str]:
    return (name if was else "(not there)"), (name if now else "(removed)")


def _documents(compiled: Compiled) -> dict[str, str]:
    releases = {
        f"release {chart.namespace}/{chart.name}": dump(
            {"chart": chart.chart, "version": chart.version, "values": chart.values}
        )
        for chart in sorted(compiled.charts, key=lambda each: each.name)
    }
    objects = {"/".join(filter(None, each.key)): dump(each.document()) for each in compiled}
    stamps = {
        f"restart of {each.namespace}/{each.name}": dump(each.document())
        for manifests in compiled.restarts.values()
        for each in manifests
    }
    return releases | objects | stamps


def markdown(config: Stack, text: str, to: str) -> str:
    """The walk as a page; `text` is the stack's file."""
    lines: list[str] = []
    name, before = f"Pulumi.{config.name}.yaml", compile_stack(config)
    for number, (stack, step) in enumerate(steps(config, to), 1):
        lines += [f"## {number}. {step.name[0].upper()}{step.name[1:]}", ""]
        lines += [f"- {change}" for change in step.changes]
        lines += [f"- {line}" for namespace in step.restarts for line in restarts(config, namespace)]
        now, after = edited(text, step.mesh), compile_stack(stack)
        lines += ["", "```diff"]
        lines += unified_diff(text.splitlines(), now.splitlines(), name, name, lineterm="", n=1)
        lines += ["```", "", "On the cluster:", "", "```diff", *_shortened(changes(before, after)), "```", ""]
        text, before = now, after
    return "\n".join(lines)


def _shortened(lines: list[str]) -> list[str]:
    """A whole release that appears or goes is told by its first lines."""
    found: list[str] = []
    alike, sign = 0, ""
    for line in lines:
        head = line.startswith(("---", "+++", "@@"))
        alike = 0 if head or line[:1] != sign else alike + 1
        sign = "" if head else line[:1]
        if sign in ("+", "-") and alike == _SHOWN:
            found.append(f"{sign}…")
        elif alike < _SHOWN or sign not in ("+", "-"):
            found.append(line)
    return found

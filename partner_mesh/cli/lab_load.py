"""`partner-mesh lab load` and `lab scale`: the mesh under traffic while things happen to it, and with many partners."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli import stack as stacks
from partner_mesh.cli.lab_common import faults, progress
from partner_mesh.cli.options import ConfigDir, Format, Output, StackName


class Way(StrEnum):
    """Where partners' requests are judged."""

    SIDECAR = "sidecar"
    EDGE = "edge"


def load(  # noqa: PLR0917  # each is an option of the command
    stack: StackName = "dev",
    case: Annotated[list[str] | None, typer.Option("--case", help="Only these, in order; all without it.")] = None,
    requests: Annotated[int, typer.Option(min=100, max=50_000, help="At least so many in each case.")] = 10_000,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Requests a second, over all callers.")] = 100.0,
    enforce_at: Annotated[Way | None, typer.Option(help="Instead of what the stack's partner gateways say.")] = None,
    config_dir: ConfigDir = Path(),
    output: Output = Format.TEXT,
) -> None:
    """Permitted traffic while partners come and go, programs die, pods are replaced. Status 1 if anything is lost."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import LabError  # noqa: PLC0415
        from lab.cases import played  # noqa: PLC0415  # needs Go and wheels; other verbs must start without
        from lab.crowd import enforced  # noqa: PLC0415
        from lab.faults import CASES  # noqa: PLC0415
        from lab.ground import Ground  # noqa: PLC0415
        from lab.load_report import table  # noqa: PLC0415

        known = {each.name: each for each in CASES}
        if unknown := [name for name in case or () if name not in known]:
            raise LabError(f"lab load: there is no case {', '.join(unknown)}; there are {', '.join(known)}")
        outcomes = []
        ground = Ground.open(config if enforce_at is None else enforced(config, enforce_at.value), progress)
        with ground.lab:
            for name in case or known:
                if not known[name].possible(ground):
                    progress(f"left out: {name}: {stack} has no partner of that kind")
                    continue
                outcomes.append(played(known[name], ground, rate=rate, requests=requests))
                progress(table(outcomes[-1:]))  # a case takes minutes: who waits shall see each
    if output is Format.JSON:
        typer.echo(json.dumps([each.document() for each in outcomes], indent=1))
    else:
        typer.echo(table(outcomes))
        typer.echo(f"\n{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} when it ended")
    if any(not each.passed for each in outcomes):
        raise typer.Exit(1)


def scale(
    stack: StackName = "dev",
    partners: Annotated[list[int] | None, typer.Option(min=1, max=2000, help="Only rows with so many.")] = None,
    enforce_at: Annotated[Way | None, typer.Option(help="Only rows that judge there.")] = None,
    config_dir: ConfigDir = Path(),
    output: Output = Format.TEXT,
) -> None:
    """What 10 to 1,000 partners like the stack's first cost: bytes, seconds, memory. Status 1 if a goal is missed."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import LabError  # noqa: PLC0415
        from lab.scale import SHAPES, measured  # noqa: PLC0415
        from lab.scale_report import misses, table  # noqa: PLC0415

        wanted = [
            shape
            for shape in SHAPES
            if (not partners or shape.partners in partners) and enforce_at in (None, shape.enforce_at)
        ]
        if not wanted:
            listed = ", ".join(f"{shape.partners} {shape.enforce_at}" for shape in SHAPES)
            raise LabError(f"lab scale: no row is so; there are {listed}")
        sizes = []
        for shape in wanted:
            sizes.append(measured(config, shape, progress))
            progress(table(sizes[-1:]))  # a row takes minutes: who waits shall see each
    typer.echo(json.dumps([size.document() for size in sizes], indent=1) if output is Format.JSON else table(sizes))
    if list(misses(sizes)):
        raise typer.Exit(1)

"""`partner-mesh plan STACK`: the whole program, run in process without a cloud, and what it would register."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from partner_mesh.cli.options import ConfigDir, Format, Output, StackName
from partner_mesh.cli.output import replace_folder
from partner_mesh.cli.render import files, objects
from partner_mesh.cli.stack import read
from partner_mesh.config.stack import Stack
from partner_mesh.model.serialize import dump
from partner_mesh.specs import compile_stack
from partner_mesh.specs.workload import deployment_patch

_WIDTH_OF_A_FILE: Final = 200  # columns, where nobody's terminal says


def plan(
    stack: StackName,
    config_dir: ConfigDir = Path(),
    out: Annotated[Path, typer.Option("--out", help="What is written goes below OUT/STACK.")] = Path("out"),
    full: Annotated[bool, typer.Option("--full", help="Name every resource.")] = False,  # noqa: FBT002 - a flag
    output: Output = Format.TEXT,
) -> None:
    """Show everything that the stack would register, and write it below out/STACK/."""
    config = read(stack, config_dir, json=output is Format.JSON)
    # Pulumi and its AWS types take seconds to load: not before the configuration is known to be right.
    from partner_mesh.cli import plan_report, plan_view  # noqa: PLC0415

    with _progress(stack) as step:
        planned = plan_report.plan_of(config, _registrations(config, step), config_dir)
        step("writing")
        document = json.dumps(plan_report.document(planned), indent=1, ensure_ascii=False) + "\n"
        written = _write(config, out / stack, document)
    if output is Format.JSON:
        sys.stdout.write(document)
        return
    console = Console(highlight=False)
    plan_view.show(
        planned, console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE), full=full
    )
    folder = out / stack
    typer.echo(f"\n{written} objects as YAML in {folder}/objects, every registration in {folder}/plan.json")
    if config.applications and config.platform.shared is None:
        typer.echo(f"what each application's Deployment must say in {folder}/applications")


def _registrations(stack: Stack, step: Callable[[str], None]) -> Any:
    """What the program registers. Loading it takes longer than running it for a small stack."""
    step("loading")
    from components.program import deploy  # noqa: PLC0415
    from components.recording import record  # noqa: PLC0415
    from components.shard import platform_outputs  # noqa: PLC0415
    from components.stand_in import StandIn  # noqa: PLC0415

    count = 0

    def seen(_type: str, name: str) -> None:
        nonlocal count
        count += 1
        if count % 20 == 0:
            step(f"{count} resources, {name}")

    account = StandIn(region=stack.region or "eu-central-1", exported=platform_outputs(stack))
    return record(lambda: deploy(stack), stack=stack.name, seen=seen, stand_in=account)


def _write(stack: Stack, folder: Path, document: str) -> int:
    """Everything below out/STACK in one go: objects, and what is not ours to deploy; how many objects there are."""
    manifests = objects(stack, compile_stack(stack))
    found = {f"objects/{name}": text for name, text in files(manifests).items()}
    patches = {f"applications/{name}.yaml": dump(deployment_patch(stack, name)) for name in stack.applications}
    replace_folder(folder, {"plan.json": document, **patches, **found})
    return len(found)


@contextmanager
def _progress(stack: str) -> Iterator[Callable[[str], None]]:
    """Says what is going on where somebody watches; one line where the output is a file or a job's log."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"planning {stack} …")
        yield lambda _what: None
        return
    with console.status(f"planning {stack}") as status:
        yield lambda what: status.update(f"planning {stack}: {what}")

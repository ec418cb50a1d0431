"""`partner-mesh upgrade status|next|back STACK`: where the upgrade stands, and one step of it as an edit of the file.

The file keeps its comments and its layout: only `mesh.revision` and `mesh.upgrade` change.
"""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from partner_mesh.cli.stack import read
from partner_mesh.config import upgrade as machine
from partner_mesh.config.mesh import Mesh
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import Step

upgrade = typer.Typer(
    no_args_is_help=True, help="Walk Istio's canary upgrade, a step at a time.", rich_markup_mode=None
)

StackName = Annotated[str, typer.Argument(metavar="STACK", help="The stack: Pulumi.STACK.yaml.")]
ConfigDir = Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")]
Format = Annotated[str, typer.Option("--format", help="text or json.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what the step would change; write nothing.")]


@upgrade.command()
def status(stack: StackName, config_dir: ConfigDir = Path(), format: Format = "text") -> None:  # noqa: A002 - the option's name
    """Where the upgrade stands, and what the next step and the step back would change."""
    _checked(format)
    config = read(stack, config_dir)
    mesh, namespaces = config.platform.mesh, _namespaces(config)
    steps = {"next": machine.forward(mesh, namespaces), "back": machine.back(mesh)}
    if format == "json":
        typer.echo(json.dumps(_status(mesh, namespaces, steps), indent=2))
        return
    typer.echo(f"{stack}: {machine.state(mesh, namespaces).value}, revision {mesh.revision}")
    if mesh.upgrade is not None:
        typer.echo(f"  going to {mesh.upgrade.to}")
    for name in namespaces:
        typer.echo(f"  {name}: {machine.revision_of(mesh, name)}")
    typer.echo(f"  gateways: {machine.gateway_revision(mesh)}")
    for name, step in steps.items():
        if step is not None:
            _tell(f"{name}:", step, config)
    if mesh.upgrade is None:
        typer.echo(f"next: partner-mesh upgrade next {stack} --to REVISION")


@upgrade.command("next")
def next_(
    stack: StackName,
    to: Annotated[str | None, typer.Option("--to", help="From stable: the revision to go to, as 1-32-0.")] = None,
    config_dir: ConfigDir = Path(),
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command
) -> None:
    """Take the next step: edit the stack's file and say what it changes and what restarts."""

    def step(config: Stack) -> Step:
        mesh = config.platform.mesh
        if (found := machine.forward(mesh, _namespaces(config))) is not None:
            if to is not None and mesh.upgrade is not None and to != mesh.upgrade.to:
                raise _refused(
                    f"an upgrade to {mesh.upgrade.to} is under way; step back to stable before going to {to}"
                )
            return found
        if to is None:
            raise _refused(f"{stack} is stable: say where to go with --to REVISION, as 1-32-0")
        return machine.begin(mesh, to)

    _take(stack, config_dir, step, dry_run=dry_run)


@upgrade.command()
def back(
    stack: StackName,
    to: Annotated[str | None, typer.Option("--to", help="From stable: the old revision to install again.")] = None,
    config_dir: ConfigDir = Path(),
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command
) -> None:
    """Take one step back."""

    def step(config: Stack) -> Step:
        mesh = config.platform.mesh
        if (found := machine.back(mesh)) is not None:
            return found
        if to is None:
            raise _refused(f"{stack} is stable: say with --to which old revision to install again")
        return machine.reinstate(mesh, to, _namespaces(config))

    _take(stack, config_dir, step, dry_run=dry_run)


def _take(stack: str, config_dir: Path, choose: Callable[[Stack], Step], *, dry_run: bool) -> None:
    config = read(stack, config_dir)
    step = choose(config)
    faults = list(machine.faults(step.mesh, _namespaces(config)))
    if faults:
        raise _refused("; ".join(f"{reason}: {remedy}" for _, reason, remedy in faults))
    _tell("would" if dry_run else "did", step, config)
    if not dry_run:
        file = config_dir / f"Pulumi.{stack}.yaml"
        text = edited(file.read_text(encoding="utf-8"), step.mesh)
        unfinished = file.with_suffix(".yaml.part")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
        typer.echo(f"wrote {file}")


def edited(text: str, mesh: Mesh) -> str:
    """The stack's file with the mesh's revision and upgrade replaced, comments and layout kept."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    section: CommentedMap = document["config"]["partner-mesh:platform"]["mesh"]
    section["revision"] = mesh.revision
    if mesh.upgrade is None:
        section.pop("upgrade", None)
    else:
        value = CommentedMap(mesh.upgrade.model_dump(by_alias=True, exclude_defaults=True))
        if "namespaces" in value:
            value["namespaces"] = CommentedSeq(value["namespaces"])
            value["namespaces"].fa.set_flow_style()
        value.fa.set_flow_style()
        if "upgrade" in section:
            section["upgrade"] = value
        else:
            section.insert(list(section).index("revision") + 1, "upgrade", value)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _tell(what: str, step: Step, config: Stack) -> None:
    typer.echo(f"{what} {step.name}")
    for change in step.changes:
        typer.echo(f"  {change}")
    for namespace in step.restarts:
        workloads = config.by_namespace.get(namespace, ()) or tuple(config.platform.gateways)
        typer.echo(f"  restart in {namespace}: {', '.join(workloads)}")


def _status(mesh: Mesh, namespaces: Sequence[str], steps: dict[str, Step | None]) -> dict[str, Any]:
    return {
        "state": machine.state(mesh, namespaces).name.lower(),
        "revision": mesh.revision,
        "to": mesh.upgrade.to if mesh.upgrade else None,
        "namespaces": {name: machine.revision_of(mesh, name) for name in namespaces},
        "gateways": machine.gateway_revision(mesh),
        "steps": {
            name: {"name": step.name, "changes": list(step.changes), "restarts": list(step.restarts)}
            for name, step in steps.items()
            if step is not None
        },
    }


def _namespaces(config: Stack) -> tuple[str, ...]:
    return tuple(config.by_namespace)


def _checked(format_: str) -> None:
    if format_ not in ("text", "json"):
        raise _refused(f"--format {format_}: text or json")


def _refused(reason: str) -> typer.Exit:
    typer.echo(f"partner-mesh upgrade: {reason}", err=True)
    return typer.Exit(2)

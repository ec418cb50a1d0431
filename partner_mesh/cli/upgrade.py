"""`partner-mesh upgrade status|next|back STACK`: where the upgrade stands, and one step of it as an edit of the file.

The file keeps every byte but those of `mesh.revision` and `mesh.upgrade`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from ruamel.yaml import YAML

from partner_mesh.cli.options import ConfigDir, Format, Output, Refusal, StackName
from partner_mesh.cli.stack import read
from partner_mesh.cli.yaml_edit import EditError, remove, set_value
from partner_mesh.config import upgrade as machine
from partner_mesh.config.mesh import Mesh, Upgrade
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import Step

upgrade = typer.Typer(
    no_args_is_help=True, help="Walk Istio's canary upgrade, a step at a time.", rich_markup_mode=None
)

_MESH: Final = ("config", "partner-mesh:platform", "mesh")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what the step would change; write nothing.")]


@upgrade.command()
def status(stack: StackName, config_dir: ConfigDir = Path(), output: Output = Format.TEXT) -> None:
    """Where the upgrade stands, and what the next step and the step back would change."""
    config = read(stack, config_dir)
    mesh, namespaces = config.platform.mesh, _namespaces(config)
    steps = {"next": machine.forward(mesh, namespaces), "back": machine.back(mesh)}
    if output is Format.JSON:
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
                raise Refusal(f"an upgrade to {mesh.upgrade.to} is under way; step back to stable before going to {to}")
            return found
        if to is None:
            raise Refusal(f"{stack} is stable: say where to go with --to REVISION, as 1-32-0")
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
            raise Refusal(f"{stack} is stable: say with --to which old revision to install again")
        return machine.reinstate(mesh, to, _namespaces(config))

    _take(stack, config_dir, step, dry_run=dry_run)


def _take(stack: str, config_dir: Path, choose: Callable[[Stack], Step], *, dry_run: bool) -> None:
    config = read(stack, config_dir)
    step = choose(config)
    faults = list(machine.faults(step.mesh, _namespaces(config)))
    if faults:
        raise Refusal("; ".join(f"{reason}: {remedy}" for _, reason, remedy in faults))
    file = config_dir / f"Pulumi.{stack}.yaml"
    try:
        text = edited(file.read_bytes().decode("utf-8"), step.mesh)
        if not dry_run:
            unfinished = file.with_suffix(".yaml.part")
            unfinished.write_bytes(text.encode("utf-8"))
            unfinished.replace(file)
    except EditError as error:
        raise Refusal(f"{file} was left as it is: {error}") from None
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error.strerror or error}") from None
    _tell("would" if dry_run else "did", step, config)
    if not dry_run:
        typer.echo(f"wrote {file}")


@upgrade.command()
def check(
    stack: StackName,
    base: Annotated[Path, typer.Option("--base", help="A folder with the configuration that is deployed.")],
    config_dir: ConfigDir = Path(),
) -> None:
    """Whether the configuration may follow the one that is deployed (or the pull request's base): status 1 if not."""
    before, after = read(stack, base).platform.mesh, read(stack, config_dir)
    found = list(machine.transition_faults(before, after.platform.mesh, _namespaces(after)))
    for reason, remedy in found:
        typer.echo(f"{stack}: {reason}; {remedy}", err=True)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{stack}: a legal step")


@upgrade.command()
def walk(
    stack: StackName,
    to: Annotated[str, typer.Option("--to", help="The revision to go to, as 1-32-0.")],
    config_dir: ConfigDir = Path(),
) -> None:
    """The whole way there as Markdown: each step's edit of the file, and what it changes on the cluster."""
    from partner_mesh.cli import upgrade_walk  # noqa: PLC0415 - compiles, which the other verbs need not wait for

    config = read(stack, config_dir)
    if config.platform.mesh.upgrade is not None:
        raise Refusal(f"{stack} is on its way already: see partner-mesh upgrade status {stack}")
    faults = list(machine.faults(machine.begin(config.platform.mesh, to).mesh, _namespaces(config)))
    if faults:
        raise Refusal("; ".join(f"{reason}: {remedy}" for _, reason, remedy in faults))
    text = (config_dir / f"Pulumi.{stack}.yaml").read_bytes().decode("utf-8")
    typer.echo(upgrade_walk.markdown(config, text, to), nl=False)


def edited(text: str, mesh: Mesh) -> str:
    """The stack's file with the mesh's revision and upgrade replaced and every other byte as it was.

    Raises EditError where they are not written in it, or not in a way that can be edited.
    """
    body = text.removeprefix("\ufeff")
    mark, before = text[: len(text) - len(body)], body
    body = set_value(body, (*_MESH, "revision"), mesh.revision)
    if mesh.upgrade is None:
        body = remove(body, (*_MESH, "upgrade"))
    else:
        value = mesh.upgrade.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        body = set_value(body, (*_MESH, "upgrade"), value, after="revision")
    _proven(before, body, mesh)
    return mark + body


def _proven(before: str, after: str, mesh: Mesh) -> None:
    """Read again, the text says the new state, and else what it said before."""
    documents = [YAML(typ="safe", pure=True).load(text) for text in (before, after)]
    sections = [document["config"]["partner-mesh:platform"]["mesh"] for document in documents]
    upgrade = sections[1].get("upgrade")
    said = (sections[1]["revision"], None if upgrade is None else Upgrade.model_validate(upgrade))
    for section in sections:
        section.pop("revision", None)
        section.pop("upgrade", None)
    if said != (mesh.revision, mesh.upgrade) or documents[0] != documents[1]:
        raise EditError("anchors or merged keys: write revision and upgrade out below mesh")


def _tell(what: str, step: Step, config: Stack) -> None:
    typer.echo(f"{what} {step.name}")
    for change in step.changes:
        typer.echo(f"  {change}")
    for namespace in step.restarts:
        for line in restarts(config, namespace):
            typer.echo(f"  {line}")


def restarts(config: Stack, namespace: str) -> Iterator[str]:
    """What restarts in a namespace (or `gateways`): what the step does by itself, and what is left to people."""
    if namespace == "gateways":
        yield f"restarts by itself: {', '.join(config.platform.gateways)}"
        return
    for name in config.by_namespace.get(namespace, ()):
        deployments = config.applications[name].deployments
        if deployments:
            yield f"restarts by itself: {', '.join(deployments)}"
        else:
            yield f"to restart by hand: the workloads of {name} (or name its deployments in the configuration)"


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
    return machine.sidecar_namespaces(config.platform.mesh, tuple(config.by_namespace))

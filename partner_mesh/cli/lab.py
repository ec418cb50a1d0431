"""`partner-mesh lab`: the real API server, istiod and Envoy, on this machine; a verb a function."""

import json
import secrets
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from partner_mesh.cli import lab_load
from partner_mesh.cli import stack as stacks
from partner_mesh.cli.lab_common import conclude, faults, progress
from partner_mesh.cli.options import ConfigDir, Format, Output, StackName

lab = typer.Typer(
    no_args_is_help=True,
    help="Prove a stack on a real API server, istiod and Envoy, here and now.",
    rich_markup_mode=None,
)

Running = Annotated[str | None, typer.Option("--stack", help="Whose lab, if several are running.")]


Edited = Annotated[
    Path | None,
    typer.Option("--objects", help="Deploy the objects of this folder, as `render --out` wrote it and you edited it."),
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML files or folders of objects.")]


class Tier(StrEnum):
    """What `lab test` can be narrowed to."""

    VALIDATE = "validate"
    APPLY = "apply"
    TRAFFIC = "traffic"


@lab.command("test")
def prove(  # noqa: PLR0917  # each is an option of the command
    stack: StackName = "dev",
    tier: Annotated[Tier | None, typer.Option("--tier", help="Only this one: validate, apply or traffic.")] = None,
    objects: Edited = None,
    running: Annotated[  # noqa: FBT002  # a flag of the command
        bool, typer.Option("--running", help="Ask the lab that `lab up` left running, as it is now; traffic only.")
    ] = False,
    config_dir: ConfigDir = Path(),
    output: Output = Format.TEXT,
) -> None:
    """Istio's tools, an API server with its webhook, requests through Envoy: three tiers. Status 1 if one fails."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import LabError, home, standing, verdict  # noqa: PLC0415  # needs wheels; others must start without

        if running and (objects is not None or tier not in {None, Tier.TRAFFIC}):
            raise LabError("lab test: --running asks requests of what runs: it takes neither --objects nor other tiers")
        if running:
            found = standing.asked(config, home.the_one(stack), progress)
        else:
            found = verdict.judged(config, None if tier is None else tier.value, progress, objects)
    conclude(stack, found, output)


@lab.command()
def up(stack: StackName = "dev", objects: Edited = None, config_dir: ConfigDir = Path()) -> None:
    """Start a lab that keeps running, and print requests to try."""
    config = stacks.read(stack, config_dir)
    with faults():
        from lab import home, standing  # noqa: PLC0415

        if stack in home.running():
            typer.echo(f"the lab of {stack} is running already; stop it with: partner-mesh lab down", err=True)
        else:
            hold = home.Hold.of_stack(stack)
            standing.start(config, hold.folder, progress, objects)
            hold.release()
        for call in standing.calls(config, home.folder(stack)):
            typer.echo(f"\n# {call.note}\n{call.line}")
        typer.echo(f"\n# stop it\npartner-mesh lab down --stack {stack}")


@lab.command()
def apply(files: Files, stack: Running = None) -> None:
    """Write objects into a running lab, in place of what is there."""
    _change(files, stack, "applied", gone=False)


@lab.command()
def delete(files: Files, stack: Running = None) -> None:
    """Take objects out of a running lab."""
    _change(files, stack, "deleted", gone=True)


def _change(files: list[Path], stack: str | None, done: str, *, gone: bool) -> None:
    with faults():
        from lab import edited, home, standing  # noqa: PLC0415

        folder = home.the_one(stack)
        objects = [each for file in files for each in edited.read(file).values()]
        standing.changed(folder, [] if gone else objects, objects if gone else [])
    for each in objects:
        where = "/".join(filter(None, (each["metadata"].get("namespace"), each["metadata"]["name"])))
        typer.echo(f"{done}: {each['kind']} {where}")


@lab.command()
def request(  # noqa: PLR0917  # each is an option of the command
    method: Annotated[str, typer.Argument(help="As GET.")],
    path: Annotated[str, typer.Argument(help="As /v1/status.")],
    partner: Annotated[str | None, typer.Option(help="Call as this partner: its host, certificate, address.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="The client's address, or a workload as charging/charging.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Host or Service to call; default: the partner's host.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: the partner's, 80 from a workload, 443 else.")] = None,
    host: Annotated[str | None, typer.Option(help="The Host header, if it is another than --to.")] = None,
    server_name: Annotated[str | None, typer.Option(help="SNI, if it is another than --to.")] = None,
    certificate: Annotated[str, typer.Option(help="own, none, expired, stranger, or another partner's name.")] = "own",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="As 'x-api-version: 2'.")] = None,
    stack: Running = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one request and say which layer decides: what Envoy did, and what the analyser says of it."""
    with faults():
        from lab import home, standing  # noqa: PLC0415

        asked = standing.Request(
            method, path, partner, source, to, port, host, server_name, certificate, tuple(header or ())
        )
        answer = standing.sent(home.the_one(stack), asked)
    if output is Format.JSON:
        typer.echo(json.dumps(answer.document(), indent=1))
    else:
        typer.echo(answer.text())
    if not answer.agree:
        raise typer.Exit(1)


@lab.command()
def fidelity(  # noqa: PLR0917  # each is an option of the command
    stack: StackName = "dev",
    probes: Annotated[int, typer.Option(min=1, help="How many questions; the pairwise ones are always asked.")] = 2500,
    seed: Annotated[
        int | None, typer.Option(help="Of the random ones; printed, so that a run can be repeated.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Also write the table as Markdown, to this file.")] = None,
    config_dir: ConfigDir = Path(),
    output: Output = Format.TEXT,
) -> None:
    """Put the same questions to the analyser and to Envoy; status 1 if they differ."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import standing  # noqa: PLC0415

        run = standing.compared(config, probes, secrets.randbelow(1 << 32) if seed is None else seed, progress)
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(run.markdown(write.as_posix()), encoding="utf-8")
    if output is Format.JSON:
        typer.echo(json.dumps({"seed": run.seed, "outcomes": [each.document() for each in run.outcomes]}))
    else:
        typer.echo(run.text())
    if run.different:
        raise typer.Exit(1)


@lab.command()
def overlay(stack: StackName = "dev", config_dir: ConfigDir = Path(), output: Output = Format.TEXT) -> None:
    """What the lab changes of the objects that would be deployed, each change with its reason; starts nothing."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import verdict  # noqa: PLC0415

        found = verdict.overlaid(config, progress)
    conclude(stack, [found], output)


@lab.command()
def status(stack: Running = None, output: Output = Format.TEXT) -> None:
    """What runs, where, and whether all of it is alive."""
    with faults():
        from lab import home  # noqa: PLC0415
        from lab.control import Lab  # noqa: PLC0415

        folder = home.the_one(stack)
        found = dict(Lab.running(folder).status())
    if output is Format.JSON:
        typer.echo(json.dumps(found, indent=1))
    else:
        typer.echo("\n".join(_status_lines(folder, found)))
    if any(not process["alive"] for process in found["processes"].values()):
        raise typer.Exit(1)


@lab.command()
def down(stack: Running = None) -> None:
    """Stop a lab and remove its files."""
    with faults():
        from lab import home  # noqa: PLC0415
        from lab.control import Lab  # noqa: PLC0415

        folder = home.the_one(stack)
        Lab.running(folder).stop()
        shutil.rmtree(folder, ignore_errors=True)
    typer.echo(f"the lab of {folder.name} is stopped")


def _status_lines(folder: Path, found: dict[str, Any]) -> Iterator[str]:
    yield f"the lab of {folder.name}, logs in {folder / 'logs'}"
    for name, process in found["processes"].items():
        yield f"  {'running' if process['alive'] else 'ENDED  '} {process['pid']:>6} {name}"
    for title, entries in (("hosts of ours", found["hosts"]), ("hosts of partners", found["remotes"])):
        yield f"{title}:"
        yield from (f"  {address:<16} {host}" for host, address in entries.items())
    yield f"requests answered: {sum(found['requests'].values())}"


lab.command()(lab_load.load)
lab.command()(lab_load.scale)

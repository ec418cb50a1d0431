"""`partner-mesh diff STACK --against REF`: what a change of configuration changes, and whom it lets in or keeps out."""

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.differences import Change
from partner_mesh.cli import reference
from partner_mesh.cli.stack import read
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import transition_faults
from partner_mesh.report import diff_json, diff_markdown, diff_text

FORMATS: Final = ("text", "json", "markdown", "html")
GATES: Final = ("never", "gained", "lost", "any")


def diff(  # noqa: PLR0917 - typer makes options of arguments
    stack: Annotated[str, typer.Argument(metavar="STACK", help="The stack: Pulumi.STACK.yaml.")],
    against: Annotated[
        str, typer.Option("--against", metavar="REF", help="A git revision, a folder, a saved plan, or `cluster`.")
    ],
    context: Annotated[str | None, typer.Option("--context", help="The kubeconfig's context for `cluster`.")] = None,
    config_dir: Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")] = Path(),
    format: Annotated[str, typer.Option("--format", help="text, json, markdown or html.")] = "text",  # noqa: A002 - the option's name
    fail_on: Annotated[
        str, typer.Option("--fail-on", help="Status 1 for access gained, lost, any, or never.")
    ] = "never",
    layers: Annotated[
        bool | None,
        typer.Option("--layers/--no-layers", help="Ask each layer alone too. [default: where that is cheap]"),
    ] = None,
    artefact: Annotated[str, typer.Option("--artefact", help="Where the full report lies, for a cut one.")] = "",
    max_bytes: Annotated[int, typer.Option("--max-bytes", help="Cut markdown to so many bytes.")] = diff_markdown.ROOM,
) -> None:
    """Compare a stack with what it was: objects field by field, and access in sentences.

    Status 0, whatever changes, unless --fail-on asks; 1 also for an upgrade step that may not follow; 2 for bad input.
    """
    try:
        if format not in FORMATS or fail_on not in GATES:
            wrong = f"--format {format}: {', '.join(FORMATS)}"
            raise reference.UnknownReferenceError(
                wrong if format not in FORMATS else f"--fail-on {fail_on}: {', '.join(GATES)}"
            )
        config = read(stack, config_dir, json=format == "json")
        found = reference.sides(against, config, config_dir, context)
    except reference.UnknownReferenceError as error:
        typer.echo(f"partner-mesh diff: {error}", err=True)
        raise typer.Exit(2) from None
    comparison = compared(
        found.before,
        found.after,
        subject=stack,
        against=found.title,
        layers=layers,
        transitions=_transitions(found.stack, config) if found.stack is not None else (),
    )
    sys.stdout.write(shown(comparison, format, artefact, max_bytes))
    if comparison.transitions or _gated(comparison, fail_on):
        raise typer.Exit(1)


def _transitions(before: Stack, after: Stack) -> tuple[tuple[str, str], ...]:
    """Why today's state of an upgrade may not follow that of the other side."""
    namespaces = sorted({each.namespace for each in after.applications.values()})
    return tuple(transition_faults(before.platform.mesh, after.platform.mesh, namespaces))


def _gated(comparison: Comparison, fail_on: str) -> bool:
    wanted = {
        "never": (),
        "gained": (Change.GAINED, Change.DOUBTFUL),
        "lost": (Change.LOST,),
        "any": tuple(Change),
    }[fail_on]
    changes = [each.change for each in comparison.accesses] + [each.change for each in comparison.handshakes]
    return any(each in wanted for each in changes)


def shown(comparison: Comparison, format: str, artefact: str, max_bytes: int) -> str:  # noqa: A002 - the option's name
    """The comparison in a format."""
    match format:
        case "json":
            return json.dumps(diff_json.document(comparison), indent=1, ensure_ascii=False) + "\n"
        case "markdown":
            return diff_markdown.text(comparison, artefact, max_bytes)
        case "html":
            page = importlib.import_module("partner_mesh.report.html")  # large, and nobody else needs it
            return str(page.diff_page(comparison))
        case _:
            return diff_text.text(comparison, colour=sys.stdout.isatty())

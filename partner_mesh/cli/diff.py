"""`partner-mesh diff STACK|--manifests DIR --against REF`: what changes, and whom that lets in or keeps out."""

import importlib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.differences import Change
from partner_mesh.cli import reference
from partner_mesh.cli.options import AnyStack, Artefact, ConfigDir, Manifests, MaxBytes, Page, PageFormat, Refusal
from partner_mesh.cli.stack import read
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import transition_faults
from partner_mesh.report import diff_json, diff_markdown, diff_text


class Gate(StrEnum):
    """Which changes of access end with status 1."""

    NEVER = "never"
    GAINED = "gained"
    LOST = "lost"
    ANY = "any"


def diff(  # noqa: PLR0917 - typer makes options of arguments
    stack: AnyStack = None,
    against: Annotated[
        str, typer.Option("--against", metavar="REF", help="A git revision, a folder, a saved plan, or `cluster`.")
    ] = "",
    manifests: Manifests = None,
    context: Annotated[str | None, typer.Option("--context", help="The kubeconfig's context for `cluster`.")] = None,
    config_dir: ConfigDir = Path(),
    output: Page = PageFormat.TEXT,
    fail_on: Annotated[Gate, typer.Option("--fail-on", help="Status 1 for such changes of access.")] = Gate.NEVER,
    layers: Annotated[
        bool | None,
        typer.Option("--layers/--no-layers", help="Ask each layer alone too. [default: where that is cheap]"),
    ] = None,
    artefact: Artefact = "",
    max_bytes: MaxBytes = diff_markdown.ROOM,
) -> None:
    """Compare a stack, or a folder of manifests, with what it was: objects field by field, and access in sentences.

    Status 0, whatever changes, unless --fail-on asks; 1 also for an upgrade step that may not follow; 2 for bad input.
    """
    if not against:
        raise Refusal("name with --against what to compare with: a git revision, a folder, a saved plan or `cluster`")
    if (stack is None) is (manifests is None):
        raise Refusal("name one of STACK and --manifests DIR")
    if manifests is not None:
        found = reference.folder_sides(against, manifests, context)
        comparison = compared(found.before, found.after, subject=str(manifests), against=found.title, layers=layers)
    else:
        config = read(stack or "", config_dir, json=output is PageFormat.JSON)
        found = reference.sides(against, config, config_dir, context)
        transitions = _transitions(found.stack, config) if found.stack is not None else ()
        comparison = compared(
            found.before, found.after, subject=str(stack), against=found.title, layers=layers, transitions=transitions
        )
    sys.stdout.write(shown(comparison, output, artefact, max_bytes))
    if comparison.transitions or _gated(comparison, fail_on):
        raise typer.Exit(1)


def _transitions(before: Stack, after: Stack) -> tuple[tuple[str, str], ...]:
    """Why today's state of an upgrade may not follow that of the other side."""
    namespaces = sorted({each.namespace for each in after.applications.values()})
    return tuple(transition_faults(before.platform.mesh, after.platform.mesh, namespaces))


def _gated(comparison: Comparison, fail_on: Gate) -> bool:
    wanted = {
        Gate.NEVER: (),
        Gate.GAINED: (Change.GAINED, Change.DOUBTFUL),
        Gate.LOST: (Change.LOST,),
        Gate.ANY: tuple(Change),
    }[fail_on]
    changes = [each.change for each in comparison.accesses] + [each.change for each in comparison.handshakes]
    return any(each in wanted for each in changes)


def shown(comparison: Comparison, output: PageFormat, artefact: str, max_bytes: int) -> str:
    """The comparison in a format."""
    match output:
        case PageFormat.JSON:
            return json.dumps(diff_json.document(comparison), indent=1, ensure_ascii=False) + "\n"
        case PageFormat.MARKDOWN:
            return diff_markdown.text(comparison, artefact, max_bytes)
        case PageFormat.HTML:
            page = importlib.import_module("partner_mesh.report.html")  # large, and nobody else needs it
            return str(page.diff_page(comparison))
        case _:
            return diff_text.text(comparison, colour=sys.stdout.isatty())

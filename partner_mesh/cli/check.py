"""`partner-mesh check`: what should never be, of a stack, a folder of YAML, a cluster, and of certificates."""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
import yaml

from partner_mesh.analysis import certificates as judge
from partner_mesh.analysis.certificate_uses import uses
from partner_mesh.analysis.invariants import Facts, Finding, Severity, examined
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.suppressions import Judged, Suppression, SuppressionError, applied
from partner_mesh.analysis.suppressions import read as read_suppressions
from partner_mesh.report import check_json, check_markdown, check_text, sarif

if TYPE_CHECKING:
    from partner_mesh.config.stack import Stack

FORMATS: Final = ("text", "json", "markdown", "html", "sarif")
SUPPRESSIONS: Final = "partner-mesh.suppressions.yaml"


class Mistake(Exception):  # noqa: N818 - it is the person's, not the program's
    """What was asked for cannot be answered; the text is for the person who asked."""


def check(  # noqa: PLR0917 - typer makes options of arguments
    stack: Annotated[str | None, typer.Argument(metavar="[STACK]", help="The stack: Pulumi.STACK.yaml.")] = None,
    manifests: Annotated[Path | None, typer.Option("--manifests", help="A folder or file of YAML instead.")] = None,
    context: Annotated[str | None, typer.Option("--context", help="A cluster of the kubeconfig instead.")] = None,
    config_dir: Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")] = Path(),
    certificates: Annotated[
        Path | None, typer.Option("--certificates", help="A folder of secrets: NAME/tls.crt …")
    ] = None,
    live: Annotated[list[str] | None, typer.Option("--live", help="HOST[:PORT], asked for its certificate.")] = None,
    suppressions: Annotated[
        Path | None, typer.Option("--suppressions", help=f"Agreed exceptions; {SUPPRESSIONS} if it is there.")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="text, json, markdown, html or sarif.")] = "text",  # noqa: A002 - the option's name
    artefact: Annotated[str, typer.Option("--artefact", help="Where the full report lies, for a cut one.")] = "",
    max_bytes: Annotated[int, typer.Option("--max-bytes", help="Cut markdown to so many bytes.")] = check_markdown.ROOM,
    fail_on: Annotated[str, typer.Option("--fail-on", help="Status 1 from this severity: error or warning.")] = "error",
) -> None:
    """Judge invariants: each finding says which object, why, and what to do. Status 1 if any stands."""
    today = datetime.now(UTC).date()
    try:
        _asked(format, fail_on)
        agreed = _agreed(suppressions, config_dir)
        loaded, declared = _objects(stack, manifests, context, config_dir, alone=bool(certificates or live))
        found = examined(Facts(loaded, today)) if loaded is not None else []
        found += judge.declared(declared, today)
        found += _certificates(loaded, certificates, live or [], declared)
    except (Mistake, SuppressionError) as error:
        typer.echo(f"partner-mesh check: {error}", err=True)
        raise typer.Exit(2) from None
    judged = applied(found, agreed, today)
    sys.stdout.write(shown(judged, loaded, format, artefact, max_bytes))
    worst = Severity.ERROR.rank if fail_on == "error" else Severity.WARNING.rank
    if any(each.severity.rank <= worst for each in judged.findings):
        raise typer.Exit(1)


def _asked(format: str, fail_on: str) -> None:  # noqa: A002 - the option's name
    if format not in FORMATS:
        raise Mistake(f"--format {format}: {', '.join(FORMATS)}")
    if fail_on not in ("error", "warning"):
        raise Mistake(f"--fail-on {fail_on}: error or warning")


def _agreed(file: Path | None, config_dir: Path) -> tuple[Suppression, ...]:
    """The suppressions; none without a file, unless one was named."""
    path = file or config_dir / SUPPRESSIONS
    if not path.exists():
        if file is None:
            return ()
        raise Mistake(f"{file}: no such file")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Mistake(f"{path}: not readable as YAML: {error}") from None
    return read_suppressions(entries, str(path))


def _objects(
    stack: str | None, manifests: Path | None, context: str | None, config_dir: Path, *, alone: bool
) -> tuple[Loaded | None, list[judge.Declared]]:
    """The objects of the one source that was named, and what partners declare of certificates. `alone`: none may be."""
    named = sum(each is not None for each in (stack, manifests, context))
    if named == 0 and alone:
        return None, []
    if named != 1:
        raise Mistake("name one of STACK, --manifests DIR and --context NAME")
    from partner_mesh.cli import objects  # noqa: PLC0415 - configuration takes longer to load than to judge

    try:
        if manifests is not None:
            return objects.of_folder(manifests), []
        if context is not None:
            return objects.of_cluster(context), []
    except objects.ObjectsError as error:
        raise Mistake(str(error)) from None
    from partner_mesh.cli.stack import read  # noqa: PLC0415

    config = read(stack or "", config_dir)
    return objects.of_stack(config, config_dir), list(_declared(config))


def _declared(stack: "Stack") -> Iterator[judge.Declared]:
    for partner in stack.partners:
        for fact in partner.certificates:
            yield judge.Declared(f"{partner.name}/{fact.name}", fact.not_after, fact.fingerprint or "")


def _certificates(
    loaded: Loaded | None, folder: Path | None, live: Sequence[str], declared: Sequence[judge.Declared]
) -> Iterator[Finding]:
    if folder is None and not live:
        return
    from partner_mesh.cli import certificates  # noqa: PLC0415

    now = datetime.now(UTC)
    known = uses(loaded) if loaded is not None else {}
    facts = [judge.Declared(each.name.rpartition("/")[2], each.not_after, each.fingerprint) for each in declared]
    try:
        for each in certificates.of_folder(folder) if folder is not None else ():
            yield from judge.bundle(each, known.get(each.name, judge.Use(each.name)), facts, now)
        for endpoint in live:
            shown, use = certificates.of_endpoint(endpoint)
            yield from judge.bundle(shown, use, (), now)
    except certificates.CertificateError as error:
        raise Mistake(str(error)) from None


def shown(judged: Judged, loaded: Loaded | None, format: str, artefact: str, max_bytes: int) -> str:  # noqa: A002 - the option's name
    """The findings in a format."""
    notes = loaded.notes if loaded is not None else ()
    match format:
        case "json":
            return json.dumps(check_json.document(judged, notes), indent=1, ensure_ascii=False) + "\n"
        case "markdown":
            return check_markdown.text(judged, artefact, max_bytes)
        case "sarif":
            return json.dumps(sarif.document(judged), indent=1, ensure_ascii=False) + "\n"
        case "html":
            page = importlib.import_module("partner_mesh.report.html")  # large, and nobody else needs it
            return str(page.check_page(judged))
        case _:
            return check_text.text(judged, notes, colour=sys.stdout.isatty())

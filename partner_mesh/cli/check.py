"""`partner-mesh check`: what should never be, of a stack, a folder of YAML, a cluster, and of certificates."""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import yaml

from partner_mesh.analysis import certificates as judge
from partner_mesh.analysis.certificate_uses import uses
from partner_mesh.analysis.invariants import Facts, Finding, Severity, examined
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.suppressions import Judged, Suppression, SuppressionError, applied
from partner_mesh.analysis.suppressions import read as read_suppressions
from partner_mesh.cli import objects
from partner_mesh.cli.options import AnyStack, Artefact, ConfigDir, Context, Ended, Manifests, MaxBytes, Option, Refusal
from partner_mesh.report import check_json, check_markdown, check_text, sarif

if TYPE_CHECKING:
    from partner_mesh.config.stack import Stack

SUPPRESSIONS: Final = "partner-mesh.suppressions.yaml"


class CheckFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    SARIF = "sarif"


class Gate(StrEnum):
    """The least severity that ends with status 1."""

    ERROR = "error"
    WARNING = "warning"


def check(  # noqa: PLR0917 - typer makes options of arguments
    stack: AnyStack = None,
    manifests: Manifests = None,
    context: Context = None,
    config_dir: ConfigDir = Path(),
    certificates: Annotated[Path | None, Option("--certificates", "A folder of secrets: NAME/tls.crt …")] = None,
    live: Annotated[list[str] | None, Option("--live", "HOST[:PORT], asked for its certificate.")] = None,
    suppressions: Annotated[
        Path | None, Option("--suppressions", f"Agreed exceptions; {SUPPRESSIONS} if it is there.")
    ] = None,
    output: Annotated[
        CheckFormat, Option("--format", "For people, programs, pages, code scanning.")
    ] = CheckFormat.TEXT,
    artefact: Artefact = "",
    max_bytes: MaxBytes = check_markdown.ROOM,
    fail_on: Annotated[Gate, Option("--fail-on", "Status 1 from this severity on.")] = Gate.ERROR,
) -> None:
    """Judge invariants: each finding says which object, why, and what to do. Status 1 if any stands."""
    today = datetime.now(UTC).date()
    try:
        agreed = _agreed(suppressions, config_dir)
        loaded, declared = _objects(stack, manifests, context, config_dir, alone=bool(certificates or live))
        found = examined(Facts(loaded, today)) if loaded is not None else []
        found += judge.declared(declared, today)
        found += _certificates(loaded, certificates, live or [], declared)
    except SuppressionError as error:
        raise Refusal(str(error)) from None
    judged = applied(found, agreed, today)
    sys.stdout.write(shown(judged, loaded, output, artefact, max_bytes))
    worst = Severity.ERROR.rank if fail_on is Gate.ERROR else Severity.WARNING.rank
    if any(each.severity.rank <= worst for each in judged.findings):
        raise Ended(1)


def _agreed(file: Path | None, config_dir: Path) -> tuple[Suppression, ...]:
    """The suppressions; none without a file, unless one was named."""
    path = file or config_dir / SUPPRESSIONS
    if not path.exists():
        if file is None:
            return ()
        raise Refusal(f"{file}: no such file")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refusal(f"{path}: not readable as YAML: {error}") from None
    return read_suppressions(entries, str(path))


def _objects(
    stack: str | None, manifests: Path | None, context: str | None, config_dir: Path, *, alone: bool
) -> tuple[Loaded | None, list[judge.Declared]]:
    """The objects of the one source that was named, and what partners declare of certificates. `alone`: none may be."""
    if alone and stack is None and manifests is None and context is None:
        return None, []
    if stack is None or manifests is not None or context is not None:
        return objects.asked(stack, manifests, context, config_dir), []
    from partner_mesh.cli.stack import read  # noqa: PLC0415 - configuration takes longer to load than to judge

    config = read(stack, config_dir)
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
    for each in certificates.of_folder(folder) if folder is not None else ():
        yield from judge.bundle(each, known.get(each.name, judge.Use(each.name)), facts, now)
    for endpoint in live:
        shown, use = certificates.of_endpoint(endpoint)
        yield from judge.bundle(shown, use, (), now)


def shown(judged: Judged, loaded: Loaded | None, output: CheckFormat, artefact: str, max_bytes: int) -> str:
    """The findings in a format."""
    notes = loaded.notes if loaded is not None else ()
    match output:
        case CheckFormat.JSON:
            return json.dumps(check_json.document(judged, notes), indent=1, ensure_ascii=False) + "\n"
        case CheckFormat.MARKDOWN:
            return check_markdown.text(judged, artefact, max_bytes)
        case CheckFormat.SARIF:
            return json.dumps(sarif.document(judged), indent=1, ensure_ascii=False) + "\n"
        case CheckFormat.HTML:
            page = importlib.import_module("partner_mesh.report.html")  # large, and nobody else needs it
            return str(page.check_page(judged))
        case _:
            return check_text.text(judged, notes, colour=sys.stdout.isatty())

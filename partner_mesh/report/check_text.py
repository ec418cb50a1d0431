"""Findings for a terminal: the worst first, each with its remedy below it."""

from collections.abc import Iterator, Sequence
from typing import Final

from partner_mesh.analysis.invariants import INVARIANTS, Severity
from partner_mesh.analysis.resources import Note
from partner_mesh.analysis.suppressions import Judged
from partner_mesh.report.check_json import counts

COLOURS: Final = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.INFO: "\033[36m"}


def text(judged: Judged, notes: Sequence[Note] = (), *, colour: bool = False) -> str:
    """Everything, as one text."""
    return "".join(f"{line}\n" for line in _lines(judged, notes, colour=colour))


def summary(judged: Judged) -> str:
    """How many findings there are of each severity."""
    found = counts(judged)
    said = ", ".join(f"{found[each.value]} {each.value}{'' if found[each.value] == 1 else 's'}" for each in Severity)
    borne = f", {len(judged.suppressed)} suppressed" if judged.suppressed else ""
    return f"{said}{borne}".replace("infos", "info")


def _lines(judged: Judged, notes: Sequence[Note], *, colour: bool) -> Iterator[str]:
    for each in sorted(judged.findings, key=lambda finding: finding.severity.rank):
        severity = each.severity.value
        shown = f"{COLOURS[each.severity]}{severity}\033[0m" if colour else severity
        at = f" ({each.source})" if each.source.file else ""
        yield f"{shown} {each.identifier} {each.object}{at}"
        yield f"    {each.reason}"
        yield f"    {each.remedy}"
    for finding, by in judged.suppressed:
        yield f"suppressed {finding.identifier} {finding.object} until {by.expires}: {by.reason}"
    yield from (f"note: {note}" for note in notes)
    yield f"{summary(judged)} ({len(INVARIANTS)} invariants)"

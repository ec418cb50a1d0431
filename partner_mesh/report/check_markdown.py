"""Findings for a pull request or a page: a table, the worst first."""

from collections.abc import Iterator, Sequence
from typing import Final

from partner_mesh.analysis.invariants import Finding, Severity
from partner_mesh.analysis.suppressions import Judged
from partner_mesh.report.check_text import summary
from partner_mesh.report.diff_markdown import fitting

ROOM: Final = 59_000  # bytes
MARKS: Final = {Severity.ERROR: "🔴", Severity.WARNING: "🟡", Severity.INFO: "🔵"}


def text(judged: Judged, artefact: str = "", limit: int = ROOM) -> str:
    """The section, with its heading, in at most `limit` bytes of UTF-8; `artefact` says where all of it is."""
    whole = list(lines(judged))
    kept = fitting(whole, limit - 200)
    if len(kept) < len(whole):
        rest = f"… {len(whole) - len(kept)} more lines. The rest is in {artefact or 'the full report of this run'}."
        kept += ["", rest]
    return "".join(f"{line}\n" for line in kept)


def lines(judged: Judged) -> Iterator[str]:
    """The heading, the count and the table."""
    yield "### Invariants"
    yield ""
    yield f"{summary(judged)}"
    known = [each for each in judged.findings if each.severity is Severity.INFO]
    yield from _table([each for each in judged.findings if each.severity is not Severity.INFO])
    if known:
        yield ""
        yield f"<details><summary>{len(known)} worth knowing</summary>"
        yield from _table(known)
        yield ""
        yield "</details>"
    if judged.suppressed:
        yield ""
        yield f"<details><summary>{len(judged.suppressed)} suppressed</summary>"
        yield ""
        for finding, by in judged.suppressed:
            yield f"- {finding.identifier} `{finding.object}` until {by.expires}: {by.reason}"
        yield ""
        yield "</details>"


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    """The worst first; nothing for none."""
    if findings:
        yield ""
        yield "| | rule | object | why | remedy |"
        yield "|---|---|---|---|---|"
    for each in sorted(findings, key=lambda finding: finding.severity.rank):
        at = f"<br>{each.source}" if each.source.file else ""
        cells = (MARKS[each.severity], each.identifier, f"`{each.object}`{at}", each.reason, each.remedy)
        yield f"| {' | '.join(cell(one) for one in cells)} |"


def cell(text_: str) -> str:
    """A table's cell: one line, without a bar of its own."""
    return text_.replace("|", "\\|").replace("\n", " ")

"""Findings for a pull request or a page: a table, the worst first."""

from collections.abc import Iterator

from partner_mesh.analysis.invariants import Severity
from partner_mesh.analysis.suppressions import Judged
from partner_mesh.report.check_text import summary

MARKS = {Severity.ERROR: "🔴", Severity.WARNING: "🟡", Severity.INFO: "🔵"}


def text(judged: Judged) -> str:
    """The section, with its heading."""
    return "".join(f"{line}\n" for line in lines(judged))


def lines(judged: Judged) -> Iterator[str]:
    """The heading, the count and the table."""
    yield "### Invariants"
    yield ""
    yield f"{summary(judged)}"
    if judged.findings:
        yield ""
        yield "| | rule | object | why | remedy |"
        yield "|---|---|---|---|---|"
    for each in sorted(judged.findings, key=lambda finding: finding.severity.rank):
        at = f"<br>{each.source}" if each.source.file else ""
        cells = (MARKS[each.severity], each.identifier, f"`{each.object}`{at}", each.reason, each.remedy)
        yield f"| {' | '.join(cell(one) for one in cells)} |"
    if judged.suppressed:
        yield ""
        yield f"<details><summary>{len(judged.suppressed)} suppressed</summary>"
        yield ""
        for finding, by in judged.suppressed:
            yield f"- {finding.identifier} `{finding.object}` until {by.expires}: {by.reason}"
        yield ""
        yield "</details>"


def cell(text_: str) -> str:
    """A table's cell: one line, without a bar of its own."""
    return text_.replace("|", "\\|").replace("\n", " ")

"""The table as Markdown."""

from collections.abc import Iterator

from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.results import Results
from partner_mesh.report.reach_text import label, reason, requests_text, summary


def lines(results: Results, *, denied: bool = False) -> Iterator[str]:
    """A table row for each connection; refusals are counted, and shown only where they are asked for."""
    yield f"**Who can talk to whom:** {summary(results)}"
    yield ""
    yield "| source | destination | verdict | ports | requests | decided by |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for each in results.connections():
        if each.verdict is Verdict.DENIED and not denied:
            continue
        cells = (
            label(each.source), label(each.destination), each.verdict.value, str(each.ports), requests_text(each.http),
            reason(each.decided_by),
        )  # fmt: skip
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    if results.notes:
        yield ""
        yield from (f"- {note}" for note in results.notes)

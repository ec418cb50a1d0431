"""The table as Markdown."""

from collections.abc import Iterator

from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.results import Results
from partner_mesh.report.reach_text import label, merged, summary


def lines(results: Results, *, denied: bool = False) -> Iterator[str]:
    """A table row for each connection; refusals are counted, and shown only where they are asked for."""
    yield f"**Who can talk to whom:** {summary(results)}"
    yield ""
    yield "| source | destination | verdict | ports | requests | decided by |"
    yield "| --- | --- | --- | --- | --- | --- |"
    shown = (each for each in results.connections() if denied or each.verdict is not Verdict.DENIED)
    for each in merged(shown, why=True):
        cells = (
            label(each.source), label(each.destination), each.verdict.value, str(each.ports), each.requests,
            each.because,
        )  # fmt: skip
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    if results.notes:
        yield ""
        yield from (f"- {note}" for note in results.notes)

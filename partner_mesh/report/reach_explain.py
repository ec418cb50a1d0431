"""One question, layer by layer: what each says, and the file and line of the object that makes it say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from partner_mesh.analysis.explain import Step, place, steps
from partner_mesh.analysis.layers import Because, Opinion
from partner_mesh.analysis.results import Connection, Decisions, Results
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table
from partner_mesh.report.reach_text import label, requests_text


def lines(table: Table, results: Results, ports: PortSet, root: Path | None) -> Iterator[str]:
    """Every pair of the results, and every journey."""
    for source, destination, decisions in results.pairs():
        yield f"{label(source)} -> {label(destination)}"
        for step in steps(table.reach, source, destination, ports):
            yield from _step(step, root)
        yield from _verdict(decisions)
        yield ""
    for journey in results.journeys:
        yield f"{label(journey.source)} -> {label(journey.destination)}, through a gateway"
        yield f"  = {journey.verdict.value}: {_what(journey)}"
        yield from (f"      {_object(each, root)}" for each in journey.decided_by)
        yield ""


def _step(step: Step, root: Path | None) -> Iterator[str]:
    if not step.opinions:
        yield f"  {step.layer}: takes no part"
    for opinion in step.opinions:
        yield f"  {step.layer}: {opinion.verdict.value} {_what(opinion)}"
        yield from (f"      {_object(each, root)}" for each in opinion.because)


def _verdict(decisions: Decisions) -> Iterator[str]:
    for each in decisions:
        layer = each.decided_by[0].layer if each.decided_by else ""
        by = f", by {layer}" if layer and each.verdict.value != "allowed" else ""
        yield f"  = {each.verdict.value}: {_what(each)}{by}"


def _what(piece: Any) -> str:
    requests = requests_text(piece.http)
    return f"{piece.ports} {requests}".rstrip()


def _object(because: Because, root: Path | None) -> str:
    at = place(because, root)
    where = f" ({at})" if at is not None else ""
    return f"{because.object}{where}" + (f": {because.reason}" if because.reason else "")


def document(table: Table, results: Results, ports: PortSet, root: Path | None) -> dict[str, Any]:
    """The same for programs."""
    return {
        "version": 1,
        "questions": [
            {
                "source": str(source),
                "destination": str(destination),
                "layers": [
                    {"layer": step.layer, "opinions": [_opinion(each, root) for each in step.opinions]}
                    for step in steps(table.reach, source, destination, ports)
                ],
                "verdicts": [{"verdict": each.verdict.value, "ports": str(each.ports)} for each in decisions],
            }
            for source, destination, decisions in results.pairs()
        ],
        "journeys": [_journey(each, root) for each in results.journeys],
    }


def _opinion(opinion: Opinion, root: Path | None) -> dict[str, Any]:
    return {
        "verdict": opinion.verdict.value,
        "ports": str(opinion.ports),
        "http": None if opinion.http is None else opinion.http.document(),
        "because": [_because(each, root) for each in opinion.because],
    }


def _journey(journey: Connection, root: Path | None) -> dict[str, Any]:
    return {
        "source": str(journey.source),
        "destination": str(journey.destination),
        "verdict": journey.verdict.value,
        "ports": str(journey.ports),
        "http": None if journey.http is None else journey.http.document(),
        "because": [_because(each, root) for each in journey.decided_by],
    }


def _because(because: Because, root: Path | None) -> dict[str, Any]:
    at = place(because, root)
    shown: dict[str, Any] = because.document()
    if at is not None:
        shown |= {"file": at.file, "line": at.line}
    return shown

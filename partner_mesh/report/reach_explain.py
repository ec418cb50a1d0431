"""One question, layer by layer: what each says, and the file and line of the object that makes it say so."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from partner_mesh.analysis.explain import Step, place, steps
from partner_mesh.analysis.layers import Because, Opinion, Verdict
from partner_mesh.analysis.results import Connection, Decision, Decisions, Results
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table
from partner_mesh.report.reach_text import label, requests_text

_Piece = tuple[Verdict, PortSet, Any, tuple[str, ...]]


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
    pieces = ((each.verdict, each.ports, each.http, tuple(_objects(each.because, root))) for each in step.opinions)
    for verdict, what, objects in _together(pieces):
        yield f"  {step.layer}: {verdict} {what}"
        yield from (f"      {each}" for each in objects)


def _verdict(decisions: Decisions) -> Iterator[str]:
    pieces = ((each.verdict, each.ports, each.http, (_by(each),)) for each in decisions)
    for verdict, what, (by,) in _together(pieces):
        yield f"  = {verdict}: {what}{by}"


def _by(decision: Decision) -> str:
    layer = decision.decided_by[0].layer if decision.decided_by else ""
    return f", by {layer}" if layer and decision.verdict is not Verdict.ALLOWED else ""


def _together(pieces: Iterable[_Piece]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Pieces that differ in nothing that is shown but ports, as one."""
    found: dict[tuple[str, str, tuple[str, ...]], list[PortSet]] = {}
    for verdict, ports, http, said in pieces:
        found.setdefault((verdict.value, requests_text(http), said), []).append(ports)
    for (word, requests, said), parts in found.items():
        yield word, f"{PortSet.union(parts)} {requests}".rstrip(), said


def _what(piece: Connection) -> str:
    return f"{piece.ports} {requests_text(piece.http)}".rstrip()


def _objects(because: Iterable[Because], root: Path | None) -> Iterator[str]:
    return (_object(each, root) for each in because)


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

"""The table as JSON (`schema/reach.v1.json`), written piece by piece: a large one is never held whole."""

import json
from collections.abc import Iterator
from typing import Any

from partner_mesh.analysis.layers import Endpoint
from partner_mesh.analysis.results import VERSION, Decision, Results, distinct, endpoint_documents, note_document


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def chunks(results: Results) -> Iterator[str]:
    """The document as text, a connection a line; joined it is what `Results.document()` holds."""
    yield f'{{"version": {VERSION}, "connections": ['
    separator = "\n"
    ends: dict[Endpoint, list[str]] = {}
    bodies: dict[int, tuple[Decision, list[str]]] = {}

    def end(endpoint: Endpoint) -> list[str]:
        known = ends.get(endpoint)
        if known is None:
            known = ends[endpoint] = [_text(each) for each in endpoint_documents(endpoint)]
        return known

    def body(decision: Decision) -> list[str]:
        # By identity: equal answers are one object, and hashing one anew for each pair would cost more than the rest.
        known = bodies.get(id(decision))
        if known is None:
            known = bodies[id(decision)] = decision, list(_bodies(decision))
        return known[1]

    for source, destination, decisions in results.pairs():
        ones, others = end(source), end(destination)
        for decision in decisions:
            texts = body(decision)
            for one in ones:
                for other in others:
                    for text in texts:
                        yield f'{separator}{{"source": {one}, "destination": {other}, {text}'
                        separator = ",\n"
    for journey in results.journeys:
        for document in journey.documents():
            yield separator + _text(document)
            separator = ",\n"
    yield f'\n], "notes": {_text([note_document(each) for each in results.notes])}}}\n'


def _bodies(decision: Decision) -> Iterator[str]:
    """All of a connection but its ends: one for each protocol."""
    rest = {
        "http": None if decision.http is None else decision.http.document(),
        "verdict": decision.verdict.value,
        "decidedBy": distinct(decision.decided_by),
    }
    for protocol, ports in decision.ports.by_protocol():
        yield _text({"protocol": protocol, "ports": [list(each) for each in ports], **rest})[1:]

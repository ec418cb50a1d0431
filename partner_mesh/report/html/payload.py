"""The table as the page's script reads it: every text once, equal answers once, equal rows once.

Shape: `{"endpoints": [[text, kind, namespace]], "layers": [[name, letter]],
"becauses": [[layer, object, reason, place]], "https": [[{hosts, methods, paths, when?}]],
"decisions": [[verdict, ports, http or -1, [because]]], "classes": [[decision]],
"rows": [[[class, [first, count, first, count…]]]], "sources": [[endpoint, row]],
"journeys": [[source, destination, decision]], "partners": {name: {"inbound": [journey], "outbound": [journey]}},
"counts", "notes"}`. Everything that refers to another list does so by number.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from partner_mesh.analysis.layers import (
    AUTHORISATION,
    EGRESS_REGISTRY,
    MUTUAL_TLS,
    NETWORK_POLICY,
    ROUTE,
    SECURITY_GROUP,
    Addresses,
    Because,
    Client,
    Endpoint,
    ExternalHost,
    IngressController,
    Partner,
    Workload,
)
from partner_mesh.analysis.results import Connection, Decision, Decisions, Results
from partner_mesh.analysis.selectors import Mask
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.model.names import PARTNER_LABEL
from partner_mesh.model.record import dataclass, field
from partner_mesh.report.html.text import seen
from partner_mesh.report.reach_text import label

LAYERS: Final = (  # in the order in which a packet meets them; the letter stands in the matrix
    (SECURITY_GROUP, "S"),
    (NETWORK_POLICY, "N"),
    (MUTUAL_TLS, "M"),
    (AUTHORISATION, "A"),
    (ROUTE, "R"),
    (EGRESS_REGISTRY, "E"),
)


@dataclass(slots=True)
class _Numbered:
    """A list without repetitions; `number` says where a value stands in it."""

    values: list[Any] = field(default_factory=list)
    _known: dict[Hashable, int] = field(default_factory=dict)

    def number(self, key: Hashable, value: Any) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.values)
            self.values.append(value)
        return found


def payload(results: Results) -> dict[str, Any]:
    """The whole table, ready for JSON."""
    return _Payload(results).document()


class _Payload:
    def __init__(self, results: Results) -> None:
        self.results = results
        self.endpoints = _Numbered()
        self.becauses = _Numbered()
        self.https = _Numbered()
        self.decisions = _Numbered()
        self.classes = _Numbered()
        self.rows = _Numbered()
        self.layers = _Numbered()
        # By identity: equal answers are mostly one object, and hashing one anew for each row costs more than the rest.
        # The object is kept beside its number, for an id may be given again once its object is gone.
        self._answers: dict[int, tuple[Decisions, int]] = {}
        self._spans: dict[Mask, tuple[int, ...]] = {}
        for name, letter in LAYERS:
            self.layers.number(name, [name, letter])

    def document(self) -> dict[str, Any]:
        for endpoint in self.results.endpoints:
            self._endpoint(endpoint)
        sources = [
            [position, self._row(row)] for position, row in zip(self.results.sources, self.results.rows, strict=True)
        ]
        # The same answer to the same caller from several addresses is told once.
        journeys: dict[tuple[int, int, int], Connection] = {}
        for each in self.results.journeys:
            journeys.setdefault(self._journey(each), each)
        return {
            "endpoints": self.endpoints.values,
            "sources": sources,
            "rows": self.rows.values,
            "classes": self.classes.values,
            "journeys": list(journeys),
            "partners": _partners(tuple(journeys.values()), self.results.endpoints),
            "decisions": self.decisions.values,
            "https": self.https.values,
            "becauses": self.becauses.values,
            "layers": self.layers.values,
            "counts": {verdict.value: count for verdict, count in self.results.count().items()},
            "notes": [seen(str(note)) for note in self.results.notes],
        }

    def _endpoint(self, endpoint: Endpoint) -> int:
        # The same caller from several addresses is one to a reader: clients are told apart by what they are called.
        key = str(endpoint) if isinstance(endpoint, Client) else endpoint
        return self.endpoints.number(key, [seen(_name(endpoint)), *_kind(endpoint)])

    def _row(self, row: Iterable[tuple[Mask, Decisions]]) -> int:
        parts = tuple((self._class(decisions), self._span(mask)) for mask, decisions in row)
        return self.rows.number(parts, [[number, list(spans)] for number, spans in parts])

    def _class(self, decisions: Decisions) -> int:
        known = self._answers.get(id(decisions))
        if known is None:
            numbers = tuple(self._decision(each) for each in decisions)
            known = self._answers[id(decisions)] = decisions, self.classes.number(numbers, list(numbers))
        return known[1]

    def _span(self, mask: Mask) -> tuple[int, ...]:
        found = self._spans.get(mask)
        if found is None:
            found = self._spans[mask] = tuple(number for pair in spans(mask) for number in pair)
        return found

    def _journey(self, journey: Connection) -> tuple[int, int, int]:
        decision = Decision(journey.verdict, journey.ports, journey.decided_by, journey.http)
        return self._endpoint(journey.source), self._endpoint(journey.destination), self._decision(decision)

    def _decision(self, decision: Decision) -> int:
        because = tuple(dict.fromkeys(self._because(each) for each in decision.decided_by))
        http = -1
        if decision.http is not None:
            document = [_requests(each) for each in decision.http.document()]
            http = self.https.number(repr(document), document)
        value = decision.verdict.value, str(decision.ports), http, because
        return self.decisions.number(value, [*value[:3], list(because)])

    def _because(self, because: Because) -> int:
        layer = self.layers.number(because.layer, [seen(because.layer), because.layer[:1].upper()])
        place = str(because.resource.source) if because.resource is not None and because.resource.source.file else ""
        value = layer, seen(because.object), seen(because.reason), seen(place)
        return self.becauses.number(value, list(value))


def _partners(journeys: Sequence[Connection], endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Each partner's journeys by number: as the caller, and towards a host that its objects declare."""
    found: dict[str, dict[str, list[int]]] = {}
    owners = owners_of_hosts(journeys)

    def of(name: str) -> dict[str, list[int]]:
        return found.setdefault(name, {"inbound": [], "outbound": []})

    for endpoint in endpoints:
        if isinstance(endpoint, Partner):
            of(seen(endpoint.name))
    for number, journey in enumerate(journeys):
        source = journey.source
        if isinstance(source, Partner):
            of(seen(source.name))["inbound"].append(number)
        elif isinstance(source, Client) and source.beside:
            of(seen(source.beside))["inbound"].append(number)
        for name in owners.get(journey.destination, {}):
            of(seen(name))["outbound"].append(number)
    return dict(sorted(found.items()))


def owners_of_hosts(journeys: Iterable[Connection]) -> dict[Endpoint, dict[str, None]]:
    """The partners to whom outside hosts belong: those that the entries which make them known are labelled with.

    Other objects on the way serve several partners and say nothing of the host.
    """
    found: dict[Endpoint, dict[str, None]] = {}
    for journey in journeys:
        if not isinstance(journey.destination, ExternalHost):
            continue
        for each in journey.decided_by:
            if each.layer == EGRESS_REGISTRY and each.resource is not None and PARTNER_LABEL in each.resource.labels:
                found.setdefault(journey.destination, {})[each.resource.labels[PARTNER_LABEL]] = None
    return found


def _name(endpoint: Endpoint) -> str:
    """An endpoint's whole name: it is what the page searches."""
    whole = isinstance(endpoint, Addresses) and endpoint.addresses in (AddressSet.V4, AddressSet.V6)
    return label(endpoint) if whole else str(endpoint)


def _kind(endpoint: Endpoint) -> tuple[str, str]:
    match endpoint:
        case Workload(_, namespace, _):
            return "workload", seen(namespace)
        case Partner():
            return "partner", ""
        case Client():
            return "client", ""
        case ExternalHost():
            return "host", ""
        case IngressController():
            return "ingress controller", ""
    return "addresses", ""


def _requests(box: dict[str, Any]) -> dict[str, Any]:
    return {key: [seen(str(each)) for each in values] for key, values in box.items()}


def spans(mask: Mask) -> Iterator[tuple[int, int]]:
    """The runs of ones in a mask, as (first, how many), lowest first."""
    first = 0
    while mask:
        zeros = (mask & -mask).bit_length() - 1
        mask >>= zeros
        first += zeros
        ones = (~mask & (mask + 1)).bit_length() - 1
        yield first, ones
        mask >>= ones
        first += ones

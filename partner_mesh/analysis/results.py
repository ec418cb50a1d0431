"""The table of who can talk to whom: compressed while it is computed, expanded connection by connection on demand.

The published form is `schema/reach.v1.json`. A field is added there, never changed, without a new version.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from partner_mesh.analysis.layers import Addresses, Because, Endpoint, HttpSet, Verdict
from partner_mesh.analysis.resources import Note
from partner_mesh.analysis.selectors import Mask, positions
from partner_mesh.analysis.sets import PortSet
from partner_mesh.model.record import dataclass, field

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of some ports (and, where HTTP is told apart, of some requests on them), and who decided.

    An `allowed` names every object that lets the connection pass, a `denied` the one that refuses it, an `unknown`
    what could not be told.
    """

    verdict: Verdict
    ports: PortSet
    decided_by: tuple[Because, ...]
    http: HttpSet | None = None


Decisions = tuple[Decision, ...]
Row = tuple[tuple[Mask, Decisions], ...]  # destinations → what is decided, for one source


@dataclass(frozen=True, slots=True)
class Connection:
    """One decision between two endpoints."""

    source: Endpoint
    destination: Endpoint
    verdict: Verdict
    ports: PortSet
    decided_by: tuple[Because, ...]
    http: HttpSet | None = None

    def documents(self) -> Iterator[dict[str, Any]]:
        """The connection as the published form has it."""
        return connection_documents(
            self.source, self.destination, self.ports, self.http, self.decided_by, verdict=self.verdict
        )


def connection_documents(
    source: Endpoint,
    destination: Endpoint,
    ports: PortSet,
    http: HttpSet | None,
    decided_by: tuple[Because, ...],
    *,
    verdict: Verdict | None,
) -> Iterator[dict[str, Any]]:
    """A connection in the published form: one entry a protocol, and a CIDR where addresses are meant.

    `verdict` is None where the context says it (a comparison's gained and lost): then the key is left out.
    """
    said = {} if verdict is None else {"verdict": verdict.value}
    requests = None if http is None else http.document()
    deciding = distinct(decided_by)
    for source_document in endpoint_documents(source):
        for destination_document in endpoint_documents(destination):
            for protocol, numbers in ports.by_protocol():
                yield {
                    "source": source_document,
                    "destination": destination_document,
                    "protocol": protocol,
                    "ports": [list(each) for each in numbers],
                    "http": requests,
                    **said,
                    "decidedBy": deciding,
                }


def endpoint_documents(endpoint: Endpoint) -> list[dict[str, Any]]:
    """An endpoint as the published form has it; a set of addresses is several, one for each CIDR."""
    if isinstance(endpoint, Addresses):
        return [{"cidr": cidr} for cidr in endpoint.addresses.cidrs()]
    return [endpoint.document()]


def distinct(because: Sequence[Because]) -> list[dict[str, Any]]:
    """Reasons without repetition: two rules of one policy are one object."""
    found: list[dict[str, Any]] = []
    for each in because:
        document = each.document()
        if document not in found:
            found.append(document)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Every verdict. `rows[i]` belongs to the endpoint `sources[i]`; masks number `endpoints`.

    `journeys` are the connections that lead through a gateway: partners, users and applications that call outside.
    """

    endpoints: tuple[Endpoint, ...]
    sources: tuple[int, ...]
    rows: tuple[Row, ...]
    notes: tuple[Note, ...] = ()
    journeys: tuple[Connection, ...] = ()
    _by_source: Mapping[int, Row] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_source", dict(zip(self.sources, self.rows, strict=True)))

    def pairs(self) -> Iterator[tuple[Endpoint, Endpoint, Decisions]]:
        """(source, destination, decisions) of every direct pair, both in the order of `endpoints`."""
        for source, row in zip(self.sources, self.rows, strict=True):
            answers: dict[int, Decisions] = {}
            for mask, decisions in row:
                for destination in positions(mask):
                    answers[destination] = decisions
            for destination in sorted(answers):
                yield self.endpoints[source], self.endpoints[destination], answers[destination]

    def connections(self) -> Iterator[Connection]:
        """Every connection: pair by pair, then the journeys."""
        for source, destination, decisions in self.pairs():
            for each in decisions:
                yield Connection(source, destination, each.verdict, each.ports, each.decided_by, each.http)
        yield from self.journeys

    def between(self, source: Endpoint, destination: Endpoint) -> Decisions:
        """The decisions for one pair; none where the pair was not asked about."""
        bit = 1 << self.endpoints.index(destination)
        for mask, decisions in self._by_source.get(self.endpoints.index(source), ()):
            if mask & bit:
                return decisions
        return ()

    def count(self) -> dict[Verdict, int]:
        """How many connections there are of each verdict, without expanding them."""
        found = dict.fromkeys(Verdict, 0)
        for row in self.rows:
            for mask, decisions in row:
                for decision in decisions:
                    found[decision.verdict] += mask.bit_count()
        for journey in self.journeys:
            found[journey.verdict] += 1
        return found

    def document(self) -> dict[str, Any]:
        """The published form, whole. A large table is better written with `partner_mesh.report.reach_json`."""
        return {
            "version": VERSION,
            "connections": [document for each in self.connections() for document in each.documents()],
            "notes": [note_document(note) for note in self.notes],
        }


def note_document(note: Note) -> dict[str, Any]:
    """A note as the published form has it."""
    return {"file": note.source.file, "line": note.source.line, "text": note.text}

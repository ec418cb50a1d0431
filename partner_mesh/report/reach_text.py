"""The table for a terminal: connections by source, and a grid like a truth table."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from partner_mesh.analysis.layers import Addresses, Because, Endpoint, Verdict
from partner_mesh.analysis.results import Connection, Results, distinct
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass

SIGNS: Final = {Verdict.ALLOWED: ".", Verdict.DENIED: "X", Verdict.UNKNOWN: "?"}
MIXED: Final = "+"  # some ports or requests so, some otherwise
COLOURS: Final = {".": "\033[32m", "X": "\033[31m", "?": "\033[33m", "+": "\033[36m"}
_SHOWN_PATHS: Final = 4


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of one or more connections."""

    source: Endpoint
    destination: Endpoint
    verdict: Verdict
    ports: PortSet
    requests: str
    because: str


def label(endpoint: Endpoint) -> str:
    """An endpoint in a few words: of many ranges of addresses the first."""
    if not isinstance(endpoint, Addresses):
        return str(endpoint)
    ranges = endpoint.addresses.ranges()
    if endpoint.addresses in (AddressSet.V4, AddressSet.V6):
        return endpoint.addresses.cidrs()[0]
    return ranges[0] if len(ranges) == 1 else f"{ranges[0]} and {len(ranges) - 1} more ranges"


def lines(results: Results, *, denied: bool = False) -> Iterator[str]:
    """A line for each verdict between two ends. Refusals are counted, and shown only where they are asked for."""
    wanted = [each for each in results.connections() if denied or each.verdict is not Verdict.DENIED]
    width = max((len(label(each.source)) for each in wanted), default=0)
    other = max((len(label(each.destination)) for each in wanted), default=0)
    width, other = min(width, 48), min(other, 48)
    for each in merged(wanted):
        what = f"{each.ports}{f' {each.requests}' if each.requests else ''}"
        why = f"  ({each.because})" if each.because else ""
        ends = f"{label(each.source):<{width}} -> {label(each.destination):<{other}}"
        yield f"{ends}  {each.verdict.value:<7}  {what}{why}"
    yield ""
    yield summary(results)
    yield from (f"note: {note}" for note in results.notes)


def merged(connections: Iterable[Connection], *, why: bool = False) -> Iterator[Line]:
    """Connections that differ in nothing that is shown but ports, as one line; with `why`, what allows is shown too."""
    found: dict[tuple[Endpoint, Endpoint, Verdict, str, str], list[PortSet]] = {}
    for each in connections:
        because = reason(each.decided_by) if why or each.verdict is not Verdict.ALLOWED else ""
        key = (each.source, each.destination, each.verdict, requests_text(each.http), because)
        found.setdefault(key, []).append(each.ports)
    for (source, destination, verdict, requests, because), ports in found.items():
        yield Line(source, destination, verdict, PortSet.union(ports), requests, because)


def summary(results: Results) -> str:
    """How many connections there are of each verdict."""
    count = results.count()
    return ", ".join(f"{count[verdict]} {verdict.value}" for verdict in Verdict)


def reason(because: Sequence[Because]) -> str:
    """Who decided, in a few words."""
    said = [each["object"] + (f": {each['reason']}" if "reason" in each else "") for each in distinct(because)]
    return "; ".join(said[:2]) + (f" and {len(said) - 2} more" if len(said) > 2 else "")


def requests_text(http: Any) -> str:
    """Requests in a line: `GET,POST pay.example.com/v1/*`; "" where all of them are meant."""
    if http is None:
        return ""
    return " | ".join(
        " ".join(filter(None, (listed(each["methods"]), listed(each["hosts"]), _some(each["paths"]), _when(each))))
        for each in http.document()
    )


def listed(values: Sequence[str]) -> str:
    """A set in a word; `any-but-GET` for all methods without one, which is kept as `*` and `!GET`."""
    if len(values) > 1 and values[0] == "*" and all(each.startswith("!") for each in values[1:]):
        return f"any-but-{','.join(each[1:] for each in values[1:])}"
    return ",".join(values)


def _when(box: dict[str, Any]) -> str:
    """What a request must carry besides; without it two tables that differ would look alike."""
    return f"if {' and '.join(box['when'])}" if box.get("when") else ""


def _some(values: Sequence[str]) -> str:
    more = f",… {len(values) - _SHOWN_PATHS} more" if len(values) > _SHOWN_PATHS else ""
    return listed(values[:_SHOWN_PATHS]) + more


def grid(results: Results, *, colour: bool = False) -> Iterator[str]:
    """A square of signs: `.` allowed, `X` denied, `?` unknown, `+` some ports or requests so, some otherwise."""
    cells: dict[Endpoint, dict[Endpoint, str]] = {}
    for each in results.connections():
        sign = SIGNS[each.verdict]
        row = cells.setdefault(each.source, {})
        row[each.destination] = sign if row.get(each.destination, sign) == sign else MIXED
    met = dict.fromkeys(destination for row in cells.values() for destination in row)
    columns = [each for each in dict.fromkeys((*results.endpoints, *met)) if each in met]
    width = max((len(label(each)) for each in cells), default=0)
    digits = len(str(len(columns)))
    for place in range(digits):
        yield " " * (width + 1) + "".join(f"{number:>{digits}}"[place] for number in range(1, len(columns) + 1))
    for source, row in cells.items():
        signs = "".join(_painted(row.get(each, " "), colour=colour) for each in columns)
        yield f"{label(source):<{width}} {signs}"
    yield ""
    yield from (f"{number:>{digits}} {label(each)}" for number, each in enumerate(columns, 1))
    yield f". allowed   X denied   ? unknown   {MIXED} some ports or requests so, some otherwise"


def _painted(sign: str, *, colour: bool) -> str:
    return f"{COLOURS[sign]}{sign}\033[0m" if colour and sign in COLOURS else sign

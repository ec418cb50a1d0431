"""One partner's paths as a picture, SVG or Mermaid: who calls, what lets the call pass where, and where it ends."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from partner_mesh.analysis.layers import ROUTE, Because, Client, Partner, Verdict
from partner_mesh.analysis.results import Connection
from partner_mesh.model.record import dataclass
from partner_mesh.report.html.payload import LAYERS, owners_of_hosts
from partner_mesh.report.html.text import seen
from partner_mesh.report.reach_text import listed

_LETTERS: Final = dict(LAYERS)
_WIDE: Final = 340
_GAP: Final = 44
_LINE: Final = 17
_TOP: Final = 64
_IMPLIED: Final = re.compile(r"^([NSARE]  )\w+ (?=\S)")  # the letter says the kind, and boxes are narrow
_CHARACTERS: Final = 50  # of 12 px text that fit into a box


@dataclass(frozen=True, slots=True)
class Station:
    """A box of the picture: its title, and the lines below it."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """Stations from the caller to what it reaches."""

    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a partner may call, who may call it, and who else is turned away at its door."""

    partner: str
    inbound: tuple[Path, ...]
    outbound: tuple[Path, ...]
    refused: tuple[str, ...]


def partners(journeys: Sequence[Connection]) -> list[str]:
    """The partners of whom there is something to draw."""
    callers = {each.source.name for each in journeys if isinstance(each.source, Partner)}
    called = {name for names in owners_of_hosts(journeys).values() for name in names}
    return sorted(callers | called)


def picture(journeys: Sequence[Connection], partner: str) -> Picture:
    """The partner's journeys that come about, put together where they go the same way."""
    owners = owners_of_hosts(journeys)
    inbound = [each for each in journeys if isinstance(each.source, Partner) and each.source.name == partner]
    outbound = [each for each in journeys if partner in owners.get(each.destination, {})]
    others = [each for each in journeys if isinstance(each.source, Client) and each.source.beside == partner]
    refused = dict.fromkeys(
        f"{each.source}: {_object(each.decided_by[0])}"
        for each in others
        if each.verdict is Verdict.DENIED and each.decided_by
    )
    return Picture(
        seen(partner), tuple(_paths(inbound)), tuple(_paths(outbound)), tuple(seen(each) for each in refused)
    )


def _paths(journeys: Iterable[Connection]) -> Iterator[Path]:
    ways: dict[tuple[str, tuple[Because, ...]], list[Connection]] = {}
    for each in journeys:
        if each.verdict is not Verdict.DENIED:
            ways.setdefault((str(each.source), each.decided_by), []).append(each)
    # Callers that go one way to one set of ends (two versions of an application) are one box.
    merged: dict[tuple[Station, ...], list[str]] = {}
    for (source, because), found in ways.items():
        ends: dict[tuple[str, ...], list[str]] = {}
        for each in found:
            ends.setdefault(_what(each), []).append(seen(str(each.destination)))
        lines = tuple(line for what, names in ends.items() for line in (*dict.fromkeys(names), *what))
        merged.setdefault((*_between(because), Station("reaches", lines)), []).append(seen(source))
    for stations, sources in merged.items():
        yield Path((Station("calls", tuple(dict.fromkeys(sources))), *stations))


def _what(journey: Connection) -> tuple[str, ...]:
    """Ports, then each kind of request: methods and hosts, paths, and what else it must carry."""
    doubt = " unknown" if journey.verdict is Verdict.UNKNOWN else ""
    lines = [f"  {journey.ports}{doubt}"]
    for box in journey.http.document() if journey.http is not None else ():
        lines.append(f"  {listed(box['methods'])} {listed(box['hosts'])}")
        lines += [f"    {path}" for path in box["paths"]]
        lines += [f"    when {condition}" for condition in box.get("when", ())]
    return tuple(seen(line) for line in lines)


def _between(because: Sequence[Because]) -> Iterator[Station]:
    """Before the gateway, at it, and behind it. A gateway's last route ends what it does itself."""
    server = next((i for i, each in enumerate(because) if each.object.startswith("Gateway ")), None)
    if server is None:
        yield Station("passes", _objects(because))
        return
    last = max((i for i, each in enumerate(because) if each.layer == ROUTE and i > server), default=server)
    namespace = because[server].object.removeprefix("Gateway ").partition("/")[0]
    if server:
        yield Station("leaves by", _objects(because[:server]))
    yield Station(f"gateway {seen(namespace)}", _objects(because[server : last + 1]))
    if because[last + 1 :]:
        yield Station("passes", _objects(because[last + 1 :]))


def _objects(because: Sequence[Because]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(seen(_object(each)) for each in because))


def _object(because: Because) -> str:
    letter = _LETTERS.get(because.layer, because.layer[:1].upper())
    return f"{letter}  {because.object}" + (f" ({because.reason})" if because.reason else "")


def svg(drawn: Picture) -> str:
    """The picture as a document of its own, in the reader's light or dark colours."""
    body: list[str] = []
    y, width = _TOP, 0
    for title, paths in (("It may call", drawn.inbound), ("May call it", drawn.outbound)):
        body.append(f'<text class="head" x="16" y="{y}">{escape(title)}</text>')
        y += 14
        for path in paths:
            high = max(len(station.lines) for station in path.stations) * _LINE + 38
            body += _row(path, y, high)
            y += high + 16
            width = max(width, len(path.stations) * (_WIDE + _GAP))
        if not paths:
            body.append(f'<text class="faint" x="16" y="{y + 10}">nothing</text>')
            y += 20
        y += 26
    body.append(f'<text class="head" x="16" y="{y}">Turned away at its door</text>')
    for line in drawn.refused or ("nobody else was asked about",):
        y += _LINE + 2
        body.append(f'<text class="no" x="16" y="{y}">{escape(line)}</text>')
    legend = "   ".join(f"{letter} {name}" for name, letter in LAYERS)
    width, height = max(width, 700), y + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><title>{escape(drawn.partner)}</title><style>{_STYLE}</style>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
        f'<rect class="paper" width="100%" height="100%"/>'
        f'<text class="name" x="16" y="32">{escape(drawn.partner)}</text>'
        f'{"".join(body)}<text class="faint" x="16" y="{height - 14}">{escape(legend)}</text></svg>\n'
    )


_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#1c2024}.line{white-space:pre}.name{font-size:18px;font-weight:700}"
    ".head{font-weight:700;font-size:14px}.title{font-weight:600;fill:#1f5fbf}.faint{fill:#5d666f}.no{fill:#96271d}"
    ".paper{fill:#fff}.box{fill:#f6f7f8;stroke:#c5cbd1}.way{stroke:#2f9e5b;stroke-width:2}.tip{fill:#2f9e5b}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e8ea}.title{fill:#7fb0ff}.faint{fill:#9aa4ae}.no{fill:#ffb4ab}"
    ".paper{fill:#14171a}.box{fill:#1d2226;stroke:#434c55}}"
)


def _row(path: Path, y: int, high: int) -> Iterator[str]:
    middle = y + high // 2
    for i, station in enumerate(path.stations):
        x = 16 + i * (_WIDE + _GAP)
        if i:
            yield f'<path class="way" marker-end="url(#tip)" d="M{x - _GAP} {middle}H{x - 2}"/>'
        yield f'<rect class="box" x="{x}" y="{y}" width="{_WIDE}" height="{high}" rx="6"/>'
        yield f'<text class="title" x="{x + 10}" y="{y + 20}">{escape(_cut(station.title))}</text>'
        for k, line in enumerate(station.lines):
            place = f'x="{x + 10}" y="{y + 40 + k * _LINE}"'
            yield f'<text class="line" {place}><title>{escape(line)}</title>{escape(_cut(line))}</text>'


def _cut(text: str) -> str:
    text = _IMPLIED.sub(r"\1", text)
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def mermaid(drawn: Picture) -> str:
    """The picture as a Mermaid flow chart, as GitHub draws it in Markdown."""
    lines, number = ["flowchart LR"], 0
    for title, paths in (("It may call", drawn.inbound), ("May call it", drawn.outbound)):
        for path in paths:
            number += 1
            lines.append(f'  subgraph s{number}["{_quoted(title)}"]')
            names = [f"s{number}n{i}" for i in range(len(path.stations))]
            for name, station in zip(names, path.stations, strict=True):
                label = "<br>".join(_quoted(line) for line in (station.title, *station.lines))
                lines.append(f'    {name}["{label}"]')
            lines += [f"    {' --> '.join(names)}", "  end"]
    for i, line in enumerate(drawn.refused):
        lines.append(f'  r{i}["{_quoted(line)}"]:::refused')
    lines.append("  classDef refused stroke:#d0483b,stroke-dasharray:5 3")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text inside a quoted label: what could end it, be markup or be Markdown is written as its code point."""
    return "".join(c if c.isalnum() or c in " ./:_-,()[]" else f"#{ord(c)};" for c in text)

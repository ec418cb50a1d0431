"""A comparison for a terminal: access first, then objects field by field."""

import json
from collections.abc import Iterator
from typing import Any, Final

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.object_changes import ABSENT, FieldChange
from partner_mesh.report.layers import NOT_ASKED, TITLE, opened
from partner_mesh.report.sentences import sentences

SIGNS: Final = {Change.GAINED: "+", Change.DOUBTFUL: "?", Change.LOST: "-"}
_COLOURS: Final = {"+": "\033[32m", "-": "\033[31m", "?": "\033[33m", "~": "\033[36m"}
_WIDTH: Final = 160  # characters of a value


def text(comparison: Comparison, *, colour: bool = False) -> str:
    """Everything, as one text."""
    return "".join(f"{_painted(line) if colour else line}\n" for line in _lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    for reason, remedy in comparison.transitions:
        yield f"! upgrade: {reason}; {remedy}"
    told = sentences(comparison)
    for each in told:
        yield f"{SIGNS[each.change]} {'hop: ' if each.hop else ''}{each.text}"
    yield from (f"{SIGNS[each.change]} TLS: {each.sentence}" for each in comparison.handshakes)
    if not told and not comparison.handshakes:
        yield "nobody's access changes"
    yield ""
    if layers := opened(comparison):
        yield f"{TITLE}:"
        yield from (f"  {SIGNS[each.change]} {each.text}" for each in layers)
        yield ""
    if not comparison.layers_asked:
        yield NOT_ASKED
        yield ""
    yield from object_lines(comparison)
    yield ""
    yield from (f"note: {note}" for note in comparison.notes)
    yield summary(comparison)


def object_lines(comparison: Comparison) -> Iterator[str]:
    """Objects added, removed, changed with their fields."""
    yield from (f"+ {each.title}" for each in comparison.objects.added)
    yield from (f"- {each.title}" for each in comparison.objects.removed)
    for change in comparison.objects.changed:
        yield f"~ {change.after.title}"
        for field in change.fields:
            yield from field_lines(field)


def field_lines(field: FieldChange) -> Iterator[str]:
    """One field: `- path: before`, `+ path: after`."""
    if field.before is not ABSENT:
        yield f"    - {field.path}: {_value(field.before)}"
    if field.after is not ABSENT:
        yield f"    + {field.path}: {_value(field.after)}"


def summary(comparison: Comparison) -> str:
    """Counts, in a line."""
    told = sentences(comparison)
    counts = {change: sum(each.change is change and not each.hop for each in told) for change in Change}
    objects = comparison.objects
    access = f"{counts[Change.GAINED]} gained, {counts[Change.LOST]} lost, {counts[Change.DOUBTFUL]} doubtful"
    return (
        f"access: {access}; objects: "
        f"{len(objects.added)} added, {len(objects.removed)} removed, {len(objects.changed)} changed"
    )


def _value(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = shown.replace("\n", "\\n")
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…"


def _painted(line: str) -> str:
    sign = line.strip()[:1]
    return f"{_COLOURS[sign]}{line}\033[0m" if sign in _COLOURS else line

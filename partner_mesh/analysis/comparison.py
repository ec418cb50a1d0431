"""Two sets of objects compared: their objects, and what their tables allow."""

from dataclasses import dataclass

from partner_mesh.analysis.differences import Access, access_changes
from partner_mesh.analysis.object_changes import ObjectChanges, object_changes
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.table import Table


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that reports tell. `after` is the new side's table; None where nothing had to be asked."""

    subject: str
    against: str
    objects: ObjectChanges
    accesses: tuple[Access, ...]
    after: Results | None
    transitions: tuple[tuple[str, str], ...] = ()  # (reason, remedy) of an upgrade's step that may not follow


def compared(
    before: Loaded,
    after: Loaded,
    *,
    subject: str = "",
    against: str = "",
    transitions: tuple[tuple[str, str], ...] = (),
) -> Comparison:
    """The comparison of two sets of objects."""
    objects = object_changes(before, after)
    if not objects:
        return Comparison(subject, against, objects, (), None, transitions)
    was, now = Table(before).results(), Table(after).results()
    return Comparison(subject, against, objects, tuple(access_changes(was, now)), now, transitions)

"""What an invariant finds: which rule, how bad, which object, why, and what to do about it."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from partner_mesh.analysis.resources import Resource, Source
from partner_mesh.model.record import dataclass

if TYPE_CHECKING:
    from partner_mesh.analysis.invariants.facts import Facts


NOWHERE: Final = Source("")


class Severity(Enum):
    """How bad: an error lets somebody in or out, a warning will or may, an info is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return (Severity.ERROR, Severity.WARNING, Severity.INFO).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `object` names it as `Kind namespace/name`; `source` says where it was read, if it was."""

    identifier: str
    severity: Severity
    object: str
    reason: str
    remedy: str
    source: Source = NOWHERE

    def document(self) -> dict[str, Any]:
        """The finding as JSON shows it; `file` and `line` where they are known."""
        shown: dict[str, Any] = {
            "identifier": self.identifier,
            "severity": self.severity.value,
            "object": self.object,
            "reason": self.reason,
            "remedy": self.remedy,
        }
        if self.source.file:
            shown["file"] = self.source.file
        if self.source.line:
            shown["line"] = self.source.line
        return shown


@dataclass(frozen=True, slots=True)
class Invariant:
    """A property that every stack should have. `severity` is that of its usual finding."""

    identifier: str
    severity: Severity
    title: str
    examine: "Callable[[Facts, Invariant], Iterator[Finding]]"

    def at(self, resource: Resource, reason: str, remedy: str, severity: Severity | None = None) -> Finding:
        """A finding at an object."""
        return Finding(self.identifier, severity or self.severity, resource.title, reason, remedy, resource.source)

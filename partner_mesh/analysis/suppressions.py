"""Findings that somebody has agreed to bear: identifier, object, reason, expiry; nothing is agreed for ever."""

from collections.abc import Iterable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

from partner_mesh.analysis.invariants.finding import NOWHERE, Finding, Severity
from partner_mesh.analysis.resources import Source
from partner_mesh.model.record import dataclass

EXPIRED: Final = "PM090-suppression-expired"
UNUSED: Final = "PM091-suppression-unused"
_FIELDS: Final = ("identifier", "object", "reason", "expires")


class SuppressionError(ValueError):
    """Entries that cannot be taken; one line each, with what to write."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One agreement. `identifier` is whole (`PM010-unused-rule`) or its number (`PM010`); `object` may hold `*`."""

    identifier: str
    object: str
    reason: str
    expires: date
    source: Source = NOWHERE

    def means(self, finding: Finding) -> bool:
        """Whether it is about a finding."""
        named = finding.identifier == self.identifier or finding.identifier.partition("-")[0] == self.identifier
        return named and fnmatchcase(finding.object, self.object)


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings that stand, those that are borne, and by which agreement."""

    findings: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...] = ()


def read(entries: Any, file: str) -> tuple[Suppression, ...]:
    """From plain data: a list of mappings with all four fields. Raises SuppressionError with every fault."""
    faults: list[str] = []
    found: list[Suppression] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            faults.append(f"{file}: entry {index + 1} is no mapping: write identifier, object, reason, expires")
            continue
        missing = [each for each in _FIELDS if not str(entry.get(each) or "").strip()]
        faults += [f"{file}: entry {index + 1}: {each} is missing" for each in missing]
        faults += [f"{file}: entry {index + 1}: {each} is not a field" for each in entry if each not in _FIELDS]
        if missing:
            continue
        try:
            expires = date.fromisoformat(str(entry["expires"]))
        except ValueError:
            faults.append(f"{file}: entry {index + 1}: expires {entry['expires']!r} is no day: write 2026-12-31")
            continue
        values = [str(entry[each]).strip() for each in _FIELDS[:3]]
        found.append(Suppression(values[0], values[1], values[2], expires, Source(file)))
    if entries is not None and not isinstance(entries, list):
        faults.append(f"{file}: is no list: write one entry a finding, each with {', '.join(_FIELDS)}")
    if faults:
        raise SuppressionError("\n".join(faults))
    return tuple(found)


def applied(findings: Iterable[Finding], suppressions: Sequence[Suppression], today: date) -> Judged:
    """The findings without those that are borne. An agreement past its day bears nothing and is a finding itself."""
    standing: list[Finding] = []
    borne: list[tuple[Finding, Suppression]] = []
    used: set[int] = set()
    for finding in findings:
        agreed = [each for each in suppressions if each.means(finding)]
        used.update(map(id, agreed))
        valid = next((each for each in agreed if each.expires >= today), None)
        if valid is not None:
            borne.append((finding, valid))
        else:
            standing.append(finding)
    for each in suppressions:
        what = f"{each.identifier} of {each.object}"
        if each.expires < today:
            reason = f"its day is past ({each.expires}): {each.reason}"
            remedy = "remove the fault, or agree on a new day"
            standing.append(Finding(EXPIRED, Severity.ERROR, f"Suppression {what}", reason, remedy, each.source))
        elif id(each) not in used:
            reason, remedy = "no finding is like it any longer", "remove it from the file"
            standing.append(Finding(UNUSED, Severity.WARNING, f"Suppression {what}", reason, remedy, each.source))
    return Judged(tuple(standing), tuple(borne))

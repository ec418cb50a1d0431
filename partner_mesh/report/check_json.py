"""Findings as JSON: `schema/check.v1.json`."""

from collections.abc import Sequence
from typing import Any, Final

from partner_mesh.analysis.invariants import Severity
from partner_mesh.analysis.resources import Note
from partner_mesh.analysis.suppressions import Judged

VERSION: Final = 1


def counts(judged: Judged) -> dict[str, int]:
    """Findings that stand, by severity."""
    return {each.value: sum(finding.severity is each for finding in judged.findings) for each in Severity}


def document(judged: Judged, notes: Sequence[Note] = ()) -> dict[str, Any]:
    """`{"version", "counts", "findings", "suppressed", "notes"}`."""
    return {
        "version": VERSION,
        "counts": counts(judged),
        "findings": [each.document() for each in judged.findings],
        "suppressed": [
            {**finding.document(), "suppression": {"reason": by.reason, "expires": by.expires.isoformat()}}
            for finding, by in judged.suppressed
        ],
        "notes": [{"file": each.source.file, "line": each.source.line, "text": each.text} for each in notes],
    }

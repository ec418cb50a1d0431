"""Findings as SARIF 2.1.0 for code scanning: a rule for each invariant, a result for each finding.

Fingerprints are stable, so that one fault stays one alert.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from partner_mesh import __version__
from partner_mesh.analysis import certificates, suppressions
from partner_mesh.analysis.invariants import INVARIANTS, Finding, Severity
from partner_mesh.analysis.suppressions import Judged

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_OTHER: Final = {
    **certificates.TITLES,
    suppressions.EXPIRED: "Agreed exceptions have a day that is not past",
    suppressions.UNUSED: "Agreed exceptions are about something",
}


def document(judged: Judged) -> dict[str, Any]:
    """One run."""
    rules = list(_rules())
    index = {each["id"]: number for number, each in enumerate(rules)}
    results = [_result(each, index) for each in judged.findings]
    for finding, by in judged.suppressed:
        justification = f"{by.reason} (until {by.expires})"
        suppressed = [{"kind": "external", "status": "accepted", "justification": justification}]
        results.append({**_result(finding, index), "suppressions": suppressed})
    driver = {
        "name": "partner-mesh",
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": "https://github.com/partner-mesh/partner-mesh",
        "rules": rules,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rules() -> Iterator[dict[str, Any]]:
    for each in INVARIANTS:
        yield _rule(each.identifier, each.title, each.severity)
    for identifier, title in _OTHER.items():
        yield _rule(identifier, title, Severity.ERROR)


def _rule(identifier: str, title: str, severity: Severity) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": "".join(part.capitalize() for part in identifier.split("-")[1:]),
        "shortDescription": {"text": title},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": ["security"], "precision": "very-high"},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    # Code scanning takes no result without a place: what has no file is shown at the root.
    physical: dict[str, Any] = {"artifactLocation": {"uri": finding.source.file or "."}}
    physical["region"] = {"startLine": max(1, finding.source.line)}
    key = "\n".join((finding.identifier, finding.object, finding.reason))
    return {
        "ruleId": finding.identifier,
        "ruleIndex": index[finding.identifier],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.object} {finding.reason}. To do: {finding.remedy}."},
        "locations": [
            {
                "physicalLocation": physical,
                "logicalLocations": [{"fullyQualifiedName": finding.object, "kind": "object"}],
            }
        ],
        "partialFingerprints": {"finding/v1": hashlib.sha256(key.encode()).hexdigest()},
    }

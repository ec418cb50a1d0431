"""Agreed exceptions: until their day, each with a reason, and never unnoticed afterwards."""

from datetime import date

import pytest

from partner_mesh.analysis.invariants import Finding, Severity
from partner_mesh.analysis.suppressions import EXPIRED, UNUSED, SuppressionError, applied, read

TODAY = date(2026, 11, 1)
FINDING = Finding("PM010-unused-rule", Severity.WARNING, "NetworkPolicy app0/again", "adds nothing", "remove it")


def entry(**changes: object) -> dict[str, object]:
    whole = {
        "identifier": "PM010",
        "object": "NetworkPolicy app0/*",
        "reason": "moved in sprint 12",
        "expires": "2026-11-30",
    }
    return {**whole, **changes}


def test_a_finding_is_borne_until_the_day_of_the_agreement_included() -> None:
    agreed = read([entry(expires="2026-11-01")], "s.yaml")
    judged = applied([FINDING], agreed, TODAY)
    assert judged.findings == ()
    assert [finding for finding, _ in judged.suppressed] == [FINDING]


def test_past_its_day_an_agreement_is_a_finding_itself_and_bears_nothing() -> None:
    judged = applied([FINDING], read([entry(expires="2026-10-31")], "s.yaml"), TODAY)
    assert [each.identifier for each in judged.findings] == [FINDING.identifier, EXPIRED]
    assert judged.findings[1].severity is Severity.ERROR
    assert judged.findings[1].source.file == "s.yaml"


def test_an_agreement_about_nothing_is_told_of() -> None:
    judged = applied([], read([entry()], "s.yaml"), TODAY)
    assert [(each.identifier, each.severity) for each in judged.findings] == [(UNUSED, Severity.WARNING)]


@pytest.mark.parametrize(
    "changes", [{"identifier": "PM01"}, {"identifier": "PM011"}, {"object": "NetworkPolicy other/*"}]
)
def test_only_what_is_named_is_borne(changes: dict[str, object]) -> None:
    judged = applied([FINDING], read([entry(**changes)], "s.yaml"), TODAY)
    assert FINDING in judged.findings


@pytest.mark.parametrize("field", ["identifier", "object", "reason", "expires"])
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(SuppressionError, match=f"entry 1: {field} is missing"):
        read([{key: value for key, value in entry().items() if key != field}], "s.yaml")


def test_every_fault_of_a_file_is_told_at_once() -> None:
    entries = [entry(expires="soon"), "no mapping", entry(forever=True)]
    with pytest.raises(SuppressionError) as error:
        read(entries, "s.yaml")
    said = str(error.value)
    assert "entry 1: expires 'soon' is no day" in said
    assert "entry 2 is no mapping" in said
    assert "entry 3: forever is not a field" in said


def test_an_empty_file_suppresses_nothing() -> None:
    assert read(None, "s.yaml") == ()
    with pytest.raises(SuppressionError, match="is no list"):
        read({"identifier": "PM010"}, "s.yaml")

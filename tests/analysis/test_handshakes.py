"""Certificates and TLS versions that are taken now or no longer: told by a comparison, and closing its gate."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.resources import of_documents
from partner_mesh.cli.diff import _gated
from partner_mesh.report import diff_json, diff_markdown, diff_text
from partner_mesh.report.html import diff_page
from tests.analysis.invariants.closed_stack import Documents, closed, one
from tests.analysis.invariants.faults import external, replaced

CLOSED = closed()
replaced(external("MUTUAL", credentialName="p0-client", sni="a", subjectAltNames=["api.p0.example"]))(CLOSED)
one(CLOSED, "Gateway", "p0")["spec"]["servers"][0]["tls"] |= {
    "subjectAltNames": ["calls.p0.example"],
    "minProtocolVersion": "TLSV1_2",
}


def changed(kind: str, **tls: Any) -> Comparison:
    after = copy.deepcopy(CLOSED)
    _tls(after, kind).update(tls)
    return compared(of_documents(CLOSED), of_documents(after))


def _tls(stack: Documents, kind: str) -> dict[str, Any]:
    if kind == "Gateway":
        found: dict[str, Any] = one(stack, kind, "p0")["spec"]["servers"][0]["tls"]
    else:
        found = one(stack, kind, "p0", "istio-egress")["spec"]["trafficPolicy"]["tls"]
    return found


@pytest.mark.parametrize(
    ("kind", "tls", "expected"),
    [
        (
            "Gateway",
            {"subjectAltNames": ["calls.p0.example", "new.p0.example"]},
            [("gained", "p0 may now show a certificate of new.p0.example at p0.partners.example.com")],
        ),
        (
            "Gateway",
            {"subjectAltNames": ["new.p0.example"]},
            [
                ("gained", "p0 may now show a certificate of new.p0.example at p0.partners.example.com"),
                ("lost", "p0 may no longer show a certificate of calls.p0.example at p0.partners.example.com"),
            ],
        ),
        (
            "Gateway",
            {"subjectAltNames": []},
            [("gained", "p0 may now show any certificate of its CA at p0.partners.example.com")],
        ),
        (
            "Gateway",
            {"minProtocolVersion": "TLSV1_0"},
            [("gained", "p0.partners.example.com may now be called in TLS 1.0 and TLS 1.1")],
        ),
        (
            "Gateway",
            {"minProtocolVersion": "TLSV1_3"},
            [("lost", "p0.partners.example.com may no longer be called in TLS 1.2")],
        ),
        ("Gateway", {"minProtocolVersion": "TLS_AUTO"}, []),
        (
            "DestinationRule",
            {"subjectAltNames": ["api.p0.example", "other.p0.example"]},
            [("gained", "api.p0.example may now answer with a certificate of other.p0.example")],
        ),
    ],
)
def test_what_tls_takes_is_told(kind: str, tls: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(each.change.value, each.sentence) for each in changed(kind, **tls).handshakes] == expected


def test_every_format_and_the_gate_know_it() -> None:
    comparison = changed("Gateway", minProtocolVersion="TLSV1_1")
    sentence = "p0.partners.example.com may now be called in TLS 1.1"
    assert diff_text.text(comparison).startswith(f"+ TLS: {sentence}\n")
    assert "nobody's access changes" not in diff_text.text(comparison)
    assert f"- 🔓 {sentence} <sub>`Gateway istio-partners/p0`</sub>" in diff_markdown.text(comparison)
    assert sentence in diff_page(comparison)
    document = diff_json.document(comparison)
    assert document["handshakes"] == [
        {"change": Change.GAINED.value, "object": "Gateway istio-partners/p0", "sentence": sentence}
    ]
    schema = Path(__file__).parents[2] / "schema" / "diff.v1.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(document)
    assert [_gated(comparison, gate) for gate in ("gained", "lost", "any", "never")] == [True, False, True, False]

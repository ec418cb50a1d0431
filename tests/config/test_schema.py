"""The published schema says the same as the models, and what is generated is fresh."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from partner_mesh.config import documents
from partner_mesh.config.schema import generated, main, partner_schema, stack_schema, stale
from tests.strategies import Section, configurations

ROOT = Path(__file__).parents[2]
STACKS = [*sorted(ROOT.glob("Pulumi.*.yaml")), Path(__file__).parent / "valid" / "Pulumi.dev.yaml"]
PARTNERS = [*sorted(ROOT.glob("partners/*/*.yaml")), *sorted(Path(__file__).parent.glob("valid/partners/dev/*.yaml"))]

STACK = jsonschema.Draft202012Validator(stack_schema())
PARTNER = jsonschema.Draft202012Validator(partner_schema())


def written(path: Path) -> Any:
    return documents.parse(path.read_text(), str(path)).value


def test_what_is_generated_is_fresh() -> None:
    assert stale() == []


def test_the_check_sees_a_stale_file(tmp_path: Path) -> None:
    for path, content in generated().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content + " ")

    assert stale(tmp_path) == list(generated())
    assert main(["--check"]) == 0


def test_schemas_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(stack_schema())
    jsonschema.Draft202012Validator.check_schema(partner_schema())


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_real_stacks_match(path: Path) -> None:
    assert [error.message for error in STACK.iter_errors(written(path))] == []


@pytest.mark.parametrize("path", PARTNERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_real_partners_match(path: Path) -> None:
    assert [error.message for error in PARTNER.iter_errors(written(path))] == []


@settings(max_examples=20, deadline=None)
@given(configurations())
def test_what_the_models_accept_the_schema_accepts(configuration: Section) -> None:
    config = {f"partner-mesh:{name}": section for name, section in configuration.items() if name != "region"}

    assert [error.message for error in STACK.iter_errors({"config": config})] == []


ROUTE: dict[str, Any] = {"path": "/v1", "to": "charging:http"}
INBOUND: dict[str, Any] = {
    "host": "acme.partners.example.com",
    "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["client.acme.example"]},
    "routes": [ROUTE],
}


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"inbound": INBOUND}, True),
        ({"inbound": [INBOUND]}, True),
        ({"inbound": {**INBOUND, "routes": [{**ROUTE, "retries": 2}]}}, True),
        ({"inbound": {**INBOUND, "routes": []}}, False),
        ({"inbound": {**INBOUND, "sourceRanges": ["everybody"]}}, False),
        ({"inbound": {**INBOUND, "hosst": "x"}}, False),
        ({"hairpin": "yes"}, False),
        ({"owner": "the team"}, False),
        ({"certificates": [{"name": "acme-client", "notAfter": "2027-03-01"}]}, True),
        ({"certificates": [{"name": "acme-client", "notAfter": 20270301}]}, False),
    ],
)
def test_an_editor_sees_what_the_models_refuse(change: dict[str, Any], fits: bool) -> None:
    partner = {"name": "acme", "owner": "integrations@example.com", **change}

    assert PARTNER.is_valid(partner) is fits


def test_an_editor_is_told_what_keys_mean() -> None:
    described = json.dumps(partner_schema())

    assert "required for HTTP, refused for TCP" in described
    assert "whole company" not in described


def test_encrypted_values_fit_where_text_is_free() -> None:
    stack = written(STACKS[-1])
    gateways = stack["config"]["partner-mesh:platform"]["gateways"]

    gateways["web"]["zoneId"] = {"secure": "v1:abc"}
    assert STACK.is_valid(stack)
    gateways["web"]["host"] = {"secure": "v1:abc"}
    assert not STACK.is_valid(stack)

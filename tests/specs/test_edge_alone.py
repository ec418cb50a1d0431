"""With `enforceAt: edge` a gateway needs nobody's help: what the configuration refuses ends there, not one hop inside.

What stands before it and behind it is opened, so that what is still refused it refused itself.
"""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from partner_mesh.config.stack import Stack
from tests.specs.test_intent import Fact, configured, documents_of, found
from tests.strategies import APPLICATIONS, platform, stacks
from tests.strategies import stack as stack_of

PARTNER = "partner-mesh.dev/partner"


def at_the_edge(stack: Stack) -> Stack:
    """The same partners, all of them judged at their gateways."""
    gateways = {
        name: gateway.model_copy(update={"enforce_at": "edge"}) if gateway.exposure == "partner" else gateway
        for name, gateway in stack.platform.gateways.items()
    }
    partners = tuple(
        partner.model_copy(
            update={
                "enforce_at": None,
                "inbound": tuple(entry.model_copy(update={"enforce_at": None}) for entry in partner.inbound),
            }
        )
        for partner in stack.partners
    )
    platform = stack.platform.model_copy(update={"gateways": gateways})
    return stack.model_copy(update={"platform": platform, "partners": partners})


def opened(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Packets come to gateways from every IPv4 address, as load balancers have them, and applications admit whatever a
    gateway sends.

    What says whose addresses are whose stays as it is: a partner is known by them.
    """
    changed = [copy.deepcopy(each) for each in documents if not each["kind"].startswith("SecurityGroup")]
    for each in list(changed):
        kind, metadata, spec = each["kind"], each["metadata"], each.get("spec", {})
        if kind == "NetworkPolicy" and metadata["name"] == "partner-addresses":
            spec["ingress"][0]["source"] = {"nets": ["0.0.0.0/0"]}
        elif kind == "NetworkPolicy" and metadata["name"].endswith(".addresses"):
            wide = copy.deepcopy(each)
            wide["metadata"] = {"name": "everybody", "namespace": metadata["namespace"], "labels": {}}
            wide["spec"]["ingress"][0]["from"] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
            changed.append(wide)
        elif (
            kind == "AuthorizationPolicy"
            and PARTNER in metadata["labels"]
            and not metadata["namespace"].startswith("istio-")
        ):
            spec["rules"] = [{"from": [{"source": {"principals": _principals(rule)}}]} for rule in spec["rules"]]
    return changed


def _principals(rule: dict[str, Any]) -> list[str]:
    return list(rule["from"][0]["source"]["principals"])


def inwards(facts: set[Fact]) -> set[Fact]:
    """Who comes in by a partner's host."""
    return {fact for fact in facts if fact[0] in ("partner", "stranger") and fact[2] in APPLICATIONS}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(stacks())
def test_a_gateway_at_the_edge_alone_admits_nothing_that_is_not_configured(drawn: Stack) -> None:
    stack = at_the_edge(drawn)
    meant = inwards(configured(stack))
    assume(meant)
    assert inwards(found(stack, opened(documents_of(stack)))) - meant == set()


def example() -> Stack:
    """One partner with a method, a path and addresses."""
    inward = {
        "host": "in.acme-mobile.example", "sourceRanges": ["198.51.100.0/28"],
        "routes": [{"methods": ["POST"], "path": "/v1/callbacks/{*}", "to": "fraud:http"}],
        "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["a.acme.example"]},
    }  # fmt: skip
    return stack_of({
        "region": "eu-central-1",
        "platform": platform({"kind": "eks", "version": "1.36"}, calico=True, edge=True),
        "applications": {"fraud": {"namespace": "fraud", "nodeGroup": "billing", "ports": {"http": 8080}}},
        "partners": [{"name": "acme-mobile", "owner": "a@example.com", "inbound": [inward]}],
    })  # fmt: skip


def test_a_gateway_at_the_edge_alone_admits_what_is_configured() -> None:
    stack = example()
    assert inwards(found(stack, opened(documents_of(stack)))) == inwards(configured(stack)) != set()


@pytest.mark.parametrize(
    ("kind", "field"), [("VirtualService", "method"), ("VirtualService", "uri"), ("AuthorizationPolicy", "from")]
)
def test_a_match_that_a_gateway_lost_is_seen(kind: str, field: str) -> None:
    stack = example()
    documents = opened(documents_of(stack))
    for each in documents:
        if each["kind"] == kind and PARTNER in each["metadata"].get("labels", {}):
            for part in each["spec"].get("http", each["spec"].get("rules", ())):
                (part["match"][0] if "match" in part else part).pop(field, None)
    assert inwards(found(stack, documents)) > inwards(configured(stack))

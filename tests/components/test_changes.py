"""A small change previews as exactly that: what two runs of the program register, compared."""

from typing import Any

import pytest

from tests.components.programs import changed, run
from tests.specs.stacks import APPLICATIONS, EKS, GATEWAYS, NODE_GROUPS, loaded

BASE = run(loaded())


def grown() -> dict[str, Any]:
    sized = NODE_GROUPS | {"billing": NODE_GROUPS["billing"] | {"size": {"min": 2, "max": 12}}}
    return EKS | {"nodeGroups": sized}


def with_rule(port: int) -> dict[str, Any]:
    group = {"egress": [{"to": "10.40.64.0/20", "port": port}]}
    return APPLICATIONS | {"charging": APPLICATIONS["charging"] | {"securityGroup": group}}


@pytest.mark.parametrize(
    ("changes", "created", "deleted", "updated"),
    [
        ({}, [], [], []),
        ({"cluster": grown()}, [], [], ["billing-test-billing"]),
        ({"firewall": {"rateLimit": 3000}}, [], [], ["billing-test"]),
        (
            {"firewall": {"blockedRanges": ["192.0.2.0/24"]}},
            ["billing-test-blocked-ranges"],
            [],
            ["billing-test"],
        ),
        (
            {"gateways": GATEWAYS | {"web": GATEWAYS["web"] | {"sourceRanges": ["198.51.100.0/24"]}}},
            [
                "billing-test-lb-web/ingress/tcp-443/198.51.100.0/24",
                "billing-test-lb-web/ingress/tcp-80/198.51.100.0/24",
            ],
            ["billing-test-lb-web/ingress/tcp-443/0.0.0.0/0", "billing-test-lb-web/ingress/tcp-80/0.0.0.0/0"],
            ["web/AuthorizationPolicy/istio-web/own-port"],  # the gateway judges the address once more
        ),
    ],
    ids=["nothing", "node group size", "rate limit", "one more firewall rule", "who may reach the web"],
)
def test_a_change_touches_what_it_says_and_nothing_else(
    changes: dict[str, Any], created: list[str], deleted: list[str], updated: list[str]
) -> None:
    assert changed(BASE, run(loaded(**changes))) == (created, deleted, updated)


def test_one_rule_of_a_security_group_is_one_resource_in_place_of_another() -> None:
    before, after = run(loaded(applications=with_rule(5432))), run(loaded(applications=with_rule(5433)))
    created, deleted, _ = changed(before, after)
    rules = [name for name in created if name.startswith("billing-test-app-")]
    assert rules == ["billing-test-app-charging/egress/tcp-5433/10.40.64.0/20"]
    gone = [name for name in deleted if name.startswith("billing-test-app-")]
    assert gone == ["billing-test-app-charging/egress/tcp-5432/10.40.64.0/20"]


def test_one_more_zone_creates_subnets_and_moves_none() -> None:
    two, three = ({"network": {"cidr": "10.40.0.0/16", "zones": zones}} for zones in (2, 3))
    before, after = run(loaded(**two)), run(loaded(**three))
    created, deleted, updated = changed(before, after)
    assert deleted == []
    assert {f"billing-test-{tier}-2" for tier in ("private", "egress", "public", "control")} <= set(created)
    moved = {one.name for one in before.of_type("aws:ec2/subnet:Subnet")} & set(updated)
    assert not moved

"""Warnings: said where they hold, and nowhere else."""

from typing import Any

import pytest

from partner_mesh.config.platform import Firewall
from partner_mesh.specs.aws.subnets import NODE_ENDPOINTS
from partner_mesh.specs.aws.warnings import warnings
from tests.specs.stacks import EKS, GATEWAYS, NODE_GROUPS, foreign, stack

CLOSED = {"cidr": "10.40.0.0/16", "natGateways": 3, "endpoints": list(NODE_ENDPOINTS)}
QUIET: dict[str, Any] = {
    "environment": "prod",
    "cluster": EKS | {"admins": ["arn:aws:iam::111122223333:role/admin"]},
    "network": CLOSED,
    "mesh": {"revision": "1-31-1", "hub": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/istio"},
    "gateways": {name: one | ({"zoneId": "Z1"} if "exposure" in one else {}) for name, one in GATEWAYS.items()},
}
EXPENSIVE = list(Firewall.model_json_schema()["properties"]["managedRules"]["items"]["enum"])


def test_a_platform_that_is_well_set_up_has_none() -> None:
    assert list(warnings(stack(**QUIET))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": EKS}, "cluster.admins is empty"),
        ({"cluster": QUIET["cluster"] | {"deletionProtection": False}}, "deletion protection is off"),
        (
            {"cluster": QUIET["cluster"] | {"endpoint": {"allowedCidrs": ["192.0.2.0/24"]}}},
            "reachable from 192.0.2.0/24",
        ),
        ({"cluster": QUIET["cluster"] | {"version": "1.33"}}, "add-ons without a version for Kubernetes 1.33"),
        ({"cluster": QUIET["cluster"] | {"nodeGroups": {"web": NODE_GROUPS["web"]}}}, "every node group is dedicated"),
        ({"network": CLOSED | {"natGateways": 1}}, "1 NAT gateway(s) for 3 zones"),
        ({"network": CLOSED | {"endpoints": ["s3", "ecr"]}}, "network.endpoints lacks ec2, eks, sts"),
        ({"mesh": {"revision": "1-31-1"}}, "no node can pull from mesh.hub docker.io/istio"),
        ({"gateways": GATEWAYS}, "no zoneId on gateway web, partners"),
        ({"firewall": {"managedRules": EXPENSIVE}}, "above 1500 each request costs more"),
    ],
)
def test_what_a_person_should_know_before_up_is_said(changes: dict[str, Any], said: str) -> None:
    found = list(warnings(stack(**QUIET | changes)))
    assert len(found) == 1
    assert said in found[0]


def test_nothing_is_said_of_a_cluster_that_is_not_ours() -> None:
    assert list(warnings(stack(**foreign(), applications={}))) == []

"""Policies: the least that each controller needs, and nothing that a wildcard would widen."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.specs.aws import iam
from tests.specs.stacks import loaded

ACCOUNT = "111122223333"


def statements(name: str, **changes: Any) -> list[Any]:
    [found] = [one for one in iam.controllers(loaded(**changes), ACCOUNT) if one.name == name]
    return list(found.statements)


def test_every_controller_that_calls_aws_has_an_identity_and_nobody_else() -> None:
    names = [one.name for one in iam.controllers(loaded(), ACCOUNT)]
    assert names == ["vpc-cni", "ebs-csi", "load-balancer-controller", "external-secrets"]
    without = [one.name for one in iam.controllers(loaded(secrets={"store": "none"}), ACCOUNT)]
    assert "external-secrets" not in without


def test_the_load_balancer_controller_fills_own_target_groups_and_makes_nothing() -> None:
    allowed = [action for one in statements("load-balancer-controller") for action in one["Action"]]
    assert not [action for action in allowed if ":Create" in action or ":Delete" in action or ":Authorize" in action]
    [filling] = [one for one in statements("load-balancer-controller") if one["Sid"] == "FillOwnTargetGroups"]
    assert filling["Resource"] == f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:targetgroup/billing-test-*"


def test_only_calls_that_know_no_resources_have_an_asterisk() -> None:
    for controller in iam.controllers(loaded(), ACCOUNT):
        for one in controller.statements:
            if one["Resource"] == "*":
                assert all(":Describe" in action for action in one["Action"]), one["Sid"]


def test_external_secrets_reads_one_prefix_and_lists_nothing() -> None:
    [one] = statements("external-secrets", secrets={"prefix": "billing/certificates/"})
    assert one["Resource"].endswith(":secret:billing/certificates/*")
    assert set(one["Action"]) == {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}


def test_keys_serve_their_account_alone() -> None:
    for logs in (True, False):
        for one in iam.key_statements(ACCOUNT, "eu-central-1", "aws", log_groups=logs):
            bounded = ACCOUNT in json.dumps(one.get("Condition", one["Principal"]))
            assert bounded, one["Sid"]


def test_a_policy_without_statements_is_no_policy() -> None:
    with pytest.raises(ValueError, match="without statements"):
        iam.document([])


def test_roles_of_pods_are_for_pod_identity_alone() -> None:
    assert iam.pod_identity_trust()["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert set(iam.pod_identity_trust()["Action"]) == {"sts:AssumeRole", "sts:TagSession"}


@given(st.from_regex(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", fullmatch=True))
def test_names_of_roles_fit_and_tell_platforms_apart(platform: str) -> None:
    names = {iam.role_name(each, "load-balancer-controller") for each in (platform, f"{platform[:40]}-other-one")}
    assert all(len(name) <= 64 for name in names)
    assert len(names) == 2

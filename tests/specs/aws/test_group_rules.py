"""Rules of security groups: one resource each, under names that say what they say."""

from pathlib import Path

import pytest
from hypothesis import given

from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.config.support import RULES_PER_GROUP
from partner_mesh.specs.aws.group_rules import description, group_rules, groups, over_limit, partner_rules
from partner_mesh.specs.security_group import Group, Rule
from tests.specs.stacks import loaded
from tests.strategies import stacks

ROOT = Path(__file__).parents[3]


def rule(port: int, description: str = "") -> Rule:
    return Rule("ingress", "tcp", port, port, description, cidr="10.0.0.0/16")


@given(stacks())
def test_every_rule_has_one_peer_a_description_and_a_name_of_its_own(stack: Stack) -> None:
    found = group_rules(groups(stack))
    assert len({one.name for one in found}) == len(found)
    for one in found:
        assert (one.rule.cidr is None) != (one.rule.group is None), one.name
        assert one.rule.description, one.name


@given(stacks())
def test_no_group_exceeds_what_aws_takes_whoever_calls_whom(stack: Stack) -> None:
    assert over_limit(groups(stack)) == ()


@given(stacks())
def test_a_peer_is_a_group_of_the_stack(stack: Stack) -> None:
    names = {group.name for group in groups(stack)}
    assert {one.rule.group for one in group_rules(groups(stack)) if one.rule.group is not None} <= names


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_no_group_of_ours_exceeds_what_aws_takes(name: str) -> None:
    assert over_limit(groups(load_stack(name, ROOT))) == ()


def test_a_group_beyond_the_limit_is_named_with_its_direction() -> None:
    many = Group("app-a", "", tuple(rule(port) for port in range(1, RULES_PER_GROUP + 2)))
    assert over_limit([many]) == (("app-a", "ingress", RULES_PER_GROUP + 1),)


def test_two_rules_that_differ_in_their_description_alone_are_one_to_aws() -> None:
    assert len(group_rules([Group("app-a", "", (rule(80, "one"), rule(80, "other")))])) == 1


def test_east_west_rules_follow_callers_at_both_ends() -> None:
    names = {one.name for one in group_rules(groups(loaded()))}
    assert {"app-checkout/egress/tcp-8080/app-charging", "app-charging/ingress/tcp-8080/app-checkout"} <= names
    assert "app-charging/egress/tcp-8080/app-checkout" not in names


def test_rules_of_partners_are_what_is_not_there_without_them() -> None:
    stack = load_stack("dev", ROOT)
    names = {one.name for one in partner_rules(stack)}
    assert "gateway-partners/egress/tcp-8080/app-charging" in names
    assert "app-charging/ingress/tcp-8080/app-checkout" not in names
    assert partner_rules(stack.model_copy(update={"partners": ()})) == ()


def test_nothing_is_made_on_a_cluster_of_somebody_else() -> None:
    existing = loaded(cluster={"kind": "existing", "nodeGroups": {}}, network=None, applications={})
    assert groups(existing) == ()


def test_a_description_holds_only_what_ec2_takes() -> None:
    assert description("the team's database → primary") == "the team s database   primary"
    assert len(description("x" * 300)) == 255

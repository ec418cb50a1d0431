"""Rules of security groups one by one, under names that stay, and how many a group has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from partner_mesh.config.stack import Stack
from partner_mesh.config.support import RULES_PER_GROUP
from partner_mesh.specs.compile import effective_gateways
from partner_mesh.specs.security_group import Direction, Group, Rule, security_groups
from partner_mesh.specs.shards import shards

_NOT_TAKEN: Final = re.compile(r"[^a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One rule of a group. Its name says what it says, not where it stands: one that comes or goes renames no other."""

    name: str
    group: str
    rule: Rule


def groups(stack: Stack) -> tuple[Group, ...]:
    """Every security group of a stack; none where the cluster is somebody else's."""
    formed = shards(stack)
    return security_groups(stack, effective_gateways(stack, formed), formed)


def group_rules(found: Sequence[Group]) -> tuple[GroupRule, ...]:
    """Every rule of every group, in order, each once: AWS refuses a second one that differs in its description only."""
    rules: dict[str, GroupRule] = {}
    for group in found:
        for rule in _of(group):
            rules.setdefault(rule.name, rule)
    return tuple(rules.values())


def partner_rules(stack: Stack) -> tuple[GroupRule, ...]:
    """The rules that are there because of the stack's partners: what their edges need beyond everything else.

    AWS refuses a rule that is there already, so two stacks on one platform must not need the same edge: each shard has
    gateways of its own, for both directions.
    """
    without = {rule.name for rule in group_rules(groups(stack.model_copy(update={"partners": ()})))}
    return tuple(rule for rule in group_rules(groups(stack)) if rule.name not in without)


def _of(group: Group) -> Iterator[GroupRule]:
    for rule in group.rules:
        ports = "all" if rule.protocol == "-1" else f"{rule.protocol}-{rule.from_port}"
        if rule.to_port != rule.from_port:
            ports = f"{ports}-{rule.to_port}"
        yield GroupRule(f"{group.name}/{rule.direction}/{ports}/{rule.group or rule.cidr}", group.name, rule)


def description(text: str) -> str:
    """A description in the characters that EC2 takes (API reference, IpRange: "Constraints"), 255 at most."""
    return _NOT_TAKEN.sub(" ", text)[:255]


def over_limit(found: Sequence[Group]) -> tuple[tuple[str, Direction, int], ...]:
    """Groups with more rules in a direction than AWS takes: (group, direction, rules)."""
    counts: dict[tuple[str, Direction], int] = {}
    for rule in group_rules(found):
        key = rule.group, rule.rule.direction
        counts[key] = counts.get(key, 0) + 1
    return tuple((*key, count) for key, count in counts.items() if count > RULES_PER_GROUP)

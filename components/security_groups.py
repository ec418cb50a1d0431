"""Security groups: one resource a group, one resource a rule, so that a changed rule previews as that rule alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.specs.aws.group_rules import GroupRule, description, group_rules
from partner_mesh.specs.security_group import Group, group_id


@dataclass(frozen=True, slots=True)
class SecurityGroupsArgs:
    """The groups with their rules, and the ids of those that exist already, by name."""

    platform: str
    vpc_id: pulumi.Input[str]
    groups: Sequence[Group]
    existing: Mapping[str, pulumi.Input[str]]


class SecurityGroups(pulumi.ComponentResource):
    """Every group of the platform with its rules, one by one.

    Groups come before all rules, so that two groups may name each other. Outputs: `ids` by group name.
    """

    ids: dict[str, pulumi.Input[str]]

    def __init__(self, name: str, args: SecurityGroupsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:security_groups:SecurityGroups", name, None, opts)
        self._args = args
        self.ids = dict(args.existing)
        for group in args.groups:
            if group.name not in self.ids:
                self.ids[group.name] = self._group(group)
        for rule in group_rules(args.groups):
            register_rule(args.platform, rule, self.ids, parent=self)
        self.register_outputs({"ids": dict(self.ids)})

    def _group(self, group: Group) -> pulumi.Output[str]:
        named = f"{self._args.platform}-{group.name}"
        return aws.ec2.SecurityGroup(
            named,
            name=named,
            description=description(group.description),
            vpc_id=self._args.vpc_id,
            tags={"Name": named},
            # A rule that EKS or a hand made and that names this group would otherwise keep it from being deleted.
            revoke_rules_on_delete=True,
            opts=pulumi.ResourceOptions(parent=self),
        ).id


def register_rule(
    platform: str, named: GroupRule, ids: Mapping[str, pulumi.Input[str]], *, parent: pulumi.Resource
) -> None:
    """One rule as a resource of its own; `ids` are those of all groups by name."""
    rule = named.rule
    make = aws.vpc.SecurityGroupIngressRule if rule.direction == "ingress" else aws.vpc.SecurityGroupEgressRule
    any_port = rule.protocol == "-1"  # AWS refuses ports there
    six = rule.cidr is not None and ":" in rule.cidr
    make(
        f"{platform}-{named.name}",
        security_group_id=ids[named.group],
        description=description(rule.description),
        ip_protocol=rule.protocol,
        from_port=None if any_port else rule.from_port,
        to_port=None if any_port else rule.to_port,
        cidr_ipv4=None if six else rule.cidr,
        cidr_ipv6=rule.cidr if six else None,
        referenced_security_group_id=None if rule.group is None else group_id(rule.group, ids),
        opts=pulumi.ResourceOptions(parent=parent),
    )

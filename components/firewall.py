"""The web ACL in front of a web gateway's ALB, and its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from partner_mesh.config.platform import Firewall as FirewallConfig
from partner_mesh.specs.aws.firewall import INSPECTED_BODY_BYTES, Rule, rules

# Neither belongs into a log: one is a token, the other a session.
REDACTED_HEADERS: Final = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class FirewallArgs:
    """The firewall's section, the load balancers that it guards by gateway, and the key of its log group."""

    platform: str
    firewall: FirewallConfig
    load_balancer_arns: Mapping[str, pulumi.Input[str]]
    logs_key_arn: pulumi.Input[str]


class Firewall(pulumi.ComponentResource):
    """One WAFv2 web ACL for every ALB, with address sets, and a log without tokens.

    Outputs: `web_acl_arn`.
    """

    web_acl_arn: pulumi.Output[str]

    def __init__(self, name: str, args: FirewallArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:firewall:Firewall", name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        acl = aws.wafv2.WebAcl(
            args.platform,
            name=args.platform,
            scope="REGIONAL",
            description=f"{args.platform}: web plane",
            default_action={"allow": {}},  # what no rule objects to; the gateway's routes and policies judge it next
            rules=[self._rule(rule) for rule in rules(args.firewall)],
            visibility_config=aws.wafv2.WebAclVisibilityConfigArgs(
                cloudwatch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=args.platform
            ),
            opts=self._children,
        )
        self.web_acl_arn = acl.arn
        for gateway, arn in args.load_balancer_arns.items():
            aws.wafv2.WebAclAssociation(
                f"{args.platform}-{gateway}", web_acl_arn=acl.arn, resource_arn=arn, opts=self._children
            )
        self._log(acl)
        self.register_outputs({"webAclArn": self.web_acl_arn})

    def _rule(self, rule: Rule) -> aws.wafv2.WebAclRuleArgs:
        managed = rule.kind == "managed"
        return aws.wafv2.WebAclRuleArgs(
            name=rule.name,
            priority=rule.priority,
            action=None if managed else _action(rule),
            # A managed group's own actions stand (`none`), or all of them only count.
            override_action=_override(rule) if managed else None,
            statement=self._statement(rule),
            visibility_config=aws.wafv2.WebAclRuleVisibilityConfigArgs(
                cloudwatch_metrics_enabled=True,
                sampled_requests_enabled=True,
                metric_name=f"{self._args.platform}-{rule.name}",
            ),
        )

    def _statement(self, rule: Rule) -> aws.wafv2.WebAclRuleStatementArgs:
        match rule.kind:
            case "allow-ranges" | "block-ranges":
                return aws.wafv2.WebAclRuleStatementArgs(
                    ip_set_reference_statement=aws.wafv2.WebAclRuleStatementIpSetReferenceStatementArgs(
                        arn=self._ip_set(rule)
                    )
                )
            case "countries":
                return aws.wafv2.WebAclRuleStatementArgs(
                    geo_match_statement=aws.wafv2.WebAclRuleStatementGeoMatchStatementArgs(
                        country_codes=list(rule.countries)
                    )
                )
            case "rate":
                return aws.wafv2.WebAclRuleStatementArgs(rate_based_statement=_rate(rule))
            case "managed":
                return aws.wafv2.WebAclRuleStatementArgs(
                    managed_rule_group_statement=aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs(
                        vendor_name="AWS", name=str(rule.group)
                    )
                )
            case "oversize-body":
                return aws.wafv2.WebAclRuleStatementArgs(size_constraint_statement=_oversize_body())

    def _ip_set(self, rule: Rule) -> pulumi.Output[str]:
        named = f"{self._args.platform}-{rule.name}"
        return aws.wafv2.IpSet(
            named,
            name=named,
            scope="REGIONAL",
            ip_address_version="IPV6" if ":" in rule.ranges[0] else "IPV4",
            addresses=list(rule.ranges),
            opts=self._children,
        ).arn

    def _log(self, acl: aws.wafv2.WebAcl) -> None:
        log_group = aws.cloudwatch.LogGroup(
            f"{self._args.platform}-waf",
            name=f"aws-waf-logs-{self._args.platform}",  # WAF writes only to groups of this prefix
            retention_in_days=self._args.firewall.log_retention_days,
            kms_key_id=self._args.logs_key_arn,
            opts=self._children,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{self._args.platform}-waf",
            resource_arn=acl.arn,
            log_destination_configs=[log_group.arn],
            redacted_fields=[
                aws.wafv2.WebAclLoggingConfigurationRedactedFieldArgs(
                    single_header=aws.wafv2.WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs(name=header)
                )
                for header in REDACTED_HEADERS
            ],
            opts=self._children,
        )


def _action(rule: Rule) -> aws.wafv2.WebAclRuleActionArgs:
    if rule.action == "allow":
        return aws.wafv2.WebAclRuleActionArgs(allow=aws.wafv2.WebAclRuleActionAllowArgs())
    return aws.wafv2.WebAclRuleActionArgs(block=aws.wafv2.WebAclRuleActionBlockArgs())


def _override(rule: Rule) -> aws.wafv2.WebAclRuleOverrideActionArgs:
    """A managed group's own actions stand, or all of them only count."""
    if rule.action == "count":
        count = aws.wafv2.WebAclRuleOverrideActionCountArgs()  # type: ignore[no-untyped-call]  # generated without annotations, for it takes nothing
        return aws.wafv2.WebAclRuleOverrideActionArgs(count=count)
    none = aws.wafv2.WebAclRuleOverrideActionNoneArgs()  # type: ignore[no-untyped-call]  # generated without annotations, for it takes nothing
    return aws.wafv2.WebAclRuleOverrideActionArgs(none=none)


def _oversize_body() -> aws.wafv2.WebAclRuleStatementSizeConstraintStatementArgs:
    """Beyond what WAF is shown nothing is inspected: `MATCH` makes such a body itself the offence."""
    return aws.wafv2.WebAclRuleStatementSizeConstraintStatementArgs(
        comparison_operator="GT",
        size=INSPECTED_BODY_BYTES,
        field_to_match=aws.wafv2.WebAclRuleStatementSizeConstraintStatementFieldToMatchArgs(
            body=aws.wafv2.WebAclRuleStatementSizeConstraintStatementFieldToMatchBodyArgs(oversize_handling="MATCH")
        ),
        text_transformations=[
            aws.wafv2.WebAclRuleStatementSizeConstraintStatementTextTransformationArgs(priority=0, type="NONE")
        ],
    )


def _rate(rule: Rule) -> aws.wafv2.WebAclRuleStatementRateBasedStatementArgs:
    return aws.wafv2.WebAclRuleStatementRateBasedStatementArgs(
        limit=rule.limit or 0,
        aggregate_key_type="IP",
        evaluation_window_sec=300,
        scope_down_statement=_below(rule.path_prefix) if rule.path_prefix is not None else None,
    )


def _below(path: str) -> aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementArgs:
    """Only requests whose path begins so are counted; decoded first, as the application will read it."""
    uri_path = _ByteMatchUriPath()  # type: ignore[no-untyped-call]  # generated without annotations: it takes nothing
    return aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementArgs(
        byte_match_statement=_ByteMatch(
            search_string=path,
            positional_constraint="STARTS_WITH",
            field_to_match=_ByteMatchField(uri_path=uri_path),
            text_transformations=[_ByteMatchTransformation(priority=0, type="URL_DECODE")],
        )
    )


# The generated names say every level above them.
_ByteMatch = aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementByteMatchStatementArgs
_ByteMatchField = aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementByteMatchStatementFieldToMatchArgs
_ByteMatchUriPath = (
    aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementByteMatchStatementFieldToMatchUriPathArgs
)
_ByteMatchTransformation = (
    aws.wafv2.WebAclRuleStatementRateBasedStatementScopeDownStatementByteMatchStatementTextTransformationArgs
)

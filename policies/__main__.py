"""The pack's entry: the rules handed to the engine. `pulumi preview --policy-pack policies` judges a stack by them."""

import sys
from collections.abc import Callable
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the engine starts the pack in a folder of its own

from policies import aws_rules, kubernetes_rules
from policies.plain import plain
from policies.rule import Resource, Rule, StackRule


def _resource_policy(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        if rule.applies(args.resource_type):
            for sentence in rule.check(plain(args.props)):
                report_violation(sentence, None)

    return ResourceValidationPolicy(rule.name, rule.description, validate)


def _stack_policy(rule: StackRule) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report_violation: Callable[..., None]) -> None:
        resources = [Resource(r.resource_type, r.name, plain(r.props)) for r in args.resources]
        urns = {r.name: r.urn for r in args.resources}
        for name, sentence in rule.check(resources):
            report_violation(sentence, urns[name])

    return StackValidationPolicy(rule.name, rule.description, validate)


PolicyPack(
    "partner-mesh",
    policies=[
        *(_resource_policy(rule) for rule in (*aws_rules.RULES, *kubernetes_rules.RULES)),
        *(_stack_policy(rule) for rule in (*aws_rules.STACK_RULES, *kubernetes_rules.STACK_RULES)),
    ],
    enforcement_level=EnforcementLevel.MANDATORY,
)

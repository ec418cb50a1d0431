"""Users' tokens on their way: the gateway in front of an application takes the same ones, and hands them on."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.authentication import Tokens
from partner_mesh.analysis.invariants.authority import asks
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.journeys import Journey
from partner_mesh.analysis.layers import Client, Workload
from partner_mesh.analysis.resources import Resource

_KEYS: Final = ("jwksUri", "jwks")


def alike(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A proxy refuses a token of an issuer that it does not know, and drops the tokens that it checks unless told not
    to (istio `security/v1beta1/jwt.proto`): either way nobody gets to the application behind it. Checked with other
    keys, or at one of the two alone, a token is worth what the weaker one says.
    """
    asking = {each.endpoint for each in facts.world.workloads.values() if asks(facts, each)}
    ways = dict.fromkeys((each.gateway, each.destination) for each in facts.arrivals if _by_a_user(each))
    for gateway, workload in ways:
        if gateway == workload or not isinstance(workload, Workload) or workload not in asking:
            continue
        behind = facts.mesh.bond(workload).bound.tokens
        yield from _compared(invariant, gateway, facts.mesh.bond(gateway).bound.tokens, workload, behind)


def _by_a_user(journey: Journey) -> bool:
    return isinstance(journey.source, Client) and journey.source.name == "user with token"


def _compared(
    invariant: Invariant, gateway: Workload, before: Tokens, workload: Workload, behind: Tokens
) -> Iterator[Finding]:
    at_gateway: dict[str, list[tuple[Resource, Mapping[str, Any]]]] = {}
    for each in _rules(before):
        at_gateway.setdefault(str(each[1].get("issuer")), []).append(each)
    for resource, rule in _rules(behind):
        issuer = str(rule.get("issuer"))
        if not before.policies:
            yield invariant.at(
                resource,
                f"tokens of {issuer} are checked at {workload} alone: gateway {gateway} lets every token in",
                "a RequestAuthentication of the same rules for the gateway, with forwardOriginalToken: true",
                Severity.INFO,
            )
        elif issuer not in at_gateway:
            yield invariant.at(
                before.policies[0],
                f"gateway {gateway} takes no token of {issuer}, which {workload} behind it asks for",
                "give both the same jwtRules",
            )
        else:
            yield from _unlike(invariant, gateway, at_gateway[issuer], workload, rule)


def _unlike(
    invariant: Invariant, gateway: Workload, at_gateway: list[tuple[Resource, Mapping[str, Any]]], workload: Workload,
    rule: Mapping[str, Any],
) -> Iterator[Finding]:  # fmt: skip
    """A gateway in front of several applications takes the tokens of each: more audiences than one are no fault."""
    resource, rules, said = at_gateway[0][0], [each for _, each in at_gateway], f"tokens of {rule.get('issuer')}"
    theirs = [each for each in rules if _meet(each, rule)] or rules  # those rules that take these tokens
    if not any(each.get("forwardOriginalToken") is True for each in theirs):
        yield invariant.at(
            resource, f"gateway {gateway} drops the token that {workload} behind it asks for",
            "forwardOriginalToken: true",
        )  # fmt: skip
    if not any(all(each.get(key) == rule.get(key) for key in _KEYS) for each in theirs):
        yield invariant.at(
            resource, f"gateway {gateway} checks {said} with other keys than {workload} behind it",
            "give both the same jwtRules",
        )  # fmt: skip
    taken = {str(name) for each in rules for name in each.get("audiences") or ()}
    refused = sorted({str(name) for name in rule.get("audiences") or ()} - taken)
    if refused and all(each.get("audiences") for each in rules):
        yield invariant.at(
            resource, f"gateway {gateway} refuses {said} for {', '.join(refused)}, which {workload} behind it takes",
            "list the audiences of every application behind the gateway",
        )  # fmt: skip


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a token may be made out to both; a rule without audiences takes every one."""
    audiences = [{str(name) for name in each.get("audiences") or ()} for each in (one, other)]
    return not all(audiences) or not audiences[0].isdisjoint(audiences[1])


def _rules(tokens: Tokens) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    for resource in tokens.policies:
        for rule in resource.spec.get("jwtRules") or ():
            if isinstance(rule, Mapping):
                yield resource, rule


INVARIANTS: Final = (
    Invariant("PM014-token-alike", Severity.WARNING, "Gateway and application take the same tokens", alike),
)

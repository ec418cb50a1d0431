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
    at_gateway = {str(rule.get("issuer")): (resource, rule) for resource, rule in _rules(before)}
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
    invariant: Invariant, gateway: Workload, at_gateway: tuple[Resource, Mapping[str, Any]], workload: Workload,
    rule: Mapping[str, Any],
) -> Iterator[Finding]:  # fmt: skip
    resource, first = at_gateway
    if first.get("forwardOriginalToken") is not True:
        yield invariant.at(
            resource, f"gateway {gateway} drops the token that {workload} behind it asks for",
            "forwardOriginalToken: true",
        )  # fmt: skip
    for field, written in (("keys", _KEYS), ("audiences", ("audiences",))):
        one, other = ([each.get(key) for key in written] for each in (first, rule))
        if one != other:
            yield invariant.at(
                resource,
                f"gateway {gateway} checks tokens of {rule.get('issuer')} with other {field} than {workload} behind it",
                "give both the same jwtRules",
            )


def _rules(tokens: Tokens) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    for resource in tokens.policies:
        for rule in resource.spec.get("jwtRules") or ():
            if isinstance(rule, Mapping):
                yield resource, rule


INVARIANTS: Final = (
    Invariant("PM014-token-alike", Severity.WARNING, "Gateway and application take the same tokens", alike),
)

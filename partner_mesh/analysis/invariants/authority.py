"""Rules of AuthorizationPolicy, RequestAuthentication and NetworkPolicy that say less, or more, than they seem to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.bound_policies import Policy
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.mesh_config import SECURITY, selector
from partner_mesh.analysis.network_policy import resources as network_policies
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.resources import Resource

_IDENTITIES: Final = ("principals", "namespaces", "serviceAccounts", "notPrincipals", "notNamespaces")


def _rules(resource: Resource, key: str = "rules") -> list[Any]:
    rules = resource.spec.get(key)
    return rules if isinstance(rules, list) else []


def no_empty_rule(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """An absent list allows none, an empty entry everything: one dash decides."""
    for resource in facts.world.of(SECURITY, "AuthorizationPolicy"):
        if str(resource.spec.get("action") or "ALLOW") != "ALLOW":
            continue
        for index, rule in enumerate(_rules(resource)):
            if isinstance(rule, Mapping) and not any(rule.get(key) for key in ("from", "to", "when")):
                yield invariant.at(
                    resource, f"rule {index} is empty: it admits everybody to everything",
                    "say who (from) and what (to), or leave the rule out",
                )  # fmt: skip
            for key, inner in (("from", "source"), ("to", "operation")) if isinstance(rule, Mapping) else ():
                if any(not (isinstance(each, Mapping) and each.get(inner)) for each in rule.get(key) or ()):
                    yield invariant.at(
                        resource, f"rule {index} has an entry of {key} that says nothing: it admits every {inner}",
                        f"say {inner}, or leave the entry out",
                    )  # fmt: skip
    for resource in network_policies(facts.world):
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(_rules(resource, direction)):
                written = rule if isinstance(rule, Mapping) else {}
                if not written.get(side) and not written.get("ports"):
                    yield invariant.at(
                        resource, f"{direction} rule {index} is empty: it admits every address and port",
                        f"name peers ({side}) and ports, or leave the rule out",
                    )  # fmt: skip


def no_identity_from_partners(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A partner's CA could sign `spiffe://cluster.local/…`: on a MUTUAL server such names prove nothing."""
    for proxy in facts.gateways:
        if not any(each.tls in ("MUTUAL", "OPTIONAL_MUTUAL") for each in proxy.servers):
            continue
        for policy in facts.mesh.bond(proxy.endpoint).bound.policies:
            found = next((field for field in _IDENTITIES if _uses(policy, field)), None)
            if found is not None:
                yield invariant.at(
                    policy.resource,
                    f"asks for {found} on gateway {proxy.endpoint}, where partners' CAs sign what they like",
                    "tell partners apart by server, host and address; authorise at the workload",
                )


def _uses(policy: Policy, field: str) -> bool:
    for rule in _rules(policy.resource):
        for each in (rule.get("from") or ()) if isinstance(rule, Mapping) else ():
            source = each.get("source") if isinstance(each, Mapping) else None
            if isinstance(source, Mapping) and source.get(field):
                return True
    return False


def token_required(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """RequestAuthentication refuses a wrong token and admits a missing one: some rule must ask for it."""
    asking = {endpoint for endpoint, pods in facts.world.workloads.items() if asks(facts, pods)}
    for pods in facts.world.workloads.values():
        tokens = facts.mesh.bond(pods.endpoint).bound.tokens
        if not tokens.policies or pods.endpoint in asking:
            continue
        behind = {each.destination for each in facts.journeys if each.gateway == pods.endpoint}
        if facts.mesh.bond(pods.endpoint).gateway is not None and behind & asking:
            continue
        for resource in tokens.policies:
            yield invariant.at(
                resource,
                f"tokens are checked at {pods.endpoint}, and no rule there requires one: without one everybody passes",
                "require requestPrincipals (and the claims) in an ALLOW rule of the workload",
            )


def asks(facts: Facts, pods: Pods) -> bool:
    """Whether a rule of a workload asks for a user's token."""
    for policy in facts.mesh.bond(pods.endpoint).bound.policies:
        if any(_uses(policy, field) for field in ("requestPrincipals", "notRequestPrincipals")):
            return True
        for rule in _rules(policy.resource):
            for condition in (rule.get("when") or ()) if isinstance(rule, Mapping) else ():
                if isinstance(condition, Mapping) and str(condition.get("key", "")).startswith("request.auth."):
                    return True
    return False


def root_allows_nothing(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Without it a namespace with no policy of its own admits everybody; one that has its own needs no root's."""
    if not facts.mesh.present:
        return
    closed = {each.namespace for each in facts.world.of(SECURITY, "AuthorizationPolicy") if _allows_nothing(each)}
    root = facts.mesh.config.root_namespace
    if root in closed:
        return
    proxied = {each.namespace for each in facts.world.workloads if facts.mesh.bond(each).proxied}
    still_open = sorted(proxied - closed)
    if still_open:
        yield Finding(
            invariant.identifier,
            invariant.severity,
            f"AuthorizationPolicy {root}/allow-nothing",
            f"is missing, and {', '.join(still_open)} refuse nothing of themselves: what no rule admits passes there",
            "an AuthorizationPolicy with an empty spec in the root namespace, or in each of those",
        )


def _allows_nothing(policy: Resource) -> bool:
    allows = str(policy.spec.get("action") or "ALLOW") == "ALLOW"
    return allows and not _rules(policy) and not selector(policy)


INVARIANTS: Final = (
    Invariant("PM028-empty-rule", Severity.ERROR, "No rule is empty: empty never means all", no_empty_rule),
    Invariant(
        "PM029-foreign-identity",
        Severity.ERROR,
        "No mesh identity is believed of a partner's CA",
        no_identity_from_partners,
    ),
    Invariant("PM030-token-required", Severity.ERROR, "Where tokens are checked one is required", token_required),
    Invariant("PM031-allow-nothing", Severity.ERROR, "What no rule admits is refused", root_allows_nothing),
)

"""The web ACL as data: rules in order with stable priorities, and what they cost in capacity units (WCU).

Order: addresses that are always let in, those never, countries, rate rules, managed groups, oversize bodies. Priorities
have gaps of a kind's own block, so that one more rule of a kind moves no other rule.
"""

from dataclasses import dataclass
from typing import Final, Literal

from partner_mesh.config.platform import Firewall
from partner_mesh.config.support import (
    GEOGRAPHIC_CAPACITY,
    IP_SET_CAPACITY,
    MANAGED_RULES_CAPACITY,
    PATH_PREFIX_CAPACITY,
    RATE_CAPACITY,
)

# What an ALB hands to WAF of a body, at most: 8 KB (docs: "Handling of oversize request components").
INSPECTED_BODY_BYTES: Final = 8192

# `firewall.managedRules` → the group's name at AWS (docs: "AWS Managed Rules rule groups list"), cheap ones first.
MANAGED_GROUPS: Final[dict[str, str]] = {
    "ipReputation": "AWSManagedRulesAmazonIpReputationList",
    "anonymousIp": "AWSManagedRulesAnonymousIpList",
    "common": "AWSManagedRulesCommonRuleSet",
    "knownBadInputs": "AWSManagedRulesKnownBadInputsRuleSet",
    "sqli": "AWSManagedRulesSQLiRuleSet",
    "linux": "AWSManagedRulesLinuxRuleSet",
    "adminProtection": "AWSManagedRulesAdminProtectionRuleSet",
    "botControl": "AWSManagedRulesBotControlRuleSet",
}

Kind = Literal["allow-ranges", "block-ranges", "countries", "rate", "managed", "oversize-body"]
_FIRST_PRIORITY: Final[dict[Kind, int]] = {
    "allow-ranges": 0,
    "block-ranges": 100,
    "countries": 200,
    "rate": 1000,
    "managed": 2000,
    "oversize-body": 3000,
}
_STATEMENT_CAPACITY: Final[dict[Kind, int]] = {
    "allow-ranges": IP_SET_CAPACITY,
    "block-ranges": IP_SET_CAPACITY,
    "countries": GEOGRAPHIC_CAPACITY,
    "rate": RATE_CAPACITY,
    "oversize-body": 1,  # a size constraint
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the web ACL. `action` is what a match does; managed groups override theirs only to count."""

    name: str
    kind: Kind
    priority: int
    action: Literal["allow", "block", "count", "none"]
    capacity: int
    group: str | None = None  # managed: AWS' name
    limit: int | None = None  # rate: requests of one address in five minutes
    path_prefix: str | None = None  # rate
    countries: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()


def rules(firewall: Firewall) -> tuple[Rule, ...]:
    """Every rule, in the order in which WAF judges. Nothing is emitted for an empty list: it would match nothing."""
    found: list[Rule] = []
    for place, (suffix, ranges) in enumerate(_families(firewall.allowed_ranges)):
        if ranges:
            found.append(_rule(f"allowed-ranges{suffix}", "allow-ranges", place, action="allow", ranges=ranges))
    for place, (suffix, ranges) in enumerate(_families(firewall.blocked_ranges)):
        if ranges:
            found.append(_rule(f"blocked-ranges{suffix}", "block-ranges", place, ranges=ranges))
    if firewall.blocked_countries:
        found.append(_rule("blocked-countries", "countries", countries=firewall.blocked_countries))
    found.append(_rule("rate-limit", "rate", limit=firewall.rate_limit))
    for place, rate in enumerate(firewall.rate_rules, start=1):
        found.append(_rule(f"rate-{rate.name}", "rate", place, limit=rate.limit, path_prefix=rate.path_prefix))
    found.extend(_managed(name, counting=name in firewall.count_only) for name in _declared(firewall))
    found.append(_rule("oversize-body", "oversize-body"))
    return tuple(found)


def _families(ranges: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]:
    """An IP set holds one family: (suffix of the rule's name, ranges) of IPv4 and of IPv6."""
    six = tuple(block for block in ranges if ":" in block)
    return ("", tuple(block for block in ranges if block not in six)), ("-v6", six)


def _declared(firewall: Firewall) -> tuple[str, ...]:
    """Managed groups in the table's order, cheap ones first, however they are declared: priorities stay put."""
    return tuple(name for name in MANAGED_GROUPS if name in firewall.managed_rules)


def _managed(name: str, *, counting: bool) -> Rule:
    place = list(MANAGED_GROUPS).index(name)
    return Rule(
        name=name,
        kind="managed",
        priority=_FIRST_PRIORITY["managed"] + 10 * place,
        action="count" if counting else "none",
        capacity=MANAGED_RULES_CAPACITY[name],
        group=MANAGED_GROUPS[name],
    )


def _rule(
    name: str,
    kind: Kind,
    place: int = 0,
    *,
    action: Literal["allow", "block"] = "block",
    limit: int | None = None,
    path_prefix: str | None = None,
    countries: tuple[str, ...] = (),
    ranges: tuple[str, ...] = (),
) -> Rule:
    narrowed = path_prefix not in (None, "/")
    return Rule(
        name=name,
        kind=kind,
        priority=_FIRST_PRIORITY[kind] + 10 * place,
        action=action,
        capacity=_STATEMENT_CAPACITY[kind] + (PATH_PREFIX_CAPACITY if narrowed else 0),
        limit=limit,
        path_prefix=path_prefix if narrowed else None,
        countries=countries,
        ranges=ranges,
    )


def capacity(found: tuple[Rule, ...]) -> int:
    """Capacity units of a web ACL, in WCU: see `config.support` for the limit and the surcharge."""
    return sum(rule.capacity for rule in found)

"""Security groups as `SecurityGroup` documents tell them: their rules, and which of them can matter to an end."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.layers import SECURITY_GROUP, Because
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import PROTOCOLS, AddressSet, PortSet
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass, field

DOCUMENTS: Final = "ec2.partner-mesh.dev"
_RULE_FIELDS: Final = frozenset({"protocol", "fromPort", "toPort", "cidrBlocks", "securityGroups", "description"})


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One rule: ports, and the addresses and groups that it admits. `trouble` says what of it cannot be read."""

    ports: PortSet
    addresses: AddressSet
    groups: frozenset[str]
    because: Because
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A security group as a document tells it."""

    resource: Resource
    ingress: tuple[GroupRule, ...]
    egress: tuple[GroupRule, ...]
    _near: dict[tuple[str, str], list[GroupRule]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for direction in ("ingress", "egress"):
            for rule in self.rules(direction):
                for group in rule.groups:
                    self._near.setdefault((direction, group), []).append(rule)
                if rule.addresses or rule.trouble:
                    self._near.setdefault((direction, ""), []).append(rule)

    def rules(self, direction: str) -> tuple[GroupRule, ...]:
        """The rules of a direction."""
        return self.egress if direction == "egress" else self.ingress

    def near(self, direction: str, groups: Iterable[str]) -> list[GroupRule]:
        """The rules that name one of these groups, or addresses: of a gateway's hundreds the few that can matter."""
        found = [rule for group in (*groups, "") for rule in self._near.get((direction, group), ())]
        return list({id(rule): rule for rule in found}.values())


def group_of(resource: Resource) -> Group:
    """The group of a document."""
    return Group(resource, tuple(_rules(resource, "ingress")), tuple(_rules(resource, "egress")))


def _rules(resource: Resource, direction: str) -> Iterator[GroupRule]:
    for index, rule in enumerate(resource.spec.get(direction) or ()):
        if not isinstance(rule, Mapping):
            continue
        trouble = "; ".join(f"unknown field {key}" for key in rule if key not in _RULE_FIELDS)
        ports, addresses = PortSet.NONE, AddressSet.NONE
        try:
            ports = _ports(rule)
            addresses = AddressSet.union(AddressSet.of(str(each)) for each in items(rule.get("cidrBlocks")))
        except (ValueError, TypeError) as error:
            ports, addresses, trouble = PortSet.ALL, AddressSet.ALL, str(error)
        because = Because.of(SECURITY_GROUP, resource, path=("spec", direction, index))
        yield GroupRule(ports, addresses, frozenset(map(str, items(rule.get("securityGroups")))), because, trouble)


def _ports(rule: Mapping[str, Any]) -> PortSet:
    """The ports of a rule. `-1` is every protocol; AWS then ignores ports, as it does for ICMP."""
    protocol = str(rule.get("protocol", "-1")).upper()
    protocol = {"6": "TCP", "17": "UDP", "132": "SCTP"}.get(protocol, protocol)
    if protocol in ("-1", "ALL"):
        return PortSet.ALL
    if protocol not in PROTOCOLS:
        return PortSet.NONE
    first, last = int(rule.get("fromPort", 0)), int(rule.get("toPort", 65535))
    return PortSet.protocol(protocol) if (first, last) == (-1, -1) else PortSet.range(protocol, first, last)

"""Rules that never decide anything: one before them, or beside them, already covers all that they mean."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis import network_policy, strings
from partner_mesh.analysis.gateways import PARTNER_LABEL
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.mesh_config import NETWORKING, SECURITY, selector
from partner_mesh.analysis.policies import NamedPort, Policy, Rule
from partner_mesh.analysis.regex import Unmodelled
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.routes import matched
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.model.names import APPLICATION_LABEL, GATEWAY_LABEL
from partner_mesh.model.record import dataclass

_CONTEXT: Final = ("port", "gateways", "sourceLabels", "sourceNamespace")
_REMEDY: Final = "remove it, or put it before the one that covers it and make that one narrower"


def owner(resource: Resource) -> tuple[str, ...]:
    """For whom an object is there. Two owners may say the same: each one's objects come and go with it."""
    return tuple(resource.labels.get(each, "") for each in (PARTNER_LABEL, APPLICATION_LABEL, GATEWAY_LABEL))


def comparable(wide: Resource, narrow: Resource) -> bool:
    """Whether a rule that covers another makes it useless: both are of one owner, or the wide one of nobody."""
    return owner(wide) == owner(narrow) or not any(owner(wide))


# Routes ----------------------------------------------------------------------------------------------------------


def shadowed_routes(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Routes are tried in order: a match whose every request an earlier one takes is never reached."""
    for resource in facts.world.of(NETWORKING, "VirtualService"):
        earlier: list[tuple[str, Mapping[str, Any], HttpSet]] = []
        for name, match in _matches(resource):
            try:
                requests = matched(match)
            except Unmodelled:
                continue
            covering = [(other, taken) for other, context, taken in earlier if _at_least(context, match)]
            if covering and not requests - HttpSet.union(taken for _, taken in covering):
                by = next((other for other, taken in covering if not requests - taken), covering[0][0])
                yield invariant.at(resource, f"{name} is never reached: {by} takes all of its requests", _REMEDY)
            earlier.append((name, match, requests))


def _matches(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, route in enumerate(resource.spec.get("http") or ()):
        if isinstance(route, Mapping):
            listed = [each for each in route.get("match") or () if isinstance(each, Mapping)]
            for number, match in enumerate(listed or [{}]):
                yield (f"http[{index}].match[{number}]" if listed else f"http[{index}]"), match


def _at_least(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Whether the earlier match holds wherever the later one does: for every proxy and port."""
    return all(not earlier.get(key) or earlier.get(key) == later.get(key) for key in _CONTEXT)


# AuthorizationPolicy ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """One `from` with one `to` of a rule: field → values."""

    fields: dict[str, tuple[str, ...]]
    when: tuple[str, ...]

    def covers(self, other: "_Box") -> bool:
        return set(self.when) <= set(other.when) and all(
            _field_covers(name, values, other.fields.get(name, ())) for name, values in self.fields.items()
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Clause:
    resource: Resource
    index: int
    boxes: tuple[_Box, ...]
    order: int

    def covers(self, other: "_Clause") -> bool:
        return all(any(mine.covers(its) for mine in self.boxes) for its in other.boxes)

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The exact hosts outside which it says nothing; None where there are no such."""
        found: list[str] = []
        for box in self.boxes:
            hosts = box.fields.get("hosts", ())
            if not hosts:
                return None
            found += hosts
        exact = [each.lower() for each in found if "*" not in each.removesuffix(":*")]
        return tuple(exact) if len(exact) == len(found) else None


def subsumed_rules(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A rule of which another rule of the same action, on at least the same workloads, says all."""
    root = facts.mesh.config.root_namespace
    groups: dict[str, list[_Clause]] = {}
    for number, resource in enumerate(facts.world.of(SECURITY, "AuthorizationPolicy")):
        action = str(resource.spec.get("action") or "ALLOW")
        if action in ("ALLOW", "DENY") and not resource.spec.get("targetRefs"):
            groups.setdefault(action, []).extend(_clauses(resource, number))
    for clauses in groups.values():
        index = _index(clauses)
        for clause in clauses:
            by = next((each for each in _candidates(index, clause, root) if _makes_useless(each, clause, root)), None)
            if by is not None:
                where = f"rule {by.index}" if by.resource is clause.resource else f"{by.resource.title} rule {by.index}"
                yield invariant.at(clause.resource, f"rule {clause.index} adds nothing to {where}", "remove it")


def _clauses(resource: Resource, number: int) -> Iterator[_Clause]:
    rules = resource.spec.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, Mapping):
            continue
        sources = [(each or {}).get("source") or {} for each in rule.get("from") or ()] or [{}]
        operations = [(each or {}).get("operation") or {} for each in rule.get("to") or ()] or [{}]
        when = tuple(
            sorted(repr(sorted(each.items(), key=str)) for each in rule.get("when") or () if isinstance(each, Mapping))
        )
        boxes = [
            _Box({k: tuple(map(str, v or ())) for k, v in {**source, **operation}.items() if v}, when)
            for source in sources
            for operation in operations
        ]
        yield _Clause(resource, index, tuple(boxes), number * 10_000 + index)


def _index(clauses: Iterable[_Clause]) -> dict[tuple[str, str], list[_Clause]]:
    """(namespace, host or "") → clauses: of thousands of partners' rules only those of its own host meet a rule."""
    found: dict[tuple[str, str], list[_Clause]] = {}
    for clause in clauses:
        for host in dict.fromkeys(clause.hosts or ("",)):
            found.setdefault((clause.resource.namespace, host), []).append(clause)
    return found


def _candidates(index: Mapping[tuple[str, str], list[_Clause]], clause: _Clause, root: str) -> Iterator[_Clause]:
    for namespace in dict.fromkeys((root, clause.resource.namespace)):
        for host in dict.fromkeys(("", *(clause.hosts or ()))):
            yield from index.get((namespace, host), ())


def _makes_useless(wide: _Clause, narrow: _Clause, root: str) -> bool:
    if wide is narrow or not comparable(wide.resource, narrow.resource):
        return False
    if wide.resource.namespace not in (root, narrow.resource.namespace):
        return False
    if not selector(wide.resource).items() <= selector(narrow.resource).items() or not wide.covers(narrow):
        return False
    return wide.order < narrow.order or not narrow.covers(wide)  # of two that say the same the later one is told of


def _field_covers(name: str, wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    if name.startswith("not"):
        return set(wide) <= set(narrow)
    if not narrow:
        return False
    if name in ("ipBlocks", "remoteIpBlocks"):
        try:
            return AddressSet.union(map(AddressSet.of, narrow)) <= AddressSet.union(map(AddressSet.of, wide))
        except ValueError:
            return False
    if name == "paths":
        return all(any(_path_covers(each, other) for each in wide) for other in narrow)
    return all(any(_value_covers(each, other) for each in wide) for other in narrow)


def _path_covers(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    return strings.authorization_path(narrow) <= strings.authorization_path(wide)


def _value_covers(wide: str, narrow: str) -> bool:
    if wide in (narrow, "*"):
        return True
    if wide.endswith("*"):
        return narrow.startswith(wide[:-1])
    return wide.startswith("*") and narrow.endswith(wide[1:])


# NetworkPolicy ---------------------------------------------------------------------------------------------------


def subsumed_network_rules(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Policies add up: a rule whose peers and ports another rule of the same pods has already admits nobody new."""
    universe = facts.packets.universe
    by_place: dict[tuple[str, str, tuple[str, ...]], list[tuple[Policy, int, Rule]]] = {}
    for policy in network_policy.policies(universe, []):
        for direction in ("ingress", "egress"):
            for index, rule in enumerate(getattr(policy, direction) or ()):
                if policy.subjects and rule.peers and not rule.perhaps:
                    key = direction, policy.resource.namespace, owner(policy.resource)
                    by_place.setdefault(key, []).append((policy, index, rule))
    for (direction, namespace, who), entries in by_place.items():
        nobody = by_place.get((direction, namespace, ("", "", "")), []) if any(who) else []
        for number, (policy, index, rule) in enumerate(entries):
            others = [(each, position < number) for position, each in enumerate(entries) if position != number]
            for (other, other_index, wide), first in (*others, *((each, True) for each in nobody)):
                covered = _admits_all(other, wide, policy, rule)
                if covered and (first or not _admits_all(policy, rule, other, wide)):
                    same = other is policy
                    where = f"rule {other_index}" if same else f"{other.resource.title} {direction} rule {other_index}"
                    yield invariant.at(
                        policy.resource, f"{direction} rule {index} adds nothing to {where}", "remove it"
                    )
                    break


def _admits_all(wide_policy: Policy, wide: Rule, policy: Policy, rule: Rule) -> bool:
    if policy.subjects & ~wide_policy.subjects or rule.peers & ~wide.peers:
        return False
    named = any(isinstance(term, NamedPort) for each in (wide, rule) for term in each.ports.include or ())
    if named:
        return wide.ports == rule.ports
    return rule.ports.on(None, _NOBODY) <= wide.ports.on(None, _NOBODY)


class _Nobody:
    """A universe that is never asked: ports by number need none."""

    pods: tuple[()] = ()


_NOBODY: Any = _Nobody()


def unused_rules(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """All three kinds."""
    yield from shadowed_routes(facts, invariant)
    yield from subsumed_rules(facts, invariant)
    yield from subsumed_network_rules(facts, invariant)


INVARIANTS: Final = (Invariant("PM010-unused-rule", Severity.WARNING, "Every rule decides something", unused_rules),)

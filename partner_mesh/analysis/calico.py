"""Calico's policies as tiers of rules (projectcalico.org/v3, and crd.projectcalico.org/v1 beneath it).

Tiers run in their order, policies in theirs within a tier; Kubernetes policies stand in the tier `default` at 1000.
Where a tier holds a policy for a workload and no rule matches, the tier's default action decides: to deny, unless it
says Pass. What no tier decides is allowed, as Calico's profiles for Kubernetes namespaces do.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from partner_mesh.analysis.calico_rules import (
    UNKNOWN_ADDRESS,
    UNKNOWN_CONTROLLER,
    EntityReader,
    Labelled,
    Meant,
    nets_of,
    of_kind,
    ports_of,
)
from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Direction, Policy, Ports, Rule, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.written import items
from partner_mesh.model.record import replace

DEFAULT_TIER: Final = "default"
DEFAULT_ORDER: Final = 1_000_000.0  # of the default tier, since it has one
_KINDS: Final = ("NetworkPolicy", "GlobalNetworkPolicy")
_SPEC_FIELDS: Final = frozenset({
    "tier", "order", "ingress", "egress", "selector", "types", "serviceAccountSelector", "namespaceSelector",
    "performanceHints", "doNotTrack", "preDNAT", "applyOnForward",
})  # fmt: skip
_RULE_FIELDS: Final = frozenset({
    "action", "protocol", "notProtocol", "ipVersion", "icmp", "notICMP", "source", "destination", "http", "metadata",
})  # fmt: skip
_FLAGS: Final = ("applyOnForward", "doNotTrack", "preDNAT")


def address_sets(world: World) -> Iterator[AddressSet]:
    """The nets that rules and network sets name; broken ones are told of when the policy is read."""
    written: list[Any] = [
        each.spec.get("nets") for kind in ("NetworkSet", "GlobalNetworkSet") for each in of_kind(world, kind)
    ]
    written += [
        _entity(rule, side).get(key)
        for kind in _KINDS
        for resource in of_kind(world, kind)
        for rule in (*_rules(resource, "ingress"), *_rules(resource, "egress"))
        for side in ("source", "destination")
        for key in ("nets", "notNets")
    ]
    for nets in written:
        if nets:
            try:
                yield nets_of(nets)
            except (ValueError, TypeError):
                continue


def tiers(universe: Universe, kubernetes: Sequence[Policy], notes: list[Note]) -> list[Tier]:
    """Every tier that holds a policy; the Kubernetes policies join the default tier."""
    labelled = Labelled(universe)
    found: dict[str, list[Policy]] = {DEFAULT_TIER: list(kubernetes)}
    for kind in _KINDS:
        for resource in of_kind(universe.world, kind):
            tier = str(resource.spec.get("tier") or DEFAULT_TIER)
            found.setdefault(tier, []).append(_PolicyReader(resource, labelled, notes).policy())
    for kind in ("StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"):
        notes += [
            Note(resource.source, f"{resource.title} is staged: it is not enforced and not counted")
            for resource in of_kind(universe.world, kind)
        ]
    known = {each.name: each for each in of_kind(universe.world, "Tier")}
    return [_tier(name, policies, known.get(name), notes) for name, policies in found.items() if policies]


def _tier(name: str, policies: list[Policy], written: Resource | None, notes: list[Note]) -> Tier:
    ordered = tuple(sorted(policies, key=lambda policy: policy.order))
    if written is not None:
        order = written.spec.get("order")
        action = Action.PASS if written.spec.get("defaultAction") == "Pass" else Action.DENY
        usual = DEFAULT_ORDER if name == DEFAULT_TIER else math.inf
        return Tier(name, float(order) if isinstance(order, int | float) else usual, ordered, action)
    if name == DEFAULT_TIER:
        return Tier(name, DEFAULT_ORDER, ordered)
    reason = f"Tier {name} is not among the objects: its order is not known"
    notes.append(Note(ordered[0].resource.source, reason))
    doubtful = tuple(replace(each, subjects=0, perhaps=each.subjects | each.perhaps, reason=reason) for each in ordered)
    # Asked first, a doubt covers every order that the tier may have.
    return Tier(name, -math.inf, doubtful)


def _rules(resource: Resource, direction: str) -> list[Mapping[str, Any]]:
    written = resource.spec.get(direction)
    return [each for each in written if isinstance(each, Mapping)] if isinstance(written, list) else []


class _PolicyReader:
    """Reads one NetworkPolicy or GlobalNetworkPolicy."""

    def __init__(self, resource: Resource, labelled: Labelled, notes: list[Note]) -> None:
        self.resource = resource
        self.labelled = labelled
        self.universe = labelled.universe
        self.notes = notes
        self.entities = EntityReader(labelled, resource.namespace)

    def policy(self) -> Policy:
        """The policy with its rules."""
        spec = self.resource.spec
        order = spec.get("order")
        subjects, doubts = self._subjects(spec)
        doubts += [f"unknown field {key}" for key in spec if key not in _SPEC_FIELDS]
        doubts += [f"{flag} is not modelled" for flag in _FLAGS if spec.get(flag)]
        for each in doubts:
            self._note(each)
        types = [str(each) for each in items(spec.get("types"))]
        if not types:
            types = ["Egress"] if spec.get("egress") and not spec.get("ingress") else ["Ingress"]
            types += ["Egress"] if spec.get("egress") and spec.get("ingress") else []
        name = f"{self.resource.namespace}/{self.resource.name}" if self.resource.namespace else self.resource.name
        return Policy(
            self.resource,
            (float(order) if isinstance(order, int | float) else math.inf, name),
            0 if doubts else subjects,
            self._direction("ingress") if "Ingress" in types else None,
            self._direction("egress") if "Egress" in types else None,
            subjects if doubts else 0,
            "; ".join(doubts),
        )

    def _note(self, text: str) -> None:
        self.notes.append(Note(self.resource.source, f"{self.resource.title}: {text}"))

    def _subjects(self, spec: Mapping[str, Any]) -> tuple[int, list[str]]:
        home = self.universe.workloads
        if self.resource.namespace:
            home = self.universe.namespace(self.resource.namespace)
        try:
            chosen = home & self.labelled.selected(str(spec.get("selector") or ""))
            if spec.get("namespaceSelector") and not self.resource.namespace:
                chosen &= self.labelled.in_namespace(str(spec["namespaceSelector"]))
            if spec.get("serviceAccountSelector"):
                chosen &= self.labelled.of_account((), str(spec["serviceAccountSelector"]))
        except ValueError as error:
            return home, [str(error)]
        return chosen, []

    def _direction(self, direction: Direction) -> tuple[Rule, ...]:
        found: list[Rule] = []
        for index, rule in enumerate(_rules(self.resource, direction)):
            because = Because.of(NETWORK_POLICY, self.resource, path=("spec", direction, index))
            try:
                found += self._rule(rule, direction, because)
            except (ValueError, TypeError, AttributeError) as error:
                self._note(f"{direction} rule {index}: {error}")
                perhaps = self.universe.everybody
                found.append(Rule(Action.PASS, 0, Ports(), because, perhaps, str(error)))
        return tuple(found)

    def _rule(self, rule: Mapping[str, Any], direction: Direction, because: Because) -> Iterator[Rule]:
        """The rule, or several where it names a Service: one for each of its workloads."""
        written = str(rule.get("action") or "").capitalize()
        if written == "Log":
            return
        if written not in ("Allow", "Deny", "Pass"):
            raise ValueError(f"unknown action {rule.get('action')!r}")
        action = Action(written)
        doubts = [f"unknown field {key}" for key in rule if key not in _RULE_FIELDS]
        source, destination = _entity(rule, "source"), _entity(rule, "destination")
        own, other = (destination, source) if direction == "ingress" else (source, destination)
        ports = ports_of(rule, destination)
        if rule.get("http"):
            doubts.append("http needs Calico's application layer policy, which is not modelled")
        if source.get("ports") or source.get("notPorts"):
            doubts.append("source ports are not modelled")
        meant = self.entities.meant(other)
        if rule.get("ipVersion") in (4, 6):
            meant = _within(meant, self.entities.of_version(int(rule["ipVersion"])))
        subjects, trouble = self._own_side(own)
        doubts += trouble
        reason = "; ".join((*doubts, *meant.reasons))
        certain, perhaps = (0, meant.certain | meant.perhaps) if doubts else (meant.certain, meant.perhaps)
        for doubt in (*doubts, *(each for each in meant.reasons if each != UNKNOWN_CONTROLLER)):
            self._note(doubt)
        if other.get("services"):
            yield from self._service_rules(Rule(action, certain, ports, because, perhaps, reason, subjects), other)
        elif certain or perhaps:
            yield Rule(action, certain, ports, because, perhaps, reason, subjects)

    def _own_side(self, entity: Mapping[str, Any]) -> tuple[int | None, list[str]]:
        """Which of the policy's workloads a rule is kept to, by what it says of their own side; None for all."""
        if not any(entity.get(key) for key in entity if key not in ("ports", "notPorts")):
            return None, []
        meant = self.entities.meant({key: value for key, value in entity.items() if key not in ("nets", "notNets")})
        doubts = list(meant.reasons) if meant.perhaps & self.universe.workloads else []
        nets = entity.get("nets")
        if (nets and AddressSet.V4 - nets_of(nets)) or entity.get("notNets"):
            doubts.append(UNKNOWN_ADDRESS)
        if entity.get("services"):
            doubts.append("services on the policy's own side are not modelled")
        return meant.certain | meant.perhaps, doubts

    def _service_rules(self, rule: Rule, entity: Mapping[str, Any]) -> Iterator[Rule]:
        targets = self.entities.services(entity)
        if targets is None:
            reason = f"where Service {entity['services'].get('name')} leads is not among the objects"
            self._note(reason)
            yield replace(rule, peers=0, perhaps=self.universe.everybody, reason=reason)
            return
        for mask, ports in targets:
            narrowed = replace(rule.ports, base=rule.ports.base & ports) if ports else Ports(PortSet.NONE)
            yield replace(rule, peers=rule.peers & mask, perhaps=rule.perhaps & mask, ports=narrowed)


def _entity(rule: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    entity = rule.get(side)
    return entity if isinstance(entity, Mapping) else {}


def _within(meant: Meant, family: Meant) -> Meant:
    certain = meant.certain & family.certain
    perhaps = (meant.certain | meant.perhaps) & (family.certain | family.perhaps) & ~certain
    return Meant(certain, perhaps, (*meant.reasons, *family.reasons) if perhaps else ())

"""One Calico policy or Profile: whom it applies to, and its rules in their order."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.calico_labels import Labelled, nets_of
from partner_mesh.analysis.calico_rules import UNKNOWN_ADDRESS, UNKNOWN_CONTROLLER, EntityReader, Meant, ports_of
from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Direction, Policy, Ports, Rule
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.written import items
from partner_mesh.model.record import replace

_SPEC_FIELDS: Final = frozenset({
    "tier", "order", "ingress", "egress", "selector", "types", "serviceAccountSelector", "namespaceSelector",
    "performanceHints", "doNotTrack", "preDNAT", "applyOnForward",
})  # fmt: skip
_RULE_FIELDS: Final = frozenset({
    "action", "protocol", "notProtocol", "ipVersion", "icmp", "notICMP", "source", "destination", "http", "metadata",
})  # fmt: skip
_FORWARDED: Final = ("applyOnForward", "doNotTrack", "preDNAT")


def tie_break(resource: Resource) -> str:
    """What orders policies of one `order`, from Calico 3.32 on (felix/calc/policy_sorter.go, PolKVLess)."""
    return f"{resource.name}/{resource.namespace}/{resource.kind}"


def rules_of(resource: Resource, direction: str) -> list[Mapping[str, Any]]:
    """The rules of a direction, as they are written."""
    written = resource.spec.get(direction)
    return [each for each in written if isinstance(each, Mapping)] if isinstance(written, list) else []


class PolicyReader:
    """Reads one NetworkPolicy or GlobalNetworkPolicy."""

    def __init__(self, resource: Resource, labelled: Labelled, notes: list[Note]) -> None:
        self.resource = resource
        self.labelled = labelled
        self.universe = labelled.universe
        self.notes = notes
        self.subjects = labelled.universe.workloads
        self.entities = EntityReader(labelled, resource.namespace)

    def policy(self) -> Policy:
        """The policy with its rules."""
        spec = self.resource.spec
        order = spec.get("order")
        subjects, doubts = self._subjects(spec)
        if spec.get("doNotTrack") or spec.get("preDNAT"):
            subjects, doubts = 0, []  # of hosts alone: Felix leaves such policies out of a workload's tiers
        self.subjects = subjects
        doubts += [f"unknown field {key}" for key in spec if key not in _SPEC_FIELDS]
        for each in doubts:
            self._note(each)
        types = [str(each) for each in items(spec.get("types"))]
        if not types:
            types = ["Egress"] if spec.get("egress") and not spec.get("ingress") else ["Ingress"]
            types += ["Egress"] if spec.get("egress") and spec.get("ingress") else []
        return Policy(
            self.resource,
            (float(order) if isinstance(order, int | float) else math.inf, tie_break(self.resource)),
            0 if doubts else subjects,
            self._direction("ingress") if "Ingress" in types else None,
            self._direction("egress") if "Egress" in types else None,
            subjects if doubts else 0,
            "; ".join(doubts),
        )

    def profile(self, index: int, subjects: int) -> Policy:
        """A Profile as a policy of those workloads that have it at this place of their list."""
        for direction in ("ingress", "egress"):
            if any(str(rule.get("action")).capitalize() == "Pass" for rule in rules_of(self.resource, direction)):
                reason = "Pass in a Profile is not modelled"
                self._note(reason)
                return Policy(self.resource, (index, self.resource.name), 0, (), (), subjects, reason)
        rules = self._direction("ingress"), self._direction("egress")
        return Policy(self.resource, (index, self.resource.name), subjects, *rules)

    def on_hosts(self) -> bool:
        """Whether it selects a HostEndpoint and judges what that host forwards, besides what ends there."""
        spec = self.resource.spec
        if self.resource.namespace or not any(spec.get(flag) for flag in _FORWARDED):
            return False
        try:
            chosen = self.labelled.selected(str(spec.get("selector") or "")) & self.labelled.hosts
            if spec.get("namespaceSelector"):
                chosen &= self.labelled.in_namespace(str(spec["namespaceSelector"]))
        except ValueError:
            return bool(self.labelled.hosts)
        return bool(chosen) and not spec.get("serviceAccountSelector")

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
        for index, rule in enumerate(rules_of(self.resource, direction)):
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
        source, destination = entity_of(rule, "source"), entity_of(rule, "destination")
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
        chosen = meant.certain | meant.perhaps
        for key in ("nets", "notNets"):
            if entity.get(key):
                placed = self.labelled.placed(nets_of(entity[key]))
                chosen &= ~placed.outside if key == "nets" else ~placed.inside
                if (placed.perhaps | placed.unknown) & chosen & self.subjects:
                    doubts.append(UNKNOWN_ADDRESS)
        if entity.get("services"):
            doubts.append("services on the policy's own side are not modelled")
        return chosen, doubts

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


def entity_of(rule: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """The `source` or `destination` of a rule."""
    entity = rule.get(side)
    return entity if isinstance(entity, Mapping) else {}


def _within(meant: Meant, family: Meant) -> Meant:
    certain = meant.certain & family.certain
    perhaps = (meant.certain | meant.perhaps) & (family.certain | family.perhaps) & ~certain
    return Meant(certain, perhaps, (*meant.reasons, *family.reasons) if perhaps else ())

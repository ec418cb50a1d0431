"""Kubernetes NetworkPolicy as rules (networking.k8s.io/v1; semantics of the API reference).

A policy isolates the pods it selects, in the directions of `policyTypes`; isolated pods are left with what some policy
allows. An absent or empty `from`/`to` means every peer, an absent or empty `ports` every port.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Direction, NamedPort, Policy, Ports, Rule
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import In, Selector, SelectorError, label_selector
from partner_mesh.analysis.sets import PROTOCOLS, AddressSet, PortSet
from partner_mesh.analysis.topology import NAME_LABEL, World
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.written import items, port_number, whole

ORDER: Final = 1000.0  # Calico's order of Kubernetes policies in its default tier
_PEER_FIELDS: Final = frozenset({"podSelector", "namespaceSelector", "ipBlock"})
_PORT_FIELDS: Final = frozenset({"port", "endPort", "protocol"})
_UNKNOWN_ADDRESS: Final = "its address on this network is not among the objects"
_UNKNOWN_CONTROLLER: Final = "the ingress controller's labels and namespace are not among the objects"


def resources(world: World) -> tuple[Resource, ...]:
    """The NetworkPolicies of a world, also those of the API group it began in."""
    return (*world.of("networking.k8s.io", "NetworkPolicy"), *world.of("extensions", "NetworkPolicy"))


def address_sets(world: World) -> Iterator[AddressSet]:
    """The address blocks that rules name; broken ones are told of when the policy is read."""
    blocks = [
        peer.get("ipBlock")
        for resource in resources(world)
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for rule in _list(resource.spec.get(direction))
        for peer in _list(rule.get(side))
    ]
    for block in blocks:
        if isinstance(block, (dict, Mapping)):
            try:
                yield AddressSet.block(str(block.get("cidr")), [str(each) for each in items(block.get("except"))])
                yield AddressSet.of(str(block.get("cidr")))
            except ValueError:
                continue


def policies(universe: Universe, notes: list[Note], written: Iterable[Resource] | None = None) -> list[Policy]:
    """Every NetworkPolicy as a policy of the default tier; others of the same form where they are given."""
    chosen = resources(universe.world) if written is None else written
    return [_policy(resource, universe, notes) for resource in chosen]


def _list(value: Any) -> list[Mapping[str, Any]]:
    """A list of mappings; `- ` alone, which YAML reads as null, is an empty rule to the API server."""
    return [each if isinstance(each, (dict, Mapping)) else {} for each in value] if isinstance(value, list) else []


def _policy(resource: Resource, universe: Universe, notes: list[Note]) -> Policy:
    spec = resource.spec
    home = universe.namespace(resource.namespace)
    subjects, perhaps, reason = 0, 0, ""
    try:
        subjects = label_selector(spec.get("podSelector")).mask(universe.labels) & home
    except SelectorError as error:
        perhaps, reason = home, f"podSelector: {error}"
        notes.append(Note(resource.source, f"{resource.title}: {reason}"))
    types = spec.get("policyTypes")
    directions = [str(each) for each in types] if isinstance(types, list) and types else None
    if directions is None:
        directions = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    notes += [
        Note(resource.source, f"{resource.title}: unknown policy type {each!r}: not counted")
        for each in directions
        if each not in ("Ingress", "Egress")
    ]
    read = _Reader(resource, universe, notes)
    return Policy(
        resource,
        (ORDER, f"{resource.name}/{resource.namespace}/KubernetesNetworkPolicy"),  # Calico's tie-break
        subjects,
        read.rules("ingress") if "Ingress" in directions else None,
        read.rules("egress") if "Egress" in directions else None,
        perhaps,
        reason,
    )


class _Reader:
    """Reads one policy's rules; what it cannot read becomes a doubt about whoever might be meant."""

    def __init__(self, resource: Resource, universe: Universe, notes: list[Note]) -> None:
        self.resource = resource
        self.universe = universe
        self.notes = notes

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of a direction, in written order."""
        written = _list(value := self.resource.spec.get(direction))
        if value is not None and not isinstance(value, list):
            because = Because.of(NETWORK_POLICY, self.resource, path=("spec", direction))
            reason = f"{direction} must be a list, not {type(value).__name__}"
            self.notes.append(Note(self.resource.source, f"{self.resource.title}: {reason}"))
            return (Rule(Action.ALLOW, 0, Ports(), because, self.universe.everybody, reason),)
        return tuple(self._rule(rule, direction, index) for index, rule in enumerate(written))

    def _rule(self, rule: Mapping[str, Any], direction: Direction, index: int) -> Rule:
        because = Because.of(NETWORK_POLICY, self.resource, path=("spec", direction, index))
        side = "from" if direction == "ingress" else "to"
        doubts = [f"unknown field {key}" for key in rule if key not in (side, "ports")]
        ports, trouble = self._ports(rule.get("ports"))
        doubts += trouble
        peers, perhaps = 0, 0
        if not rule.get(side):
            peers = self.universe.everybody
        elif not isinstance(rule[side], list):
            peers = self.universe.everybody
            doubts.append(f"{side} must be a list, not {type(rule[side]).__name__}")
        for peer in _list(rule.get(side)):
            try:
                certain, possible = self._peer(peer)
            except ValueError as error:
                certain, possible = 0, self.universe.everybody
                doubts.append(str(error))
            peers, perhaps = peers | certain, perhaps | possible
        perhaps &= ~peers
        reason = ""
        if perhaps:
            reason = _UNKNOWN_CONTROLLER if perhaps & self.universe.controllers else _UNKNOWN_ADDRESS
        if doubts:
            reason = "; ".join(doubts)
            self.notes.append(Note(self.resource.source, f"{self.resource.title}, {direction} rule {index}: {reason}"))
            peers, perhaps = 0, peers | perhaps
        return Rule(Action.ALLOW, peers, ports, because, perhaps, reason)

    def _peer(self, peer: Mapping[str, Any]) -> tuple[int, int]:
        """(who is meant, who may be meant). Raises ValueError for what the API server refuses."""
        if unknown := [key for key in peer if key not in _PEER_FIELDS]:
            raise ValueError(f"unknown field {unknown[0]} in a peer")
        block, pod, namespace = (peer.get(key) for key in ("ipBlock", "podSelector", "namespaceSelector"))
        if block is not None:
            if pod is not None or namespace is not None:
                raise ValueError("ipBlock beside a selector in one peer")
            if not isinstance(block, Mapping) or not block.get("cidr"):
                raise ValueError("ipBlock without cidr")
            inside = AddressSet.block(str(block["cidr"]), [str(each) for each in items(block.get("except"))])
            return self.universe.inside(inside), self.universe.perhaps_inside(inside)
        if pod is None and namespace is None:
            raise ValueError("a peer that names nobody")
        chosen = self.universe.workloads & label_selector(pod).mask(self.universe.labels)
        if namespace is None:
            return chosen & self.universe.namespace(self.resource.namespace), 0
        selector = label_selector(namespace)
        chosen &= selector.mask(self.universe.namespace_labels)
        if not self.universe.controllers:
            return chosen, 0
        if not selector.keys() and not label_selector(pod).keys():
            return chosen | self.universe.controllers, 0
        return chosen, self.universe.controllers if self._beyond(selector) else 0

    def _beyond(self, selector: Selector) -> bool:
        """Whether a namespace selector may mean a namespace that is not among the objects."""
        if selector.keys() != {NAME_LABEL}:
            return True
        return not isinstance(selector, In) or any(
            value not in self.universe.world.namespaces for value in selector.values
        )

    @staticmethod
    def _ports(written: Any) -> tuple[Ports, list[str]]:
        """A rule's ports, and what cannot be read of them."""
        if not written:
            return Ports(), []
        if not isinstance(written, list):
            return Ports(), [f"ports must be a list, not {type(written).__name__}"]
        terms: list[PortSet | NamedPort] = []
        doubts: list[str] = []
        for each in _list(written):
            doubts += [f"unknown field {key} in a port" for key in each if key not in _PORT_FIELDS]
            protocol = str(each.get("protocol") or "TCP")
            port, end = each.get("port"), each.get("endPort")
            if protocol not in PROTOCOLS:
                doubts.append(f"unknown protocol {protocol}")
                terms.append(PortSet.ALL)
            elif port is None:
                terms.append(PortSet.protocol(protocol))
            elif isinstance(port, str) and whole(port) is None:
                terms.append(NamedPort(port, protocol))
            else:
                first, last = port_number(port), port_number(port if end is None else end)
                if first is None or last is None or last < first:
                    doubts.append(f"illegal port range {port}-{end}" if end is not None else f"illegal port {port}")
                    terms.append(PortSet.protocol(protocol))
                else:
                    terms.append(PortSet.range(protocol, first, last))
        return Ports(include=tuple(terms)), doubts

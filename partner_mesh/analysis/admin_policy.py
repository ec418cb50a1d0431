"""AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1) as rules.

The admin tier comes before NetworkPolicies and may pass on to them; the baseline speaks where no NetworkPolicy selects
a pod. Neither isolates: what no rule matches goes on. The orders are those of Calico's tiers for them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Direction, NamedPort, Policy, Ports, Rule, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import Selector, label_selector
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe

GROUP: Final = "policy.networking.k8s.io"
_TIERS: Final = (("AdminNetworkPolicy", 1_000.0), ("BaselineAdminNetworkPolicy", 10_000_000.0))
_UNKNOWN_CONTROLLER: Final = "the ingress controller's labels and namespace are not among the objects"
_UNKNOWN_NODES: Final = "the addresses of nodes are not known"


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def address_sets(world: World) -> Iterator[AddressSet]:
    """The networks that egress rules name."""
    for kind, _ in _TIERS:
        for resource in world.of(GROUP, kind):
            for rule in _mappings(resource.spec.get("egress")):
                for peer in _mappings(rule.get("to")):
                    for cidr in peer.get("networks") or ():
                        try:
                            yield AddressSet.of(str(cidr))
                        except ValueError:
                            continue


def tiers(universe: Universe, notes: list[Note]) -> list[Tier]:
    """The admin tier and the baseline tier, where there are policies for them."""
    found: list[Tier] = []
    for kind, order in _TIERS:
        policies = [_policy(resource, universe, notes) for resource in universe.world.of(GROUP, kind)]
        if policies:
            found.append(Tier(kind, order, tuple(sorted(policies, key=lambda each: each.order)), Action.PASS))
    return found


def _policy(resource: Resource, universe: Universe, notes: list[Note]) -> Policy:
    spec = resource.spec
    subjects, perhaps, reason = 0, 0, ""
    try:
        subject = spec.get("subject")
        if not isinstance(subject, Mapping) or not ({"namespaces", "pods"} & subject.keys()):
            raise ValueError("a policy without a subject")
        subjects = _selected(subject, universe)[0]
    except ValueError as error:
        perhaps, reason = universe.workloads, str(error)
        notes.append(Note(resource.source, f"{resource.title}: {error}"))
    priority = spec.get("priority")
    return Policy(
        resource,
        (float(priority) if isinstance(priority, int | float) else 0.0, resource.name),
        subjects,
        tuple(_rules(resource, "ingress", universe, notes)),
        tuple(_rules(resource, "egress", universe, notes)),
        perhaps,
        reason,
    )


def _rules(resource: Resource, direction: Direction, universe: Universe, notes: list[Note]) -> Iterator[Rule]:
    for index, rule in enumerate(_mappings(resource.spec.get(direction))):
        because = Because.of(NETWORK_POLICY, resource, path=("spec", direction, index))
        certain, perhaps, reasons = 0, 0, []
        try:
            action = Action(str(rule.get("action")))
            ports = _ports(rule.get("ports"))
            for peer in _mappings(rule.get("from" if direction == "ingress" else "to")):
                meant, maybe, reason = _peer(peer, universe)
                certain, perhaps = certain | meant, perhaps | maybe
                reasons += [reason] if maybe else []
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(Note(resource.source, f"{resource.title}, {direction} rule {index}: {error}"))
            yield Rule(Action.PASS, 0, Ports(), because, universe.everybody, str(error))
            continue
        yield Rule(action, certain, ports, because, perhaps & ~certain, "; ".join(dict.fromkeys(reasons)))


def _peer(peer: Mapping[str, Any], universe: Universe) -> tuple[int, int, str]:
    """(who is meant, who may be meant, why it cannot be told)."""
    if "networks" in peer:
        inside = 0
        for cidr in peer["networks"] or ():
            inside |= universe.inside(AddressSet.of(str(cidr)))
        return inside, 0, ""
    if "nodes" in peer:
        return 0, universe.outside, _UNKNOWN_NODES
    if not ({"namespaces", "pods"} & peer.keys()):
        raise ValueError(f"a peer of unknown form: {', '.join(map(str, peer)) or 'empty'}")
    chosen, selectors = _selected(peer, universe)
    if any(selector.keys() for selector in selectors):
        return chosen, universe.controllers, _UNKNOWN_CONTROLLER
    return chosen | universe.controllers, 0, ""


def _selected(peer: Mapping[str, Any], universe: Universe) -> tuple[int, tuple[Selector, ...]]:
    if "namespaces" in peer:
        namespaces = label_selector(peer["namespaces"])
        return universe.workloads & namespaces.mask(universe.namespace_labels), (namespaces,)
    pods = peer["pods"] if isinstance(peer["pods"], Mapping) else {}
    namespaces, labels = label_selector(pods.get("namespaceSelector")), label_selector(pods.get("podSelector"))
    chosen = universe.workloads & namespaces.mask(universe.namespace_labels) & labels.mask(universe.labels)
    return chosen, (namespaces, labels)


def _ports(written: Any) -> Ports:
    if not written:
        return Ports()
    terms: list[PortSet | NamedPort] = []
    for each in _mappings(written):
        if "portNumber" in each:
            number = each["portNumber"]
            terms.append(PortSet.single(str(number.get("protocol") or "TCP"), int(number["port"])))
        elif "portRange" in each:
            span = each["portRange"]
            terms.append(PortSet.range(str(span.get("protocol") or "TCP"), int(span["start"]), int(span["end"])))
        elif "namedPort" in each:
            terms.append(NamedPort(str(each["namedPort"]), None))
        else:
            raise ValueError("a port of unknown form")
    return Ports(include=tuple(terms))

"""The cluster's own policies (policy.networking.k8s.io) as rules: AdminNetworkPolicy and BaselineAdminNetworkPolicy
(v1alpha1), and ClusterNetworkPolicy (v1alpha2), which follows them.

The admin tier comes before NetworkPolicies and may pass on to them; the baseline speaks where no NetworkPolicy selects
a pod. Neither isolates: what no rule matches goes on. The orders are those of Calico's tiers for them. Pods on their
node's network are neither subjects nor peers. Facts: the comments of the API's types.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Direction, NamedPort, Policy, Ports, Rule, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import LabelIndex, Mask, Selector, label_selector, mask_of
from partner_mesh.analysis.sets import PROTOCOLS, AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.written import mapping, mappings, port_number

GROUP: Final = "policy.networking.k8s.io"
_ADMIN, _BASELINE = 1_000.0, 10_000_000.0
_TIERS: Final = (  # kind, what `spec.tier` must say, order
    ("AdminNetworkPolicy", None, _ADMIN),
    ("ClusterNetworkPolicy", "Admin", _ADMIN),
    ("BaselineAdminNetworkPolicy", None, _BASELINE),
    ("ClusterNetworkPolicy", "Baseline", _BASELINE),
)
_ACTIONS: Final = {"Allow": Action.ALLOW, "Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS}
_UNKNOWN_CONTROLLER: Final = "the ingress controller's labels and namespace are not among the objects"
_UNKNOWN_NODES: Final = "the addresses of nodes are not known"
_UNKNOWN_NAMES: Final = "which addresses a domain name has is not among the objects"
_DIRECTIONS: Final[tuple[Direction, ...]] = ("ingress", "egress")


def address_sets(world: World) -> Iterator[AddressSet]:
    """The networks that egress rules name, and the nodes that they select, where Nodes are among the objects."""
    for kind in dict.fromkeys(kind for kind, _, _ in _TIERS):
        for resource in world.of(GROUP, kind):
            for rule in mappings(resource.spec.get("egress")):
                for peer in mappings(rule.get("to")):
                    yield from _addresses(peer, world)


def _addresses(peer: Mapping[str, Any], world: World) -> Iterator[AddressSet]:
    try:
        if "nodes" in peer:
            yield _of_nodes(peer["nodes"], world)
        for cidr in peer.get("networks") or ():
            yield AddressSet.of(str(cidr))
    except (ValueError, TypeError):
        return  # told of when the policy is read


def tiers(universe: Universe, notes: list[Note]) -> list[Tier]:
    """The admin tiers and the baseline tiers, where there are policies for them."""
    found: list[Tier] = []
    for kind, tier, order in _TIERS:
        written = [
            each
            for each in universe.world.of(GROUP, kind)
            if tier is None
            or each.spec.get("tier") == tier
            or (tier == "Admin" and each.spec.get("tier") != "Baseline")
        ]
        policies = sorted((_policy(each, universe, notes) for each in written), key=lambda each: each.order)
        if policies:
            doubts = [each for pair in _tied(policies) for each in _undecided(*pair)]
            found.append(Tier(f"{kind} {tier}" if tier else kind, order, (*doubts, *policies), Action.PASS))
    return found


def _tied(policies: list[Policy]) -> Iterator[tuple[Policy, Policy]]:
    for index, one in enumerate(policies):
        for other in policies[index + 1 :]:
            if other.order[0] != one.order[0]:
                break
            if one.subjects & other.subjects:
                yield one, other


def _undecided(one: Policy, other: Policy) -> Iterator[Policy]:
    """Two policies of one priority: which of them is asked first is left to the cluster, where their rules differ."""
    reason = f"{one.resource.title} and {other.resource.title} have one priority: either may be asked first"
    found: dict[Direction, tuple[Rule, ...]] = {}
    for direction in _DIRECTIONS:
        pairs = [(a, b) for a in one.rules(direction) or () for b in other.rules(direction) or ()]
        found[direction] = tuple(
            Rule(Action.PASS, 0, ports, a.because, a.peers & b.peers, reason)
            for a, b in pairs
            if a.action is not b.action and a.peers & b.peers and (ports := _common(a.ports, b.ports)) is not None
        )
    if any(found.values()):
        subjects = one.subjects & other.subjects
        yield Policy(one.resource, (one.order[0], ""), subjects, found["ingress"], found["egress"])


def _common(one: Ports, other: Ports) -> Ports | None:
    """The ports of both; all of them where a name must first be looked up."""
    first, second = one.numbers(), other.numbers()
    if first is None or second is None:
        return Ports()
    return Ports(first & second) if first & second else None


def _policy(resource: Resource, universe: Universe, notes: list[Note]) -> Policy:
    spec = resource.spec
    subjects, perhaps, reason = 0, 0, ""
    try:
        subject = spec.get("subject")
        if not isinstance(subject, Mapping) or not ({"namespaces", "pods"} & subject.keys()):
            raise ValueError("a policy without a subject")
        if resource.kind == "ClusterNetworkPolicy" and spec.get("tier") not in ("Admin", "Baseline"):
            raise ValueError(f"unknown tier {spec.get('tier')!r}")
        subjects = _selected(subject, universe)[0] & ~_on_nodes(universe)
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
    for index, rule in enumerate(mappings(resource.spec.get(direction))):
        because = Because.of(NETWORK_POLICY, resource, path=("spec", direction, index))
        certain, perhaps, reasons = 0, 0, []
        try:
            action = _ACTIONS.get(str(rule.get("action")))
            if action is None:
                raise ValueError(f"unknown action {rule.get('action')!r}")
            ports = _protocols(rule["protocols"]) if "protocols" in rule else _ports(rule.get("ports"))
            for peer in mappings(rule.get("from" if direction == "ingress" else "to")):
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
            if not AddressSet.V4 - AddressSet.of(str(cidr)):  # traffic inside the cluster is checked as well
                inside |= universe.workloads
        return inside, 0, ""
    if "nodes" in peer:
        if not universe.world.of("", "Node"):
            return 0, universe.outside, _UNKNOWN_NODES
        return universe.inside(_of_nodes(peer["nodes"], universe.world)), 0, ""
    if "domainNames" in peer:
        return 0, universe.outside, _UNKNOWN_NAMES
    if not ({"namespaces", "pods"} & peer.keys()):
        raise ValueError(f"a peer of unknown form: {', '.join(map(str, peer)) or 'empty'}")
    chosen, selectors = _selected(peer, universe)
    chosen &= ~_on_nodes(universe)
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
    for each in mappings(written):
        if "portNumber" in each:
            number = mapping(each["portNumber"])
            terms.append(_range(number.get("protocol") or "TCP", number.get("port"), number.get("port")))
        elif "portRange" in each:
            span = mapping(each["portRange"])
            terms.append(_range(span.get("protocol") or "TCP", span.get("start"), span.get("end")))
        elif "namedPort" in each:
            terms.append(NamedPort(str(each["namedPort"]), None))
        else:
            raise ValueError("a port of unknown form")
    return Ports(include=tuple(terms))


def _protocols(written: Any) -> Ports:
    """ClusterNetworkPolicy's form of ports."""
    terms: list[PortSet | NamedPort] = []
    for each in mappings(written):
        if "destinationNamedPort" in each:
            terms.append(NamedPort(str(each["destinationNamedPort"]), None))
            continue
        (name, what), *others = each.items()
        port = what.get("destinationPort") if isinstance(what, Mapping) else None
        if others or str(name).upper() not in PROTOCOLS:
            raise ValueError(f"a protocol of unknown form: {', '.join(map(str, each))}")
        if port is None:
            terms.append(PortSet.protocol(str(name).upper()))
        else:
            span = mapping(mapping(port).get("range"))
            first, last = (span.get("start"), span.get("end")) if span else (mapping(port).get("number"),) * 2
            terms.append(_range(str(name).upper(), first, last))
    return Ports(include=tuple(terms))


def _range(protocol: Any, first: Any, last: Any) -> PortSet:
    """Ports from first to last. Raises ValueError for what is none."""
    numbers = port_number(first), port_number(last)
    if protocol not in PROTOCOLS or numbers[0] is None or numbers[1] is None or numbers[0] > numbers[1]:
        raise ValueError(f"illegal ports {protocol} {first}-{last}")
    return PortSet.range(str(protocol), numbers[0], numbers[1])


def _on_nodes(universe: Universe) -> Mask:
    return mask_of(position for position, pods in enumerate(universe.pods) if pods is not None and pods.host_network)


def _of_nodes(selector: Any, world: World) -> AddressSet:
    """The addresses of the Nodes that are selected."""
    nodes = world.of("", "Node")
    chosen = label_selector(selector).mask(LabelIndex([each.labels for each in nodes]))
    found: list[AddressSet] = []
    for position, node in enumerate(nodes):
        status = node.body.get("status")
        written = status.get("addresses") if isinstance(status, Mapping) and chosen >> position & 1 else None
        for each in mappings(written):
            try:
                found.append(AddressSet.of(str(each.get("address"))))
            except ValueError:
                continue  # a host name
    return AddressSet.union(found)

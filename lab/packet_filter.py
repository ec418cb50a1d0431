"""NetworkPolicies enforced for real: the policies of Kubernetes and Calico as one nftables program of the node.

Every packet between pods, or between a pod and the outside, passes the node's forward hook after Service addresses were
translated: the place where Calico judges it too. A packet must be let out by its source pod and let in by its target
pod. What nobody lets through is answered with ICMP "administratively prohibited", so that a probe sees at once who
turned it away; a cluster would drop it in silence. The node itself reaches its pods, as Calico allows by default.

Order as in Calico: policies by `order`, those of Kubernetes at 1000; the first rule that matches decides; a pod that
any policy selects is closed to what none mentions. Read from the reference of each API, not from `partner_mesh`.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from lab import LabError
from lab.selectors import Predicate, calico, kubernetes
from lab.world import Document, Workload

Direction = Literal["ingress", "egress"]
Action = Literal["allow", "deny", "pass"]
ACTIONS: Final[Mapping[str, Action]] = {"Allow": "allow", "Deny": "deny", "Pass": "pass"}
KUBERNETES_ORDER: Final = 1000.0  # Calico's conversion of a Kubernetes policy
LAST: Final = float("inf")  # a Calico policy without order
TABLE: Final = "lab_policy"


@dataclass(frozen=True, slots=True)
class Match:
    """Which packets a rule speaks of. `addresses` are the far end's, `ports` the target's; None is any, () is none."""

    addresses: tuple[str, ...] | None
    excluded: tuple[str, ...] = ()
    protocol: str | None = None
    ports: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and what becomes of the packet."""

    action: Action
    match: Match


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy in one direction, for the pods it selects."""

    order: float
    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What selectors are asked about: pods with addresses, labels of namespaces, labelled sets of networks."""

    pods: tuple[Workload, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    sets: tuple[tuple[str, Mapping[str, str], tuple[str, ...]], ...]  # namespace ("" global), labels, networks


def cluster(documents: Iterable[Document], pods: Iterable[Workload]) -> Cluster:
    """From documents; every namespace has the label that the API server gives it."""
    namespaces: dict[str, Mapping[str, str]] = {}
    sets = []
    for document in documents:
        metadata = document["metadata"]
        if document["kind"] == "Namespace":
            name = metadata["name"]
            namespaces[name] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": name}
        elif document["kind"] in {"NetworkSet", "GlobalNetworkSet"}:
            place = metadata["namespace"] if document["kind"] == "NetworkSet" else ""
            sets.append((place, metadata.get("labels", {}), tuple(document["spec"].get("nets", ()))))
    return Cluster(tuple(pods), namespaces, tuple(sets))


def policies(documents: Iterable[Document], known: Cluster, pod: Workload, direction: Direction) -> list[Policy]:
    """The policies that select a pod in a direction, in the order in which they are asked."""
    found = [p for d in documents if (p := _policy(d, known, pod, direction)) is not None]
    return sorted(found, key=lambda policy: (policy.order, policy.name))


def program(documents: Sequence[Document], known: Cluster, links: Mapping[str, str]) -> str:
    """The nftables program; `links` maps the keys of running pods to their interface on the node."""
    chains: list[str] = []
    out: list[str] = []
    into: list[str] = []
    directions: tuple[tuple[Direction, list[str]], ...] = (("egress", out), ("ingress", into))
    for number, pod in enumerate(known.pods):
        if pod.key not in links:
            continue
        for direction, jumps in directions:
            selected = policies(documents, known, pod, direction)
            if selected:
                chain = f"{direction}_{number}"
                lines = [line for policy in selected for line in _lines(policy, direction)]
                chains.append(_chain(chain, [f"# {pod.key} {direction}", *lines, "counter jump refuse"]))
                jumps.append(f'"{links[pod.key]}" : jump {chain}')
    forward = ["type filter hook forward priority filter; policy accept;", "ct state established,related accept"]
    if out:
        forward.append(f"iifname vmap {{ {', '.join(out)} }}")
    if into:
        forward.append(f"oifname vmap {{ {', '.join(into)} }}")
    refuse = _chain("refuse", ["reject with icmp type admin-prohibited"])
    body = "\n".join([refuse, *chains, _chain("forward_", forward)])
    return f"table ip {TABLE} {{}}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n{body}\n}}\n"


def _chain(name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"  chain {name} {{", *(f"    {line}" for line in lines), "  }"])


def _lines(policy: Policy, direction: Direction) -> Iterator[str]:
    verdicts = {"allow": "return", "deny": "jump refuse", "pass": "return"}
    side = "saddr" if direction == "ingress" else "daddr"
    for rule in policy.rules:
        match = rule.match
        addresses = None if match.addresses is None else _merged(match.addresses)
        if addresses == [] or match.ports == ():
            continue  # nobody of IPv4, or no port: such a rule matches no packet
        parts = []
        if addresses is not None and "0.0.0.0/0" not in addresses:
            parts.append(f"ip {side} {{ {', '.join(addresses)} }}")
        if excluded := _merged(match.excluded):
            parts.append(f"ip {side} != {{ {', '.join(excluded)} }}")
        if match.ports is not None:
            numbers = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in match.ports)
            parts.append(f"{(match.protocol or 'tcp').lower()} dport {{ {numbers} }}")
        elif match.protocol is not None:
            parts.append(f"meta l4proto {match.protocol.lower()}")
        yield " ".join([*parts, "counter", verdicts[rule.action]])


def _merged(blocks: Iterable[str]) -> list[str]:
    """Those of IPv4, which is all the lab has, without overlaps, which an nftables set refuses."""
    own = (ipaddress.IPv4Network(block, strict=False) for block in blocks if ":" not in block)
    return [str(block) for block in ipaddress.collapse_addresses(own)]


def _policy(document: Document, known: Cluster, pod: Workload, direction: Direction) -> Policy | None:
    kind, group = document["kind"], document["apiVersion"].partition("/")[0]
    if kind == "NetworkPolicy" and group == "networking.k8s.io":
        return _kubernetes(document, known, pod, direction)
    if kind in {"NetworkPolicy", "GlobalNetworkPolicy"} and group.endswith("projectcalico.org"):
        return _calico(document, known, pod, direction)
    return None


# -- Kubernetes


def _kubernetes(document: Document, known: Cluster, pod: Workload, direction: Direction) -> Policy | None:
    spec, namespace = document["spec"], document["metadata"].get("namespace", "default")
    default = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    if direction.capitalize() not in spec.get("policyTypes", default):
        return None
    if pod.namespace != namespace or not kubernetes(spec.get("podSelector", {}))(pod.labels):
        return None
    rules = [
        Rule("allow", match)
        for rule in spec.get(direction) or ()
        for match in _kubernetes_matches(rule, known, namespace, pod, direction)
    ]
    return Policy(KUBERNETES_ORDER, f"{namespace}/{document['metadata']['name']}", tuple(rules))


def _kubernetes_matches(
    rule: Mapping[str, Any], known: Cluster, namespace: str, pod: Workload, direction: Direction
) -> Iterator[Match]:
    peers = rule.get("from" if direction == "ingress" else "to")
    ports = rule.get("ports")
    # An absent or empty list is every peer, and every port.
    for peer in peers or [None]:
        addresses, excluded, targets = _kubernetes_peer(peer, known, namespace)
        if not ports:
            yield Match(addresses, excluded)
        for port in ports or ():
            protocol = port.get("protocol", "TCP")
            if isinstance(name := port.get("port"), str):
                yield from _named_port(
                    name, protocol, addresses, [pod] if direction == "ingress" else targets, direction
                )
            elif name is None:
                yield Match(addresses, excluded, protocol)
            else:
                yield Match(addresses, excluded, protocol, ((name, port.get("endPort", name)),))


def _named_port(
    name: str, protocol: str, addresses: tuple[str, ...] | None, targets: Sequence[Workload], direction: Direction
) -> Iterator[Match]:
    """A port's name means what each target pod means by it."""
    for target in targets:
        if (number := dict(target.ports).get(name)) is not None:
            yield Match(addresses if direction == "ingress" else (target.address,), (), protocol, ((number, number),))


def _kubernetes_peer(
    peer: Mapping[str, Any] | None, known: Cluster, namespace: str
) -> tuple[tuple[str, ...] | None, tuple[str, ...], list[Workload]]:
    if peer is None:
        return None, (), list(known.pods)
    if "ipBlock" in peer:
        return (peer["ipBlock"]["cidr"],), tuple(peer["ipBlock"].get("except", ())), []
    place: Predicate | None = kubernetes(peer["namespaceSelector"]) if "namespaceSelector" in peer else None
    chosen = kubernetes(peer.get("podSelector", {}))
    pods = [
        p
        for p in known.pods
        if (p.namespace == namespace if place is None else place(known.namespaces.get(p.namespace, {})))
        and chosen(p.labels)
    ]
    return tuple(p.address for p in pods), (), pods


# -- Calico


def _calico(document: Document, known: Cluster, pod: Workload, direction: Direction) -> Policy | None:
    spec, own = document["spec"], document["metadata"].get("namespace", "")
    types = spec.get("types") or [kind.capitalize() for kind in ("ingress", "egress") if spec.get(kind)] or ["Ingress"]
    if direction.capitalize() not in types or (own and pod.namespace != own):
        return None
    if not own and not calico(spec.get("namespaceSelector", ""))(_namespace_labels(known, pod.namespace)):
        return None
    if not calico(spec.get("selector", ""))(_pod_labels(pod)):
        return None
    unknown = set(spec) - {"order", "selector", "namespaceSelector", "types", "ingress", "egress", "tier"}
    if unknown or spec.get("tier", "default") != "default":
        raise LabError(
            f"Calico policy {document['metadata']['name']}: the lab does not enforce {sorted(unknown) or 'tiers'}"
        )
    rules = tuple(
        _calico_rule(rule, known, own, direction) for rule in spec.get(direction) or () if rule["action"] != "Log"
    )
    return Policy(spec.get("order", LAST), f"{own}/{document['metadata']['name']}", rules)


def _calico_rule(rule: Mapping[str, Any], known: Cluster, own: str, direction: Direction) -> Rule:
    unknown = set(rule) - {"action", "protocol", "source", "destination", "metadata", "ipVersion"}
    if unknown:
        raise LabError(f"Calico rule: the lab does not enforce {sorted(unknown)}")
    far, near = ("source", "destination") if direction == "ingress" else ("destination", "source")
    ports = rule.get("destination", {}).get("ports")
    for side, allowed in ((far, {"selector", "namespaceSelector", "nets", "notNets", "ports"}), (near, {"ports"})):
        if unknown := set(rule.get(side, {})) - allowed:
            raise LabError(f"Calico rule: the lab does not enforce {side} {sorted(unknown)}")
    addresses, excluded = _calico_peer(rule.get(far, {}), known, own)
    return Rule(
        ACTIONS[rule["action"]],
        Match(addresses, excluded, rule.get("protocol"), None if ports is None else tuple(_ranges(ports))),
    )


def _ranges(ports: Iterable[int | str]) -> Iterator[tuple[int, int]]:
    for port in ports:
        low, _, high = str(port).partition(":")
        if not low.isdigit():
            raise LabError(f"Calico rule: the lab does not enforce named port {port}")
        yield int(low), int(high or low)


def _calico_peer(entity: Mapping[str, Any], known: Cluster, own: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    excluded = tuple(entity.get("notNets", ()))
    if "selector" not in entity and "namespaceSelector" not in entity:
        return (tuple(entity["nets"]) if "nets" in entity else None), excluded
    if "nets" in entity:
        raise LabError("Calico rule: the lab does not enforce nets and a selector together")
    chosen = calico(entity.get("selector", ""))
    text = entity.get("namespaceSelector")

    def there(namespace: str) -> bool:
        if text == "global()":
            return namespace == ""
        if text is not None:
            return namespace != "" and calico(text)(_namespace_labels(known, namespace))
        return namespace == own if own else True

    pods = [p.address for p in known.pods if there(p.namespace) and chosen(_pod_labels(p))]
    nets = [
        net for namespace, labels, networks in known.sets if there(namespace) and chosen(labels) for net in networks
    ]
    return (*pods, *nets), excluded


def _pod_labels(pod: Workload) -> dict[str, str]:
    return {
        **pod.labels,
        "projectcalico.org/namespace": pod.namespace,
        "projectcalico.org/serviceaccount": pod.service_account,
    }


def _namespace_labels(known: Cluster, namespace: str) -> dict[str, str]:
    return {**known.namespaces.get(namespace, {}), "projectcalico.org/name": namespace}

"""Security groups: one for nodes, one for every pod of the mesh, one an application, a gateway and a load balancer.

Rules follow the declared edges and name groups, not addresses, wherever the other end has a group. Pods carry theirs
through SecurityGroupPolicy (`security_group_policy.py`); what has none (istiod, CoreDNS, Prometheus, controllers) has
its node's. Partners' allow-lists are no rules here: a group holds 60 a direction, and an NLB's one group serves all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from partner_mesh.config.platform import EksCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import EAST_WEST, SECURITY_GROUP_API
from partner_mesh.specs import waypoint
from partner_mesh.specs.login_provider import logins
from partner_mesh.specs.network_policy import PROMETHEUS_PORT
from partner_mesh.specs.security_group_edges import (
    Edge,
    application_group,
    declared_edges,
    gateway_group,
    load_balancer_group,
    login_group,
    waypoint_group,
)
from partner_mesh.specs.shards import Shards
from partner_mesh.specs.stack import GATEWAY_STATUS_PORT, GATEWAY_TARGET_PORT, target_ports
from partner_mesh.specs.tracing import collector_port

Direction = Literal["ingress", "egress"]
Protocol = Literal["tcp", "udp", "-1"]

EAST_WEST_PORT: Final = 15443
CLUSTER: Final = "cluster"  # EKS' own, on the control plane's interfaces: it exists once the cluster does
NODES: Final = "nodes"
PODS: Final = "pods"
EVERYWHERE: Final = "0.0.0.0/0"
# Webhooks and aggregated APIs that the API server calls on nodes: istiod, load balancer controller, External Secrets,
# Calico's API server.
_CALLED_BY_API_SERVER: Final = (
    (15017, "istiod webhooks"),
    (9443, "load balancer controller webhook"),
    (10250, "kubelet and External Secrets webhook"),
    (5443, "Calico API server"),
)
_SIDECAR_PORTS: Final = ((15020, "probes and merged metrics"), (15021, "readiness"), (15090, "Envoy metrics"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with one peer: an address block or a group, by its name."""

    direction: Direction
    protocol: Protocol
    from_port: int
    to_port: int
    description: str
    cidr: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A security group and its rules, each once."""

    name: str
    description: str
    rules: tuple[Rule, ...]


def security_groups(stack: Stack, gateways: Mapping[str, str], formed: Shards) -> tuple[Group, ...]:
    """Every group of the stack; none where the cluster is somebody else's.

    `gateways` are those in effect → the declared gateway whose settings each has.
    """
    if not isinstance(stack.platform.cluster, EksCluster):
        return ()
    edges = tuple(dict.fromkeys(declared_edges(stack, formed)))
    groups = [_cluster(), _nodes(stack), _pods(stack)]
    groups += [_application(stack, name, edges) for name in stack.applications]
    for namespace in stack.by_namespace:
        if waypoint.served(stack, namespace):
            own = waypoint_group(namespace)
            groups.append(Group(own, f"Waypoint of {namespace}", tuple(dict.fromkeys(_of(own, edges)))))
    groups += _east_west(stack, edges)
    groups += [_login(name, edges) for name, _, _ in logins(stack)]
    for name, declared in gateways.items():
        groups.append(_gateway(stack, name, declared, edges))
        if stack.platform.gateways[declared].direction == "ingress":
            groups.append(_load_balancer(stack, name, declared))
    return tuple(groups)


def _of(group: str, edges: Iterable[Edge]) -> Iterator[Rule]:
    """The rules that edges make in a group: out at the source, in at the destination."""
    for edge in edges:
        if edge.destination == group:
            yield _tcp("ingress", edge.port, f"from {edge.source}", group=edge.source)
        if edge.source == group:
            yield _tcp("egress", edge.port, f"to {edge.destination}", group=edge.destination)


def _tcp(
    direction: Direction, port: int, description: str, *, group: str | None = None, cidr: str | None = None
) -> Rule:
    return Rule(direction, "tcp", port, port, description, cidr, group)


def _cluster() -> Group:
    """EKS' own group; the control plane calls nodes, and nodes and pods with an API client call it."""
    rules = [_tcp("egress", port, what, group=NODES) for port, what in _CALLED_BY_API_SERVER]
    return Group(CLUSTER, "EKS control plane", (*rules, _tcp("ingress", 443, "API clients on nodes", group=NODES)))


def _nodes(stack: Stack) -> Group:
    """Nodes, and pods without a group of their own."""
    rules = [
        Rule("ingress", "-1", 0, 0, "between nodes", group=NODES),
        Rule("egress", "-1", 0, 0, "between nodes", group=NODES),
        *(_tcp("ingress", port, what, group=CLUSTER) for port, what in _CALLED_BY_API_SERVER),
        _tcp("egress", 443, "Kubernetes API", group=CLUSTER),
        Rule("ingress", "udp", 53, 53, "CoreDNS", group=PODS),
        _tcp("ingress", 53, "CoreDNS", group=PODS),
        _tcp("ingress", 15012, "istiod", group=PODS),
    ]
    port = collector_port(stack)
    if port is not None:
        rules.append(_tcp("ingress", port, "spans", group=PODS))
    rules += [_tcp("egress", port, what, group=PODS) for port, what in _SIDECAR_PORTS]
    rules += [_tcp("egress", port, "probes", group=PODS) for port in _probe_ports(stack)]
    rules += _prometheus(stack)
    # Images, AWS' APIs, token keys of issuers. Pods' own traffic is judged by their own groups.
    rules.append(_tcp("egress", 443, "registries and AWS", cidr=EVERYWHERE))
    if stack.platform.network is not None:
        cidr = stack.platform.network.cidr
        rules += [Rule("egress", "udp", 53, 53, "VPC resolver", cidr), _tcp("egress", 53, "VPC resolver", cidr=cidr)]
    return Group(NODES, "Nodes, and pods without a group of their own", tuple(rules))


def _prometheus(stack: Stack) -> list[Rule]:
    """Prometheus has the nodes' group: who takes from it, and a receiver on a port that nodes do not use anyway."""
    settings = stack.platform.observability.prometheus
    found = []
    if settings.enabled and settings.federation is not None:
        ranges = settings.federation.ranges
        found += [_tcp("ingress", PROMETHEUS_PORT, "central Prometheus", cidr=cidr) for cidr in ranges]
    if settings.enabled and (write := settings.remote_write) is not None:
        found += [_tcp("egress", write.port, "remote write", cidr=cidr) for cidr in write.ranges]
    return found


def _pods(stack: Stack) -> Group:
    """What every pod of the mesh needs: names, certificates, probes, scrapes."""
    rules = [
        Rule("egress", "udp", 53, 53, "CoreDNS", group=NODES),
        _tcp("egress", 53, "CoreDNS", group=NODES),
        _tcp("egress", 15012, "istiod", group=NODES),
        *(_tcp("ingress", port, what, group=NODES) for port, what in _SIDECAR_PORTS),
        *(_tcp("ingress", port, "probes", group=NODES) for port in _probe_ports(stack)),
    ]
    port = collector_port(stack)
    if port is not None:
        rules.append(_tcp("egress", port, "spans", group=NODES))
    return Group(PODS, "Every pod of the mesh", tuple(rules))


def _probe_ports(stack: Stack) -> tuple[int, ...]:
    """TCP probes go to the pod's own ports; HTTP probes are rewritten to 15020."""
    return tuple(sorted({port for each in stack.applications.values() for port in target_ports(each)}))


def _application(stack: Stack, name: str, edges: Iterable[Edge]) -> Group:
    own = application_group(name)
    declared = stack.applications[name].security_group
    rules = list(_of(own, edges))
    cluster = stack.platform.mesh.multi_cluster
    if cluster is not None and any(c.application == name for a in stack.applications.values() for c in a.callers):
        blocks = dict.fromkeys(cidr for peer in cluster.peers for cidr in peer.ranges)
        rules += [_tcp("egress", EAST_WEST_PORT, "other cluster", cidr=cidr) for cidr in blocks]
    if declared is not None:
        for entry in declared.ingress:
            what = entry.description or "declared"
            rules.append(Rule("ingress", entry.protocol, entry.port, entry.port, what, entry.source, entry.group))
        for entry in declared.egress:
            what = entry.description or "declared"
            rules.append(Rule("egress", entry.protocol, entry.port, entry.port, what, entry.to, entry.group))
    return Group(own, f"Application {name}", tuple(dict.fromkeys(rules)))


def _gateway(stack: Stack, name: str, declared: str, edges: Iterable[Edge]) -> Group:
    own = gateway_group(name)
    rules = list(_of(own, edges))
    if stack.platform.gateways[declared].direction == "ingress":
        balancer = load_balancer_group(name)
        rules.append(_tcp("ingress", GATEWAY_TARGET_PORT, "load balancer", group=balancer))
        rules.append(_tcp("ingress", GATEWAY_STATUS_PORT, "health checks", group=balancer))
    else:
        entries = [each for partner in stack.partners for each in partner.outbound]
        ports = {443, *(each.port for each in entries if stack.outbound_gateway(each) == declared)}
        rules += [_tcp("egress", port, "partners", cidr=EVERYWHERE) for port in sorted(ports)]
    return Group(own, f"Gateway {name}", tuple(dict.fromkeys(rules)))


def _east_west(stack: Stack, edges: Iterable[Edge]) -> list[Group]:
    """The door between clusters: its load balancer (an NLB without a group of its own) keeps the callers' addresses."""
    cluster = stack.platform.mesh.multi_cluster
    if cluster is None:
        return []
    own, network = gateway_group(EAST_WEST), stack.platform.network
    blocks = dict.fromkeys(cidr for peer in cluster.peers for cidr in peer.ranges)
    rules = [*_of(own, edges), *(_tcp("ingress", EAST_WEST_PORT, "other cluster", cidr=cidr) for cidr in blocks)]
    if network is not None:
        rules.append(_tcp("ingress", GATEWAY_STATUS_PORT, "health checks", cidr=network.cidr))
    return [Group(own, "East-west gateway", tuple(dict.fromkeys(rules)))]


def _login(application: str, edges: Iterable[Edge]) -> Group:
    own = login_group(application)
    rules = [*_of(own, edges), _tcp("egress", 443, "the issuer", cidr=EVERYWHERE)]
    return Group(own, f"Login of {application}", tuple(dict.fromkeys(rules)))


def _load_balancer(stack: Stack, name: str, declared: str) -> Group:
    """Web: who may call the ALB, with plain HTTP only to be redirected. Partners: the allow-lists stand behind."""
    gateway = stack.platform.gateways[declared]
    sources = gateway.source_ranges or (EVERYWHERE,)
    ports = (443, 80) if gateway.exposure == "web" else (443,)
    rules = [_tcp("ingress", port, "clients", cidr=cidr) for port in ports for cidr in sources]
    rules.append(_tcp("egress", GATEWAY_TARGET_PORT, "gateway", group=gateway_group(name)))
    rules.append(_tcp("egress", GATEWAY_STATUS_PORT, "health checks", group=gateway_group(name)))
    return Group(load_balancer_group(name), f"Load balancer of gateway {name}", tuple(rules))


def group_id(name: str, group_ids: Mapping[str, Any] | None) -> Any:
    """A group's id: what the caller knows, else a stand-in. Ids of foreign groups (`sg-…`) stand for themselves."""
    if group_ids is not None and name in group_ids:
        return group_ids[name]
    return name if name.startswith("sg-") else f"sg-{name}"


def security_group_documents(
    groups: Iterable[Group], group_ids: Mapping[str, Any] | None = None
) -> tuple[Mapping[str, Any], ...]:
    """The groups as the analyser reads them, and as the AWS component makes them."""
    return tuple(
        {
            "apiVersion": SECURITY_GROUP_API,
            "kind": "SecurityGroup",
            "metadata": {"name": group.name},
            "spec": {
                "groupId": group_id(group.name, group_ids),
                "description": group.description,
                **({"nodes": True} if group.name == NODES else {}),  # pods without a group of their own have it
                **_directions(group, group_ids),
            },
        }
        for group in groups
    )


def _directions(group: Group, group_ids: Mapping[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """Rules by direction; a direction without rules, in which nothing passes, is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in sorted(group.rules, key=lambda each: each.direction == "egress"):
        found.setdefault(rule.direction, []).append(_document(rule, group_ids))
    return found


def _document(rule: Rule, group_ids: Mapping[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"protocol": rule.protocol}
    if rule.protocol != "-1":
        found |= {"fromPort": rule.from_port, "toPort": rule.to_port}
    if rule.cidr is not None:
        found["cidrBlocks"] = [rule.cidr]
    if rule.group is not None:
        found["securityGroups"] = [group_id(rule.group, group_ids)]
    return found | {"description": rule.description}

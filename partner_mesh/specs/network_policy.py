"""NetworkPolicies: nothing in, nothing out, and then the declared edges, at both ends, on pod ports.

Pod ports, never 15006: policies see packets before iptables redirects them into the sidecar. Policies add up, so each
edge has an object of its own owner and adding an application changes nobody else's. The metadata service
(169.254.169.254) is closed by what is absent here; Calico and the nodes' hop limit close it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from partner_mesh.config.platform import Gateway
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import tracing, waypoint
from partner_mesh.specs.aws.subnets import subnets
from partner_mesh.specs.stack import (
    GATEWAY_STATUS_PORT,
    GATEWAY_TARGET_PORT,
    ambient,
    calls,
    owned,
    selector,
    target_ports,
    web_gateway,
    web_gateways_of,
    web_port,
)
from partner_mesh.specs.tracing import collector

NETWORK_POLICY: Final = "networking.k8s.io/v1"
OBSERVABILITY_NAMESPACE: Final = tracing.OBSERVABILITY_NAMESPACE
PROMETHEUS: Final = {"app.kubernetes.io/name": "prometheus"}  # set by its operator
PROMETHEUS_PORT: Final = 9090
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"  # set by the API server, cannot be forged

# What the internet is not: private, shared, loopback, link-local (with the metadata service), multicast, reserved.
NOT_INTERNET: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
PRIVATE: Final = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
KUBELET_IN_AMBIENT: Final = "169.254.7.127/32"  # ztunnel's health probe SNAT: istio.io "ambient and NetworkPolicy"
HBONE: Final = waypoint.HBONE

Peers = Sequence[Mapping[str, Any]]
Direction = Literal["ingress", "egress"]


def pods(namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A peer: pods with these labels in one namespace."""
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}},
        "podSelector": {"matchLabels": dict(labels)},
    }


def block(cidr: str, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """A peer: an address block, less some."""
    return {"ipBlock": {"cidr": cidr} | ({"except": list(without)} if without else {})}


def rule(
    direction: Direction, peers: Peers, ports: Iterable[int], protocols: Sequence[str] = ("TCP",)
) -> dict[str, Any]:
    """One rule. Raises ValueError without peers or ports: to Kubernetes an empty list means everybody."""
    listed = [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]
    if not peers or not listed:
        raise ValueError("a NetworkPolicy rule without peers or ports admits everything")
    return {"from" if direction == "ingress" else "to": [dict(peer) for peer in peers], "ports": listed}


def policy(
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    pod_selector: Mapping[str, Any],
    *,
    ingress: Sequence[Mapping[str, Any]] = (),
    egress: Sequence[Mapping[str, Any]] = (),
) -> Manifest:
    """A NetworkPolicy that names only the directions it speaks of."""
    spec: dict[str, Any] = {
        "podSelector": dict(pod_selector),
        "policyTypes": [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules],
    }
    if ingress:
        spec["ingress"] = [dict(entry) for entry in ingress]
    if egress:
        spec["egress"] = [dict(entry) for entry in egress]
    return Manifest(NETWORK_POLICY, "NetworkPolicy", name, namespace, dict(labels), body={"spec": spec})


def default_deny(namespace: str, labels: Mapping[str, str]) -> Manifest:
    """Nothing in and nothing out for every pod of a namespace."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return Manifest(NETWORK_POLICY, "NetworkPolicy", "default-deny", namespace, dict(labels), body={"spec": spec})


DNS: Final = rule("egress", [pods("kube-system", {"k8s-app": "kube-dns"})], [53], ("UDP", "TCP"))
ISTIOD: Final = rule("egress", [pods(ROOT_NAMESPACE, {"app": "istiod"})], [15012])


def baseline(stack: Stack, namespace: str, labels: Mapping[str, str]) -> tuple[Manifest, ...]:
    """What every namespace of the mesh has: default deny, and its pods' way to names, certificates and scrapes."""
    ingress, egress = [], [DNS, ISTIOD, *_spans(stack)]
    if stack.platform.observability.prometheus.enabled:
        prometheus = pods(OBSERVABILITY_NAMESPACE, PROMETHEUS)
        ingress.append(rule("ingress", [prometheus], [15020, 15090]))
    if ambient(stack, namespace):
        ingress.append(rule("ingress", [block(KUBELET_IN_AMBIENT)], _probed(stack, namespace)))
    return (
        default_deny(namespace, labels),
        policy("allow-platform", namespace, labels, {}, ingress=ingress, egress=egress),
    )


def _spans(stack: Stack) -> tuple[dict[str, Any], ...]:
    """The way to a collector in the cluster; one outside is reached by nobody but through an egress gateway."""
    found = collector(stack)
    if found is None or found.namespace is None:
        return ()
    return (rule("egress", [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: found.namespace}}}], [found.port]),)


def _probed(stack: Stack, namespace: str) -> tuple[int, ...]:
    ports = [p for name in stack.by_namespace.get(namespace, ()) for p in target_ports(stack.applications[name])]
    return tuple(dict.fromkeys(ports))


def reached_by(stack: Stack, namespace: str, ports: Iterable[int], source: str | None = None) -> tuple[int, ...]:
    """The ports of an edge towards a namespace (`source` is the caller's): HBONE as well if either end is ambient."""
    either = ambient(stack, namespace) or (source is not None and ambient(stack, source))
    return (*ports, HBONE) if either else tuple(ports)


def _waypoint_of(stack: Stack, application: str) -> dict[str, Any]:
    return pods(stack.applications[application].namespace, waypoint.PODS)


def application_policies(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """The edges of one application: who calls it, whom it calls, and its declared address blocks."""
    declared = stack.applications[application]
    group = declared.security_group
    ingress = [] if waypoint.needed(stack, application) else _callers(stack, application)
    ingress += [
        rule("ingress", [block(entry.source)], [entry.port], [entry.protocol.upper()])
        for entry in (group.ingress if group is not None else ())
        if entry.source is not None
    ]
    egress = [_call(stack, declared.namespace, callee, ports) for callee, ports in calls(stack, application)] + [
        rule("egress", [block(entry.to)], [entry.port], [entry.protocol.upper()])
        for entry in (group.egress if group is not None else ())
        if entry.to is not None
    ]
    others = (*web_edges(stack, application), *waypoint_edges(stack, application))
    if not ingress and not egress:
        return others
    labels, chosen = owned(application=application), selector(application)
    return (policy(application, declared.namespace, labels, chosen, ingress=ingress, egress=egress), *others)


def _callers(stack: Stack, application: str) -> list[dict[str, Any]]:
    declared = stack.applications[application]
    found = []
    for caller in declared.callers:
        there = stack.applications[caller.application].namespace
        ports = reached_by(stack, declared.namespace, target_ports(declared, caller.ports), there)
        found.append(rule("ingress", [pods(there, {"app": caller.application})], ports))
    return found


def _call(stack: Stack, source: str, callee: str, ports: Iterable[int]) -> dict[str, Any]:
    if waypoint.needed(stack, callee):
        return rule("egress", [_waypoint_of(stack, callee)], [HBONE])
    namespace = stack.applications[callee].namespace
    return rule("egress", [pods(namespace, {"app": callee})], reached_by(stack, namespace, ports, source))


def waypoint_edges(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """The way through the waypoint: callers and web gateways → waypoint → application; all of it HBONE."""
    if not waypoint.needed(stack, application):
        return ()
    declared = stack.applications[application]
    peers = [pods(stack.applications[c.application].namespace, {"app": c.application}) for c in declared.callers]
    peers += [pods(gateway_namespace(gateway), {"istio": gateway}) for gateway in web_gateways_of(stack, application)]
    labels, here = owned(application=application), pods(declared.namespace, {"app": application})
    name, through = f"waypoint-to-{application}", {"matchLabels": waypoint.PODS}
    ingress = [rule("ingress", peers, [HBONE])] if peers else []
    return (
        policy(name, declared.namespace, labels, through, ingress=ingress, egress=[rule("egress", [here], [HBONE])]),
        policy(
            f"{application}-from-waypoint",
            declared.namespace,
            labels,
            selector(application),
            ingress=[rule("ingress", [_waypoint_of(stack, application)], [HBONE])],
        ),
    )


def web_edges(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """Both ends of each edge from a web gateway to an application."""
    declared = stack.applications[application]
    ports: dict[str, list[int]] = {}
    for route in declared.web:
        ports.setdefault(web_gateway(stack, route), []).append(web_port(declared, route).target)
    labels = owned(application=application)
    if waypoint.needed(stack, application):
        to_waypoint = [rule("egress", [_waypoint_of(stack, application)], [HBONE])]
        return tuple(
            policy(
                f"{gateway}-to-{application}",
                gateway_namespace(gateway),
                labels,
                {"matchLabels": {"istio": gateway}},
                egress=to_waypoint,
            )
            for gateway in ports
        )
    return tuple(
        manifest
        for gateway, targets in ports.items()
        for manifest in edge(stack, gateway, application, dict.fromkeys(targets), labels=labels)
    )


def edge(
    stack: Stack, gateway: str, application: str, ports: Iterable[int], *, labels: Mapping[str, str], prefix: str = ""
) -> tuple[Manifest, Manifest]:
    """A gateway → application edge: the rule that lets it out there and the rule that lets it in here.

    `ports` are the pod's; `prefix` begins the names of both objects, which tells owners of the same edge apart.
    """
    namespace = stack.applications[application].namespace
    ports = reached_by(stack, namespace, ports)
    name = f"{prefix}{gateway}-to-{application}"
    there, here = pods(gateway_namespace(gateway), {"istio": gateway}), pods(namespace, {"app": application})
    return (
        policy(
            name,
            gateway_namespace(gateway),
            labels,
            {"matchLabels": {"istio": gateway}},
            egress=[rule("egress", [here], ports)],
        ),
        policy(name, namespace, labels, selector(application), ingress=[rule("ingress", [there], ports)]),
    )


def load_balancer(stack: Stack, gateway: str, declared: str) -> tuple[Manifest, ...]:
    """What the load balancer in front of an ingress gateway sends: health checks, and web requests.

    Both come from its own addresses in the public subnets. Past the ALB there would be no firewall, so nobody else
    reaches a web gateway. An NLB keeps the client's address: partners' requests come in by the partners' own policies.
    """
    settings = stack.platform.gateways[declared]
    if settings.direction != "ingress":
        return ()
    web = settings.exposure == "web"
    ports = [GATEWAY_TARGET_PORT, GATEWAY_STATUS_PORT] if web else [GATEWAY_STATUS_PORT]
    peers = [block(cidr) for cidr in load_balancer_blocks(stack, settings)]
    return (
        policy(
            "load-balancer",
            gateway_namespace(gateway),
            owned(gateway=gateway),
            {"matchLabels": {"istio": gateway}},
            ingress=[rule("ingress", peers, ports)],
        ),
    )


def load_balancer_blocks(stack: Stack, gateway: Gateway) -> tuple[str, ...]:
    """Where the load balancer calls from: the public subnets of our network, or what the configuration says.

    In somebody else's network, where nothing is said, any private address: a load balancer calls pods from within.
    """
    network = stack.platform.network
    if network is not None:
        return tuple(s.cidr for s in subnets(network.cidr, network.zones) if s.tier == "public")
    return gateway.load_balancer_ranges or PRIVATE


def egress_gateway_policy(gateway: str, ports: Sequence[int]) -> Manifest:
    """An egress gateway's way to the internet: public addresses only, on the ports that partners are called on."""
    return policy(
        "internet",
        gateway_namespace(gateway),
        owned(gateway=gateway),
        {"matchLabels": {"istio": gateway}},
        egress=[rule("egress", [block("0.0.0.0/0", without=NOT_INTERNET)], ports)],
    )

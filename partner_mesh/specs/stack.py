"""Facts that several renderers read off a stack: identities, ports, placement, who routes to whom.

Nothing here makes an object. One fact has one home, so that the two ends of an edge cannot disagree.
"""

from collections.abc import Iterator
from typing import Any, Final

from partner_mesh.config.application import Application, ApplicationPort, WebRoute
from partner_mesh.config.platform import EksCluster, ExistingCluster, NodeGroup
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import (
    APPLICATION_LABEL,
    DEDICATED_LABEL,
    GATEWAY_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PARTNER_LABEL,
    gateway_namespace,
    principal,
    service_host,
)

# Gateway containers listen above 1024, so that they need neither a sysctl nor a capability. Istio translates a Gateway
# server's port through the Service (`resolvePorts`, pilot/pkg/model/gateway.go): servers say 443, Envoy binds 8443.
GATEWAY_SERVICE_PORT: Final = 443
GATEWAY_TARGET_PORT: Final = 8443
GATEWAY_STATUS_PORT: Final = 15021


def owned(*, application: str | None = None, gateway: str | None = None, partner: str | None = None) -> dict[str, str]:
    """Labels that every object of ours carries: who manages it, and for whom it is there."""
    owners = {APPLICATION_LABEL: application, GATEWAY_LABEL: gateway, PARTNER_LABEL: partner}
    return {MANAGED_BY_LABEL: MANAGED_BY} | {label: owner for label, owner in owners.items() if owner is not None}


def application_principal(stack: Stack, application: str) -> str:
    """The identity of an application: its ServiceAccount is named after it."""
    namespace = stack.applications[application].namespace
    return principal(stack.platform.mesh.trust_domain, namespace, application)


def gateway_principal(stack: Stack, gateway: str) -> str:
    """The identity of a gateway (or shard)."""
    return principal(stack.platform.mesh.trust_domain, gateway_namespace(gateway), gateway)


def application_host(stack: Stack, application: str) -> str:
    """The application's Service as Istio's registry knows it."""
    return service_host(application, stack.applications[application].namespace)


def gateway_host(gateway: str) -> str:
    """A gateway's Service as Istio's registry knows it."""
    return service_host(gateway, gateway_namespace(gateway))


def application_port(stack: Stack, application: str, port: str) -> ApplicationPort:
    """A declared port; the loader has refused references to others."""
    return stack.applications[application].ports[port]


def target_ports(application: Application, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Pod ports, each once, in declared order: those named, or all when none is."""
    chosen = [port.target for name, port in application.ports.items() if not names or name in names]
    return tuple(dict.fromkeys(chosen))


def selector(application: str) -> dict[str, Any]:
    """The pod selector of an application."""
    return {"matchLabels": {"app": application}}


def calls(stack: Stack, caller: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Whom an application may call: (application, pod ports), in declared order."""
    for name, application in stack.applications.items():
        for entry in application.callers:
            if entry.application == caller:
                yield name, target_ports(application, entry.ports)


def caller_namespaces(stack: Stack, application: str) -> tuple[str, ...]:
    """Namespaces of those that may call an application, its own first, each once."""
    declared = stack.applications[application]
    namespaces = [declared.namespace, *(stack.applications[c.application].namespace for c in declared.callers)]
    return tuple(dict.fromkeys(namespaces))


def web_gateway(stack: Stack, route: WebRoute) -> str:
    """The web gateway that serves a route: the one named, or the only one."""
    return route.gateway or stack.gateways("ingress", "web")[0][0]


def web_host(stack: Stack, route: WebRoute) -> str:
    """The host that a route is served on: its own, or its gateway's. The loader has refused a gateway without one."""
    host = route.host or stack.platform.gateways[web_gateway(stack, route)].host
    if host is None:
        raise ValueError(f"web route {route.path}: neither the route nor its gateway names a host")
    return host


def web_port(application: Application, route: WebRoute) -> ApplicationPort:
    """The port that a web route leads to: the one named, the only one, or `http`."""
    if route.port is not None:
        return application.ports[route.port]
    return next(iter(application.ports.values())) if len(application.ports) == 1 else application.ports["http"]


def web_gateways_of(stack: Stack, application: str) -> tuple[str, ...]:
    """Web gateways that route to an application, each once, in declared order."""
    return tuple(dict.fromkeys(web_gateway(stack, route) for route in stack.applications[application].web))


def node_groups(stack: Stack) -> dict[str, NodeGroup]:
    """The node groups that are known; none on a cluster about which nothing was said."""
    cluster: EksCluster | ExistingCluster = stack.platform.cluster
    return dict(cluster.node_groups)


def dedicated(stack: Stack, group: str | None) -> str | None:
    """The value of a node group's `dedicated` taint and label, or None where it has none."""
    found = node_groups(stack).get(group) if group is not None else None
    return found.dedicated if found is not None else None


def gateway_node_group(stack: Stack, gateway: str) -> str | None:
    """Where a gateway runs: the group it names, else the group dedicated to its own name or its exposure's."""
    declared = stack.platform.gateways[gateway]
    if declared.node_group is not None:
        return declared.node_group
    kinds = {"web": "web", "partner": "partners", None: "egress"}
    for wanted in (gateway, kinds[declared.exposure]):
        for name, group in node_groups(stack).items():
            if group.dedicated == wanted:
                return name
    return None


def placement(stack: Stack, group: str | None) -> dict[str, Any]:
    """`nodeSelector` and `tolerations` for a dedicated node group; nothing where nodes are shared."""
    value = dedicated(stack, group)
    if value is None:
        return {}
    return {
        "nodeSelector": {DEDICATED_LABEL: value},
        "tolerations": [{"key": DEDICATED_LABEL, "operator": "Equal", "value": value, "effect": "NoSchedule"}],
    }


def ambient(stack: Stack, namespace: str) -> bool:
    """Whether a namespace's pods are served by ztunnel instead of sidecars."""
    settings = stack.platform.mesh.namespaces.get(namespace)
    return settings is not None and settings.data_plane == "ambient"

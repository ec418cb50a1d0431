"""Calico: how it is installed beside the VPC CNI, and the policies that hold whatever a namespace's own say.

GlobalNetworkPolicies select the mesh's namespaces by the label that we put on them. There every pod is under a
default-deny NetworkPolicy already, so a policy that only denies takes nothing else away: Calico drops at the end of a
tier what no policy of the tier decided, and would do so to pods that had no policy before.
"""

from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Network
from typing import Any, Final

from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import CALICO, MANAGED_BY, MANAGED_BY_LABEL, gateway_namespace
from partner_mesh.specs.login_provider import login_name, logins, place
from partner_mesh.specs.network_policy import NAMESPACE_LABEL, NOT_INTERNET, OBSERVABILITY_NAMESPACE, PROMETHEUS
from partner_mesh.specs.stack import owned
from partner_mesh.specs.versions import TIGERA_OPERATOR

OPERATOR: Final = "operator.tigera.io/v1"
FELIX_METRICS_PORT: Final = 9091
METADATA_SERVICE: Final = "169.254.169.254/32"
GLOBAL_UNICAST_6: Final = "2000::/3"  # RFC 4291: what of IPv6 is routed on the internet
OURS: Final = f"{MANAGED_BY_LABEL} == '{MANAGED_BY}'"


def calico_charts(stack: Stack) -> tuple[ChartRelease, ...]:
    """The operator with its Installation; none where Calico is somebody else's."""
    calico = stack.platform.calico
    if not calico.managed:
        return ()
    version = calico.version if calico.version.startswith("v") else f"v{calico.version}"
    values: dict[str, Any] = {
        "installation": installation(stack),
        "apiServer": {"enabled": False},  # an object of ours (`api_server`), so that it can be waited for
        "goldmane": {"enabled": False},
        "whisker": {"enabled": False},
    }
    chart = TIGERA_OPERATOR
    return (ChartRelease("calico", "tigera-operator", chart.name, version, chart.repository, values),)


def api_server(stack: Stack) -> tuple[Manifest, ...]:
    """What has the operator serve projectcalico.org/v3, which our policies are written in.

    The operator is ready minutes before that API is; its status says `Ready` when it is (tigera/operator,
    apiserver_controller.go), and Helm does not look at it.
    """
    if not stack.platform.calico.managed:
        return ()
    return (Manifest(OPERATOR, "APIServer", "default", labels=owned(), body={"spec": {}}),)


def installation(stack: Stack) -> dict[str, Any]:
    """Policy only on EKS: addresses and interfaces stay the VPC CNI's. Elsewhere the operator finds out by itself."""
    cluster = stack.platform.cluster
    if isinstance(cluster, ExistingCluster) and not cluster.vpc_resource_controller:
        return {"enabled": True}
    return {
        "enabled": True,
        "kubernetesProvider": "EKS",
        "cni": {"type": "AmazonVPC"},
        "nodeMetricsPort": FELIX_METRICS_PORT,  # off unless named: denied packets and policy errors per node
    }


def global_network_policies(stack: Stack) -> tuple[Manifest, ...]:
    """Cluster-wide policies, in the order in which Calico judges them; none where Calico is not there."""
    if not stack.platform.calico.present:
        return ()
    exits = ", ".join(f"'{gateway_namespace(name)}'" for name, _ in stack.gateways("egress"))
    inside = f"{OURS} && {NAMESPACE_LABEL} not in {{ {exits} }}" if exits else OURS
    return (
        _policy("deny-metadata-service", 10, OURS, [{"action": "Deny", "destination": {"nets": [METADATA_SERVICE]}}]),
        *_logins(stack),
        *_prometheus(stack),
        _policy("deny-internet", 20, inside, [{"action": "Deny", "destination": {"nets": list(internet())}}]),
        _default_deny(),
    )


@cache
def internet() -> tuple[str, ...]:
    """The public addresses, as blocks: what is left of all without those that are not the internet.

    Said in blocks and not by `notNets`: pods' addresses are private wherever this runs, but nothing in the objects says
    so, and whoever reads "not these blocks" would have to take pods for the internet.
    """
    left = [IPv4Network("0.0.0.0/0")]
    for cidr in NOT_INTERNET:
        inner = IPv4Network(cidr)
        left = [part for block in left for part in _without(block, inner)]
    return (*(str(block) for block in sorted(left)), GLOBAL_UNICAST_6)


def _logins(stack: Stack) -> tuple[Manifest, ...]:
    """Logins beside web gateways call their issuers; they alone, in those namespaces, and nothing but TLS."""
    found = [(login_name(name), gateway_namespace(place(stack, name)[0])) for name, _, _ in logins(stack)]
    if not found:
        return ()
    spaces = tuple(dict.fromkeys(namespace for _, namespace in found))
    names = ", ".join(repr(name) for name, _ in found)
    return (_allow("allow-logins", spaces, f"app in {{ {names} }}", [_tcp(internet(), 443)]),)


def _prometheus(stack: Stack) -> tuple[Manifest, ...]:
    """Prometheus writes to a receiver, its Thanos sidecar to object storage: to their addresses, past the deny."""
    settings = stack.platform.observability.prometheus
    if not (settings.enabled and stack.platform.mesh.managed):
        return ()
    rules = []
    if settings.remote_write is not None:
        rules.append(_tcp(settings.remote_write.ranges, settings.remote_write.port))
    if settings.thanos and settings.thanos_ranges:
        rules.append(_tcp(settings.thanos_ranges, 443))
    [(label, value)] = PROMETHEUS.items()
    if not rules:
        return ()
    return (_allow("allow-prometheus", (OBSERVABILITY_NAMESPACE,), f"{label} == '{value}'", rules),)


def _allow(name: str, namespaces: tuple[str, ...], selector: str, egress: list[dict[str, Any]]) -> Manifest:
    """Ways to the internet, for some pods of some namespaces, before it is denied to all."""
    spaces = ", ".join(f"'{namespace}'" for namespace in namespaces)
    spec = {
        "order": 15,
        "namespaceSelector": f"{OURS} && {NAMESPACE_LABEL} in {{ {spaces} }}",
        "selector": selector,
        "types": ["Egress"],
        "egress": egress,
    }
    return Manifest(CALICO, "GlobalNetworkPolicy", name, labels=owned(), body={"spec": spec})


def _tcp(nets: Sequence[str], port: int) -> dict[str, Any]:
    return {"action": "Allow", "protocol": "TCP", "destination": {"nets": list(nets), "ports": [port]}}


def _without(block: IPv4Network, inner: IPv4Network) -> list[IPv4Network]:
    if inner.subnet_of(block):
        return list(block.address_exclude(inner))
    return [] if block.subnet_of(inner) else [block]


def _policy(name: str, order: int, namespaces: str, egress: list[dict[str, Any]]) -> Manifest:
    spec = {"order": order, "namespaceSelector": namespaces, "types": ["Egress"], "egress": egress}
    return Manifest(CALICO, "GlobalNetworkPolicy", name, labels=owned(), body={"spec": spec})


def _default_deny() -> Manifest:
    """The last word for the mesh's namespaces, should somebody delete one's own default-deny."""
    spec = {"order": 5000, "namespaceSelector": OURS, "types": ["Ingress", "Egress"]}
    return Manifest(CALICO, "GlobalNetworkPolicy", "default-deny", labels=owned(), body={"spec": spec})

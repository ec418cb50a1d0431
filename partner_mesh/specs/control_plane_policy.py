"""NetworkPolicy of istiod. The chart's own leaves egress `{}` open; ours names what istiod needs."""

from typing import Any

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import MANAGED_BY, MANAGED_BY_LABEL, ROOT_NAMESPACE
from partner_mesh.specs.aws.subnets import subnets
from partner_mesh.specs.network_policy import (
    DNS,
    NAMESPACE_LABEL,
    NOT_INTERNET,
    OBSERVABILITY_NAMESPACE,
    block,
    pods,
    policy,
    rule,
)
from partner_mesh.specs.stack import owned


def control_plane_policies(stack: Stack) -> tuple[Manifest, ...]:
    """Who reaches istiod, and whom it reaches; nothing where the mesh is somebody else's."""
    if not stack.platform.mesh.managed:
        return ()
    api_server = [block(cidr) for cidr in _api_server_blocks(stack)]
    ours = {"namespaceSelector": {"matchLabels": {MANAGED_BY_LABEL: MANAGED_BY}}}
    system = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: ROOT_NAMESPACE}}}
    ingress = [
        rule("ingress", [ours, system], [15012]),
        rule("ingress", api_server, [15017]),
    ]
    if stack.platform.observability.prometheus.enabled:
        prometheus = pods(OBSERVABILITY_NAMESPACE, {"app.kubernetes.io/name": "prometheus"})
        ingress.append(rule("ingress", [prometheus], [15014]))
    egress: list[dict[str, Any]] = [DNS, rule("egress", api_server, [443, 6443])]
    if any(application.end_users is not None for application in stack.applications.values()):
        # istiod fetches the issuers' keys, so that sidecars need no way to the internet.
        egress.append(rule("egress", [block("0.0.0.0/0", without=NOT_INTERNET)], [443]))
    chosen = {"matchLabels": {"app": "istiod"}}
    return (policy("istiod", ROOT_NAMESPACE, owned(), chosen, ingress=ingress, egress=egress),)


def _api_server_blocks(stack: Stack) -> tuple[str, ...]:
    """Where the Kubernetes API stands: the control plane's subnets. Elsewhere its address is not known to us."""
    network = stack.platform.network
    if network is None:
        return ("0.0.0.0/0",)
    return tuple(s.cidr for s in subnets(network.cidr, network.zones) if s.tier == "control")

"""The namespace of what looks at the mesh: closed like every other, with the few ways that looking needs.

Prometheus alone has ways to the outside: a central one that takes from it, a receiver that it writes to, the object
storage of its Thanos sidecar. Each is a policy of its own, there only where it is configured.
"""

from collections.abc import Iterator

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import MANAGED_BY, MANAGED_BY_LABEL, ROOT_NAMESPACE
from partner_mesh.specs.namespace import pod_security
from partner_mesh.specs.network_policy import (
    DNS,
    NAMESPACE_LABEL,
    OBSERVABILITY_NAMESPACE,
    PROMETHEUS,
    PROMETHEUS_PORT,
    block,
    default_deny,
    pods,
    policy,
    rule,
)
from partner_mesh.specs.stack import owned

_OURS = {"namespaceSelector": {"matchLabels": {MANAGED_BY_LABEL: MANAGED_BY}}}
_WITHIN = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: OBSERVABILITY_NAMESPACE}}}
# Prometheus, Alertmanager, Grafana, kube-state-metrics, the operator's webhook, Jaeger's API and UI, Kiali.
_AMONG_THEMSELVES = (9090, 9093, 3000, 8080, 10250, 16685, 16686, 20001)
_SCRAPED = (15014, 15020, 15090)  # istiod, merged metrics, Envoy's own
_SPANS = (4317, 4318, 9411)


def observability_namespace(stack: Stack) -> tuple[Manifest, ...]:
    """The namespace and its policies; nothing where nothing is installed into it.

    The API server is no pod: its addresses are those of the VPC. Where we do not know the network, add that one
    policy by hand: opening every address to make it work would be worse.
    """
    wanted = stack.platform.observability
    if not stack.platform.mesh.managed or not (wanted.prometheus.enabled or wanted.tracing.backend == "jaeger"):
        return ()
    labels = owned()
    inside = [
        DNS,
        rule("egress", [_WITHIN], _AMONG_THEMSELVES),
        rule("egress", [_OURS, pods(ROOT_NAMESPACE, {"app": "istiod"})], _SCRAPED),
    ]
    if stack.platform.network is not None:
        inside.append(rule("egress", [block(stack.platform.network.cidr)], [443]))
    return (
        Manifest("v1", "Namespace", OBSERVABILITY_NAMESPACE, labels=labels | pod_security("baseline")),
        default_deny(OBSERVABILITY_NAMESPACE, labels),
        policy(
            "allow-looking",
            OBSERVABILITY_NAMESPACE,
            labels,
            {},
            ingress=[rule("ingress", [_WITHIN], _AMONG_THEMSELVES), rule("ingress", [_OURS], _SPANS)],
            egress=inside,
        ),
        *_outside(stack),
    )


def _outside(stack: Stack) -> Iterator[Manifest]:
    """What goes in and out of the cluster at Prometheus."""
    prometheus, chosen = stack.platform.observability.prometheus, {"matchLabels": PROMETHEUS}
    place, labels = OBSERVABILITY_NAMESPACE, owned()
    if not prometheus.enabled:
        return
    if prometheus.federation is not None:
        peers = [block(cidr) for cidr in prometheus.federation.ranges]
        yield policy("federation", place, labels, chosen, ingress=[rule("ingress", peers, [PROMETHEUS_PORT])])
    if (write := prometheus.remote_write) is not None:
        peers = [block(cidr) for cidr in write.ranges]
        yield policy("remote-write", place, labels, chosen, egress=[rule("egress", peers, [write.port])])
    if prometheus.thanos and prometheus.thanos_ranges:
        peers = [block(cidr) for cidr in prometheus.thanos_ranges]
        yield policy("object-storage", place, labels, chosen, egress=[rule("egress", peers, [443])])

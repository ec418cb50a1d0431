"""Where spans go: one address that the mesh config, the NetworkPolicies and the security groups must agree on."""

from dataclasses import dataclass
from typing import Final

from partner_mesh.config.stack import Stack

OBSERVABILITY_NAMESPACE: Final = "observability"
_OURS: Final = {"jaeger": ("jaeger-collector", 4317), "otlp": ("otel-collector", 4317), "zipkin": ("zipkin", 9411)}


@dataclass(frozen=True, slots=True)
class Collector:
    """The collector's host and port, and its namespace where it runs in the cluster."""

    host: str
    port: int
    namespace: str | None


def collector(stack: Stack) -> Collector | None:
    """The collector, or None where nobody traces. `endpoint` is `host:port` (4317 without a port)."""
    tracing = stack.platform.observability.tracing
    if tracing.backend == "none":
        return None
    if tracing.endpoint is None:
        name, port = _OURS[tracing.backend]
        host = f"{name}.{OBSERVABILITY_NAMESPACE}.svc.cluster.local"
        return Collector(host, port, OBSERVABILITY_NAMESPACE)
    host, _, number = tracing.endpoint.partition(":")
    labels = host.split(".")
    inside = len(labels) > 2 and labels[2] == "svc"
    return Collector(host, int(number or _OURS[tracing.backend][1]), labels[1] if inside else None)


def collector_port(stack: Stack) -> int | None:
    """The port of a collector in the cluster, or None."""
    found = collector(stack)
    return found.port if found is not None and found.namespace is not None else None

"""One release of Istio's gateway chart for each gateway that is really there, shards included.

Values as in `manifests/charts/gateway/values.yaml` (istio 1.31). The Service is a ClusterIP: load balancers are made by
Pulumi and reach the pods through a TargetGroupBinding, so that they outlive the chart and its upgrades.
"""

import json
from typing import Any, Final

from partner_mesh.config.platform import Gateway
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease
from partner_mesh.model.names import GATEWAY_LABEL, gateway_namespace
from partner_mesh.specs import outbound_token, proxy_bootstrap
from partner_mesh.specs.istio_charts import control_planes, topology_spread, version
from partner_mesh.specs.namespace import gateway_revision
from partner_mesh.specs.outbound_tcp import EGRESS_TLS_PORT
from partner_mesh.specs.stack import (
    GATEWAY_SERVICE_PORT,
    GATEWAY_STATUS_PORT,
    GATEWAY_TARGET_PORT,
    gateway_node_group,
    placement,
)

# Long enough for the load balancer to notice and for requests to end; a security group for pods needs more than zero.
TERMINATION_GRACE_SECONDS: Final = 60

POD_SECURITY: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": 1337,
    "runAsGroup": 1337,
    "fsGroup": 1337,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1337,
    "runAsGroup": 1337,
}


def gateway_release(stack: Stack, name: str, declared: str) -> ChartRelease:
    """The release of gateway `name`, which has the settings of gateway `declared` (the same unless it is a shard)."""
    mesh = stack.platform.mesh
    return ChartRelease(
        name,
        gateway_namespace(name),
        "gateway",
        version(gateway_revision(stack)),
        mesh.charts,
        gateway_values(stack, name, declared),
        control_planes(mesh),
    )


def gateway_values(stack: Stack, name: str, declared: str) -> dict[str, Any]:
    """Values of one gateway."""
    gateway = stack.platform.gateways[declared]
    tokens = outbound_token.environment(stack, name) if gateway.direction == "egress" else []
    rotated = outbound_token.rotations(stack, name) if tokens else {}
    return {
        "name": name,
        "revision": gateway_revision(stack),
        "labels": {"app": name, "istio": name, GATEWAY_LABEL: name},
        "podAnnotations": {
            "proxy.istio.io/config": json.dumps(proxy_config(stack, gateway)),
            **proxy_bootstrap.ANNOTATION,
            **rotated,
        },
        **({"envVarFrom": tokens} if tokens else {}),
        "service": {
            "type": "ClusterIP",
            "ports": service_ports(gateway),
        },
        "securityContext": POD_SECURITY,
        "containerSecurityContext": CONTAINER_SECURITY,
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "2000m", "memory": "1Gi"}},
        "autoscaling": {
            "enabled": True,
            "minReplicas": gateway.replicas.min,
            "maxReplicas": max(gateway.replicas.min, gateway.replicas.max),
            "targetCPUUtilizationPercentage": 70,
        },
        "podDisruptionBudget": {"maxUnavailable": 1},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
        "topologySpreadConstraints": topology_spread({"istio": name}),
        **placement(stack, gateway_node_group(stack, declared)),
    }


def service_ports(gateway: Gateway) -> list[dict[str, Any]]:
    """Ports of a gateway's Service; at an egress gateway also that of TCP partners, whom SNI tells apart."""
    ports = [
        ("status-port", GATEWAY_STATUS_PORT, GATEWAY_STATUS_PORT),
        ("https", GATEWAY_SERVICE_PORT, GATEWAY_TARGET_PORT),
    ]
    if gateway.direction == "egress":
        ports.append(("tls", EGRESS_TLS_PORT, EGRESS_TLS_PORT))
    return [{"name": name, "port": port, "protocol": "TCP", "targetPort": target} for name, port, target in ports]


def proxy_config(stack: Stack, gateway: Gateway) -> dict[str, Any]:
    """ProxyConfig of one gateway: how long connections may live, and whose word on addresses counts.

    Only behind the ALB is there a trusted hop that writes X-Forwarded-For. An NLB passes the client's own address, so a
    partner gateway trusts no header at all.
    """
    config: dict[str, Any] = {
        "drainDuration": stack.platform.mesh.drain_duration,
        "connectionSettings": {
            "httpDrainTimeout": "1s",
            "httpMaxConnectionDuration": gateway.max_connection_duration,
        },
    }
    if gateway.exposure == "web":
        config["gatewayTopology"] = {"numTrustedProxies": 1, "forwardClientCertDetails": "SANITIZE"}
    elif gateway.exposure == "partner":
        config["gatewayTopology"] = {"numTrustedProxies": 0, "forwardClientCertDetails": "SANITIZE_SET"}
    return config

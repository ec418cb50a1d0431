"""The other cluster of a mesh over two networks: an east-west gateway, a shared root, and who may pass.

    caller's sidecar ─► (mutual TLS to the callee, by SNI) ─► their east-west gateway, port 15443 ─► callee's sidecar

The gateway passes connections on by server name and ends none (AUTO_PASSTHROUGH): identities and policies are those of
the two workloads, and one trust domain means one set of names. It leads to applications that declare callers, and to
nothing else. No AuthorizationPolicy holds there (istiod builds these filter chains without any): the other network's
addresses are what the NetworkPolicy and the security group admit, and the callee judges who calls.

Each istiod reads the other cluster's services by a remote Secret (istio.io, "Install multi-primary on different
networks"); both sign with intermediates of one root, delivered as `cacerts`.
"""

import json
from typing import Any, Final

from partner_mesh.config.mesh import MultiCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import (
    EAST_WEST,
    GATEWAY_LABEL,
    NETWORKING,
    REVISION_LABEL,
    ROOT_NAMESPACE,
    gateway_namespace,
)
from partner_mesh.specs import authorization_policy, network_policy, security_group_policy
from partner_mesh.specs.external_secret import external_secret
from partner_mesh.specs.gateway_charts import CONTAINER_SECURITY, POD_SECURITY, TERMINATION_GRACE_SECONDS
from partner_mesh.specs.istio_charts import control_planes, topology_spread, version
from partner_mesh.specs.namespace import gateway_revision, pod_security
from partner_mesh.specs.network_policy import block, pods, policy, rule
from partner_mesh.specs.security_group import EAST_WEST_PORT
from partner_mesh.specs.security_group_policy import GroupIds
from partner_mesh.specs.stack import (
    GATEWAY_STATUS_PORT,
    application_host,
    owned,
    selector,
    target_ports,
)

NAME: Final = EAST_WEST
PORT: Final = EAST_WEST_PORT
_CA_KEYS: Final = ("ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem")
_INTERNAL: Final = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
    # Off unless said for targets by address; policies judge who calls.
    "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes": "preserve_client_ip.enabled=true",
}


def declared(stack: Stack) -> MultiCluster | None:
    """The other clusters; None where there are none, or where the mesh is somebody else's."""
    return stack.platform.mesh.multi_cluster if stack.platform.mesh.managed else None


def reached(stack: Stack) -> tuple[str, ...]:
    """Applications that the other cluster's callers may reach."""
    return tuple(name for name, application in stack.applications.items() if application.callers)


def ranges(stack: Stack) -> tuple[str, ...]:
    """Addresses of the other networks."""
    found = declared(stack)
    return tuple(dict.fromkeys(cidr for peer in found.peers for cidr in peer.ranges)) if found is not None else ()


def root_objects(stack: Stack) -> tuple[Manifest, ...]:
    """The shared root's intermediate, the ways to the other API servers, and istiod's packets there."""
    found = declared(stack)
    if found is None:
        return ()
    keys = {key: (found.ca, key) for key in _CA_KEYS}
    secrets = [*external_secret(stack, "cacerts", ROOT_NAMESPACE, owned(), keys)]
    for peer in found.peers:
        secret = external_secret(
            stack,
            remote_secret(peer.name),
            ROOT_NAMESPACE,
            owned(),
            {peer.name: (remote_secret(peer.name), "kubeconfig")},
        )
        secrets += [_as_remote(manifest, peer.name) for manifest in secret]
    to_api = rule("egress", [block(cidr) for cidr in ranges(stack)], [443, 6443])
    chosen = {"matchLabels": {"app": "istiod"}}
    return (*secrets, policy("istiod-peers", ROOT_NAMESPACE, owned(), chosen, egress=[to_api]))


def remote_secret(peer: str) -> str:
    """The Secret with the kubeconfig of a peer, as istioctl would name it."""
    return f"istio-remote-secret-{peer}"


def _as_remote(manifest: Manifest, peer: str) -> Manifest:
    """Istiod finds the Secret by its label and names the cluster by its annotation."""
    spec = dict(manifest.body["spec"])
    metadata = {"labels": {"istio/multiCluster": "true"}, "annotations": {"networking.istio.io/cluster": peer}}
    spec["target"] = {**spec["target"], "template": {"metadata": metadata}}
    return Manifest(
        manifest.api_version, manifest.kind, manifest.name, manifest.namespace, manifest.labels, body={"spec": spec}
    )


def gateway_objects(stack: Stack, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """The east-west gateway's namespace, its server, and both ends of each way through it."""
    if declared(stack) is None:
        return ()
    place, labels, chosen = gateway_namespace(NAME), owned(gateway=NAME), {"matchLabels": {"istio": NAME}}
    peers = [block(cidr) for cidr in ranges(stack)]
    server = {
        "port": {"number": PORT, "name": "tls", "protocol": "TLS"},
        "hosts": [application_host(stack, name) for name in reached(stack)],
        "tls": {"mode": "AUTO_PASSTHROUGH"},
    }
    gateway = {"selector": {"istio": NAME}, "servers": [server]}
    status = [block(cidr) for cidr in network_policy.PRIVATE]
    entry = [rule("ingress", peers, [PORT]), rule("ingress", status, [GATEWAY_STATUS_PORT])]
    namespace = labels | pod_security("restricted") | {REVISION_LABEL: gateway_revision(stack)}
    return (
        Manifest("v1", "Namespace", place, labels=namespace),
        *network_policy.baseline(stack, place, labels),
        *security_group_policy.of_namespace(stack, place, labels, group_ids),
        *security_group_policy.of_gateway(stack, NAME, group_ids),
        authorization_policy.allow_nothing(place, labels),
        *((Manifest(NETWORKING, "Gateway", NAME, place, labels, body={"spec": gateway}),) if reached(stack) else ()),
        policy("peers", place, labels, chosen, ingress=entry),
        *(manifest for name in reached(stack) for manifest in _edge(stack, name)),
    )


def _edge(stack: Stack, application: str) -> tuple[Manifest, ...]:
    there = stack.applications[application]
    labels, place = owned(application=application), gateway_namespace(NAME)
    gateway, callee = pods(place, {"istio": NAME}), pods(there.namespace, {"app": application})
    ports, name = target_ports(there), f"{NAME}-to-{application}"
    chosen = {"matchLabels": {"istio": NAME}}
    return (
        policy(name, place, labels, chosen, egress=[rule("egress", [callee], ports)]),
        policy(name, there.namespace, labels, selector(application), ingress=[rule("ingress", [gateway], ports)]),
    )


def to_peers(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """A caller's way to the other cluster: the callee may run there, too."""
    calls = any(caller.application == application for each in stack.applications.values() for caller in each.callers)
    if declared(stack) is None or not calls:
        return ()
    peers = [block(cidr) for cidr in ranges(stack)]
    namespace = stack.applications[application].namespace
    return (
        policy(
            f"{application}-to-peers",
            namespace,
            owned(application=application),
            selector(application),
            egress=[rule("egress", peers, [PORT])],
        ),
    )


def releases(stack: Stack) -> tuple[ChartRelease, ...]:
    """The gateway's release: an internal load balancer, two ports, and the network that it is the door of."""
    found = declared(stack)
    if found is None:
        return ()
    mesh = stack.platform.mesh
    service: dict[str, Any] = {
        "type": "LoadBalancer",
        "ports": [
            {"name": name, "port": port, "protocol": "TCP", "targetPort": port}
            for name, port in (("status-port", GATEWAY_STATUS_PORT), ("tls", PORT))
        ],
    }
    if not stack.existing:
        service |= {"annotations": _INTERNAL, "loadBalancerClass": "service.k8s.aws/nlb"}
    values = {
        "name": NAME,
        "revision": gateway_revision(stack),
        "labels": {"app": NAME, "istio": NAME, GATEWAY_LABEL: NAME, "topology.istio.io/network": found.network},
        # What the gateway is asked for lies in its own network: else two gateways would send a call back and forth.
        "env": {"ISTIO_META_REQUESTED_NETWORK_VIEW": found.network},
        "podAnnotations": {"proxy.istio.io/config": json.dumps({"drainDuration": mesh.drain_duration})},
        "service": service,
        "securityContext": POD_SECURITY,
        "containerSecurityContext": CONTAINER_SECURITY,
        "resources": {"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 5, "targetCPUUtilizationPercentage": 70},
        "podDisruptionBudget": {"maxUnavailable": 1},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
        "topologySpreadConstraints": topology_spread({"istio": NAME}),
    }
    revision = version(gateway_revision(stack))
    return (
        ChartRelease(NAME, gateway_namespace(NAME), "gateway", revision, mesh.charts, values, control_planes(mesh)),
    )

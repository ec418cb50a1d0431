"""Waypoints: the proxies that judge requests where pods have none of their own (ambient mode).

ztunnel judges connections: by whom, to which port. An application that says more (web routes, methods, paths, tokens,
circuit breakers) has a waypoint in its namespace, which judges requests on its behalf; its policies then name its
Service (`targetRefs`), since a waypoint ignores selectors (`ShouldAttachPolicy`, pilot/pkg/model/policyattachment.go).
ztunnel admits to such an application's pods the waypoint alone, so nothing gets past it.

istiod makes the Deployment from the Gateway; the ConfigMap beside it says where its pods run. The Gateway API's kinds
must be there (docs/how-to/ambient.md). Sidecars call pods, not waypoints: configuration refuses such callers.
"""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import REVISION_LABEL, SECURITY, principal
from partner_mesh.specs.stack import ambient, owned, placement, selector

GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
NAME: Final = "waypoint"  # Gateway, Deployment, Service and ServiceAccount
PODS: Final = {"gateway.networking.k8s.io/gateway-name": NAME}
HBONE: Final = 15008


def needed(stack: Stack, application: str) -> bool:
    """Whether an application's requests are judged by a waypoint."""
    declared = stack.applications[application]
    return ambient(stack, declared.namespace) and declared.speaks_of_requests


def served(stack: Stack, namespace: str) -> tuple[str, ...]:
    """Applications of a namespace that its waypoint serves."""
    return tuple(name for name in stack.by_namespace.get(namespace, ()) if needed(stack, name))


def target(stack: Stack, application: str) -> dict[str, Any]:
    """What a policy of an application names: its pods, or its Service where a waypoint judges."""
    if not needed(stack, application):
        return {"selector": selector(application)}
    return {"targetRefs": [{"group": "", "kind": "Service", "name": application}]}


def service_labels(stack: Stack, application: str) -> dict[str, str]:
    """Labels of the Service by which ztunnel, and gateways, send its requests to the waypoint."""
    if not needed(stack, application):
        return {}
    ingress = {"istio.io/ingress-use-waypoint": "true"} if stack.applications[application].web else {}
    return {"istio.io/use-waypoint": NAME} | ingress


def waypoint_principal(stack: Stack, namespace: str) -> str:
    """A waypoint's identity."""
    return principal(stack.platform.mesh.trust_domain, namespace, NAME)


def of_namespace(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """The waypoint of a namespace, closed until its applications' policies open it; nothing where nobody needs one."""
    names = served(stack, namespace)
    if not names:
        return ()
    gateway = {
        "gatewayClassName": "istio-waypoint",
        "listeners": [{"name": "mesh", "port": HBONE, "protocol": "HBONE"}],
        "infrastructure": {"parametersRef": {"group": "", "kind": "ConfigMap", "name": NAME}},
    }
    # The tag: waypoints go with it, as ztunnel does, when an upgrade is promoted.
    labels = owned() | {REVISION_LABEL: stack.platform.mesh.tag, "istio.io/waypoint-for": "service"}
    closed = {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": NAME}]}
    return (
        Manifest("v1", "ConfigMap", NAME, namespace, owned(), body={"data": _parameters(stack, names)}),
        Manifest(GATEWAY_API, "Gateway", NAME, namespace, labels, body={"spec": gateway}),
        Manifest(SECURITY, "AuthorizationPolicy", "waypoint-allow-nothing", namespace, owned(), body={"spec": closed}),
    )


def _parameters(stack: Stack, names: tuple[str, ...]) -> dict[str, str]:
    """Overlays of what istiod makes (`supportedOverlays`, deploymentcontroller.go), each as YAML text."""
    place: Mapping[str, Any] = placement(stack, stack.applications[names[0]].node_group)
    pods: dict[str, Any] = {**place, "terminationGracePeriodSeconds": 60}
    overlays = {
        "deployment": {"spec": {"template": {"spec": pods}}},
        "horizontalPodAutoscaler": {"spec": {"minReplicas": 2, "maxReplicas": 5}},
        "podDisruptionBudget": {"spec": {"maxUnavailable": 1}},
    }
    return {kind: yaml.safe_dump(overlay, sort_keys=False) for kind, overlay in overlays.items()}


def only_waypoint(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """What ztunnel admits to the pods of an application that a waypoint serves: the waypoint."""
    if not needed(stack, application):
        return ()
    namespace = stack.applications[application].namespace
    spec = {
        "selector": selector(application),
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": [waypoint_principal(stack, namespace)]}}]}],
    }
    labels = owned(application=application)
    return (
        Manifest(SECURITY, "AuthorizationPolicy", f"{application}-waypoint", namespace, labels, body={"spec": spec}),
    )

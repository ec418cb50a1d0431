"""An application's own objects: its identity and its Service. The Deployment belongs to those who release it."""

from typing import Any

from partner_mesh.config.application import ApplicationPort
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import EAST_WEST, GROUP, gateway_namespace
from partner_mesh.specs import waypoint
from partner_mesh.specs.namespace import proxy_revision
from partner_mesh.specs.stack import ambient, caller_namespaces, owned, web_gateways_of

EXPORT_TO = "networking.istio.io/exportTo"
REVISION_STAMP = f"{GROUP}/revision"


def service_account(stack: Stack, application: str) -> Manifest:
    """The identity. No token is mounted into the application itself; the sidecar projects its own."""
    return Manifest(
        "v1",
        "ServiceAccount",
        application,
        stack.applications[application].namespace,
        owned(application=application),
        body={"automountServiceAccountToken": False},
    )


def service(stack: Stack, application: str, partner_gateways: tuple[str, ...]) -> Manifest:
    """The Service, visible only to those that may send it requests."""
    declared = stack.applications[application]
    visible = visible_to(stack, application, partner_gateways)
    return Manifest(
        "v1",
        "Service",
        application,
        declared.namespace,
        owned(application=application) | {"app": application} | waypoint.service_labels(stack, application),
        {EXPORT_TO: ",".join(visible)},
        {
            "spec": {
                "selector": {"app": application},
                "ports": [_service_port(name, port) for name, port in declared.ports.items()],
            }
        },
    )


def visible_to(stack: Stack, application: str, partner_gateways: tuple[str, ...]) -> list[str]:
    """`exportTo` of an application's Service and routing: itself, its callers, the gateways that may lead to it.

    Every partner gateway is listed, whether or not a partner is routed here today: otherwise the first partner of an
    application would change the application's own objects.
    """
    callers = caller_namespaces(stack, application)[1:]
    gateways = [gateway_namespace(g) for g in (*web_gateways_of(stack, application), *partner_gateways)]
    mesh = stack.platform.mesh
    if mesh.managed and mesh.multi_cluster is not None and stack.applications[application].callers:
        gateways.append(gateway_namespace(EAST_WEST))  # the door leads only to Services that it is told of
    return [".", *dict.fromkeys([*callers, *gateways])]


def restart_stamps(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """What makes an application's pods start anew when their proxies' revision changes: one annotation of the template.

    Patches of Deployments that others own, so they name that field and nothing else. Pods in ambient mode have no
    proxy of their own and need no restart.
    """
    declared = stack.applications[application]
    if ambient(stack, declared.namespace):
        return ()
    template = {"metadata": {"annotations": {REVISION_STAMP: proxy_revision(stack, declared.namespace)}}}
    return tuple(
        Manifest("apps/v1", "Deployment", name, declared.namespace, body={"spec": {"template": template}})
        for name in declared.deployments
    )


def _service_port(name: str, port: ApplicationPort) -> dict[str, Any]:
    """`appProtocol` decides for Istio, before the port's name does (pkg/config/kube/conversion.go)."""
    return {
        "name": name,
        "port": port.port,
        "targetPort": port.target,
        "protocol": "TCP",
        "appProtocol": port.protocol,
    }

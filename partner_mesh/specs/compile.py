"""The whole of a stack, in the order in which a person would deploy it."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import (
    application,
    authorization_policy,
    destination_rule,
    namespace,
    network_policy,
    peer_authentication,
    request_authentication,
    sidecar,
    virtual_service,
)
from partner_mesh.specs.compiled import Compiled
from partner_mesh.specs.stack import owned


def compile_stack(stack: Stack, group_ids: Mapping[str, Any] | None = None) -> Compiled:
    """Every object, chart and inventory document of a stack.

    `group_ids` are ids of security groups by group name: late values when the program runs, which are placed and never
    looked into; stand-ins (`sg-<name>`) when left out.
    """
    partner_gateways = tuple(name for name, _ in stack.gateways("ingress", "partner"))
    return Compiled(
        mesh=mesh_objects(stack),
        gateways={name: gateway_objects(stack, name) for name in stack.platform.gateways},
        namespaces={name: namespace_objects(stack, name) for name in stack.by_namespace},
        applications={name: application_objects(stack, name, partner_gateways) for name in stack.applications},
    )


def mesh_objects(stack: Stack) -> tuple[Manifest, ...]:
    """The root namespace's baseline; nothing where the mesh is somebody else's."""
    if not stack.platform.mesh.managed:
        return ()
    return (
        peer_authentication.mesh_wide(stack),
        authorization_policy.allow_nothing(ROOT_NAMESPACE, owned()),
    )


def gateway_objects(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """What a gateway has before any route, partner or application uses it."""
    labels, place = owned(gateway=gateway), gateway_namespace(gateway)
    return (
        namespace.gateways_namespace(stack, gateway),
        *network_policy.baseline(stack, place, labels),
        authorization_policy.allow_nothing(place, labels),
        *request_authentication.of_gateway(stack, gateway),
    )


def namespace_objects(stack: Stack, name: str) -> tuple[Manifest, ...]:
    """What a namespace of applications has before any of them."""
    return (
        namespace.application_namespace(stack, name),
        *network_policy.baseline(stack, name, owned()),
        authorization_policy.allow_nothing(name, owned()),
        *peer_authentication.of_namespace(stack, name),
        sidecar.sidecar(stack, name),
    )


def application_objects(stack: Stack, name: str, partner_gateways: tuple[str, ...]) -> tuple[Manifest, ...]:
    """What one application has, partners aside."""
    return (
        application.service_account(stack, name),
        application.service(stack, name, partner_gateways),
        *network_policy.application_policies(stack, name),
        *peer_authentication.of_application(stack, name),
        *request_authentication.of_application(stack, name),
        *authorization_policy.authorization_policies(stack, name),
        destination_rule.destination_rule(stack, name, partner_gateways),
        *virtual_service.virtual_services(stack, name, partner_gateways),
    )

"""The whole of a stack, in the order in which a person would deploy it."""

from collections.abc import Mapping

from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import (
    admission,
    alias,
    application,
    authorization_policy,
    calico,
    captured_port,
    chart_source,
    control_plane_policy,
    controllers,
    destination_rule,
    eastwest,
    gateway_charts,
    inbound,
    inventory,
    istio_charts,
    local_rate_limit,
    login,
    namespace,
    network_policy,
    observability,
    outbound,
    partner,
    peer_authentication,
    proxy_bootstrap,
    request_authentication,
    security_group,
    security_group_policy,
    service_entry,
    sidecar,
    telemetry,
    virtual_service,
    waypoint,
    web,
    web_gateway_api,
)
from partner_mesh.specs.aws import pod_addresses, storage
from partner_mesh.specs.compiled import Compiled
from partner_mesh.specs.security_group_policy import GroupIds
from partner_mesh.specs.shards import Shards, shards
from partner_mesh.specs.stack import owned


def compile_stack(stack: Stack, group_ids: GroupIds = None) -> Compiled:
    """Every object, chart and inventory document of a stack.

    `group_ids` are ids of security groups by group name: late values when the program runs, which are placed and never
    looked into; stand-ins (`sg-<name>`) when left out.
    """
    formed = shards(stack)
    gateways = effective_gateways(stack, formed)
    partner_gateways = tuple(formed.gateways)
    return Compiled(
        mesh=mesh_objects(stack, tuple(gateways)),
        gateways={
            name: gateway_objects(stack, name, declared, formed, group_ids) for name, declared in gateways.items()
        }
        | ({eastwest.NAME: doors} if (doors := eastwest.gateway_objects(stack, group_ids)) else {}),
        namespaces={name: namespace_objects(stack, name, group_ids) for name in stack.by_namespace},
        applications={
            name: application_objects(stack, name, partner_gateways, group_ids) for name in stack.applications
        },
        restarts={name: application.restart_stamps(stack, name) for name in stack.applications},
        partners={
            each.name: (*partner.partner_objects(stack, each, formed), *observability.partner_rules(stack, each))
            for each in stack.partners
        },
        observability=observability.observability_objects(stack),
        charts=chart_releases(stack, gateways),
        inventory=inventory.inventory(stack, gateways),
        security_groups=security_group.security_group_documents(
            security_group.security_groups(stack, gateways, formed), group_ids
        ),
    )


def effective_gateways(stack: Stack, formed: Shards) -> dict[str, str]:
    """Gateways that are really there → the gateway of the configuration whose settings each has."""
    found: dict[str, str] = {}
    for name, gateway in stack.platform.gateways.items():
        if gateway.exposure == "partner":
            found |= {shard.name: name for shard in formed.gateways.values() if shard.declared == name}
        else:
            found[name] = name
    return found


def mesh_objects(stack: Stack, gateways: tuple[str, ...]) -> tuple[Manifest, ...]:
    """What holds for the whole cluster; of Istio's root namespace nothing where the mesh is somebody else's."""
    root = (
        peer_authentication.mesh_wide(stack),
        authorization_policy.allow_nothing(ROOT_NAMESPACE, owned()),
        telemetry.mesh_wide(stack),
    )
    return (
        *namespace.controllers_namespaces(controllers_charts(stack)),
        *(root if stack.platform.mesh.managed else ()),
        *control_plane_policy.control_plane_policies(stack),
        *eastwest.root_objects(stack),
        *storage.storage_class(stack),
        *pod_addresses.annotate_pods(stack),
        *calico.api_server(stack),
        *calico.global_network_policies(stack),
        *controllers.cluster_secret_store(stack, gateways),
        *admission.admission_policies(stack),
    )


def gateway_objects(
    stack: Stack, gateway: str, declared: str, formed: Shards, group_ids: GroupIds
) -> tuple[Manifest, ...]:
    """What a gateway (or shard) has before any partner uses it; a web gateway also its routes."""
    labels, place = owned(gateway=gateway), gateway_namespace(gateway)
    shard = formed.gateways.get(gateway)
    match stack.platform.gateways[declared].exposure:
        case "web":
            own = (
                *request_authentication.of_gateway(stack, gateway),
                *web.web_gateway_objects(stack, gateway),
                *login.of_gateway(stack, gateway, group_ids),
            )
        case "partner" if shard is not None:
            own = inbound.partner_gateway_objects(stack, shard)
        case _:
            own = outbound.egress_gateway_objects(stack, gateway)
    return (
        namespace.gateways_namespace(stack, gateway, declared),
        *network_policy.baseline(stack, place, labels),
        *network_policy.load_balancer(stack, gateway, declared),
        *security_group_policy.of_namespace(stack, place, labels, group_ids),
        *security_group_policy.of_gateway(stack, gateway, group_ids),
        authorization_policy.allow_nothing(place, labels),
        *telemetry.of_gateway(stack, gateway, declared),
        *proxy_bootstrap.of_gateway(stack, gateway),
        *own,
    )


def namespace_objects(stack: Stack, name: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """What a namespace of applications has before any of them."""
    return (
        namespace.application_namespace(stack, name),
        *network_policy.baseline(stack, name, owned()),
        *security_group_policy.of_namespace(stack, name, owned(), group_ids),
        authorization_policy.allow_nothing(name, owned()),
        *peer_authentication.of_namespace(stack, name),
        *telemetry.of_namespace(stack, name),
        *sidecar.sidecars(stack, name),
        *captured_port.captured_port(stack, name),
        *alias.alias_objects(stack, name),
        *waypoint.of_namespace(stack, name),
        *security_group_policy.of_waypoint(stack, name, group_ids),
    )


def application_objects(
    stack: Stack, name: str, partner_gateways: tuple[str, ...], group_ids: GroupIds
) -> tuple[Manifest, ...]:
    """What one application has, partners aside."""
    return (
        application.service_account(stack, name),
        application.service(stack, name, partner_gateways),
        *network_policy.application_policies(stack, name),
        *eastwest.to_peers(stack, name),
        *web_gateway_api.grants(stack, name),
        *security_group_policy.of_application(stack, name, group_ids),
        *peer_authentication.of_application(stack, name),
        *request_authentication.of_application(stack, name),
        *authorization_policy.authorization_policies(stack, name),
        destination_rule.destination_rule(stack, name, partner_gateways),
        *virtual_service.virtual_services(stack, name, partner_gateways),
        *service_entry.address_blocks(stack, name),
        *local_rate_limit.of_application(stack, name),
        *telemetry.of_application(stack, name),
    )


def controllers_charts(stack: Stack) -> tuple[ChartRelease, ...]:
    """What watches the cluster's objects; all that has no namespace among the gateways' or of observability."""
    return (
        *calico.calico_charts(stack),
        *controllers.controller_charts(stack),
        *istio_charts.istio_charts(stack),
    )


def chart_releases(stack: Stack, gateways: Mapping[str, str]) -> tuple[ChartRelease, ...]:
    """Helm releases in the order in which they are installed; Istio's and the gateways' only where the mesh is ours."""
    own_gateways = gateways if stack.platform.mesh.managed else {}
    releases = (
        *controllers_charts(stack),
        *(gateway_charts.gateway_release(stack, name, declared) for name, declared in own_gateways.items()),
        *login.login_releases(stack),
        *eastwest.releases(stack),
        *observability.observability_charts(stack),
    )
    return tuple(chart_source.chosen(stack.platform, release) for release in releases)

"""Who opens connections to whom, by security groups: the declared edges, as rules at both ends are made of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from partner_mesh.config.stack import Stack
from partner_mesh.model.names import EAST_WEST
from partner_mesh.specs import waypoint
from partner_mesh.specs.login_provider import PORT as LOGIN_PORT
from partner_mesh.specs.login_provider import login_name, logins, place
from partner_mesh.specs.network_policy import reached_by
from partner_mesh.specs.outbound_tcp import EGRESS_TLS_PORT
from partner_mesh.specs.shards import Shards
from partner_mesh.specs.stack import GATEWAY_TARGET_PORT, application_port, target_ports, web_gateway, web_port


def application_group(application: str) -> str:
    """The name of an application's group."""
    return f"app-{application}"


def gateway_group(gateway: str) -> str:
    """The name of a gateway's group."""
    return f"gateway-{gateway}"


def waypoint_group(namespace: str) -> str:
    """The name of the group of a namespace's waypoint."""
    return f"waypoint-{namespace}"


def login_group(application: str) -> str:
    """The name of the group of an application's login."""
    return login_name(application)


def load_balancer_group(gateway: str) -> str:
    """The name of the group of the load balancer in front of a gateway."""
    return f"lb-{gateway}"


@dataclass(frozen=True, slots=True)
class Edge:
    """Who opens connections to whom, by names of groups, on a port of the pod."""

    source: str
    destination: str
    port: int


def declared_edges(stack: Stack, formed: Shards) -> Iterator[Edge]:
    """Every one, some more than once."""
    for name, application in stack.applications.items():
        own, namespace = application_group(name), application.namespace
        through = waypoint.needed(stack, name)
        if through:
            yield Edge(waypoint_group(namespace), own, waypoint.HBONE)
        for caller in application.callers:
            ports = target_ports(application, caller.ports)
            there = stack.applications[caller.application].namespace
            source = application_group(caller.application)
            yield from _way(source, own, reached_by(stack, namespace, ports, there), namespace if through else None)
        for route in application.web:
            ports = (web_port(application, route).target,)
            source = gateway_group(web_gateway(stack, route))
            yield from _way(source, own, reached_by(stack, namespace, ports), namespace if through else None)
    if stack.platform.mesh.multi_cluster is not None:
        for name, application in stack.applications.items():
            for port in target_ports(application) if application.callers else ():
                yield Edge(gateway_group(EAST_WEST), application_group(name), port)
    for name, _, _ in logins(stack):
        yield Edge(gateway_group(place(stack, name)[0]), login_group(name), LOGIN_PORT)
    yield from _partner_edges(stack, formed)


def _way(source: str, destination: str, ports: Iterable[int], waypoint_in: str | None) -> Iterator[Edge]:
    """The edges of one way: straight, or to the waypoint of a namespace."""
    if waypoint_in is not None:
        yield Edge(source, waypoint_group(waypoint_in), waypoint.HBONE)
        return
    for port in ports:
        yield Edge(source, destination, port)


def _partner_edges(stack: Stack, formed: Shards) -> Iterator[Edge]:
    for partner in stack.partners:
        for inbound in partner.inbound:
            source = gateway_group(formed.serving(stack, partner, inbound).name)
            for route in inbound.routes:
                target = application_port(stack, route.application, route.port).target
                for port in reached_by(stack, stack.applications[route.application].namespace, [target]):
                    yield Edge(source, application_group(route.application), port)
        for outbound in partner.outbound:
            port = EGRESS_TLS_PORT if outbound.protocol == "tcp" else GATEWAY_TARGET_PORT
            for caller in outbound.callers:
                yield Edge(application_group(caller), gateway_group(stack.outbound_gateway(outbound)), port)

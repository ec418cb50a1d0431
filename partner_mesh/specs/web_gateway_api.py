"""Web routes by the Gateway API (`gateways.<web>.api: gateway-api`): the same gateway pods, a listener, HTTPRoutes.

A manual deployment in Istio's words: the Gateway names the Service of our own gateway release as its address, so
certificate, identity, policies and load balancer stay as they are, and only the routing is written in the other API.
What that API cannot say (shares of versions, retries, rewrites by template) configuration refuses; partners stay on
Istio's own API, since client certificates by exact name and egress capture have no equivalent there.
"""

from collections.abc import Iterator
from typing import Any, Final

from partner_mesh.config.application import WebRoute
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs import login
from partner_mesh.specs.login_provider import SERVICE_PORT, login_name
from partner_mesh.specs.stack import GATEWAY_SERVICE_PORT, gateway_host, owned, web_gateway, web_port
from partner_mesh.specs.waypoint import GATEWAY_API

GRANT_API: Final = "gateway.networking.k8s.io/v1beta1"
Routed = tuple[str, WebRoute]  # application, route


def gateway(stack: Stack, name: str, certificate: str) -> Manifest:
    """One HTTPS listener for any host: the ALB sends no SNI. Routes of other namespaces are not its."""
    spec = {
        "gatewayClassName": "istio",
        "addresses": [{"type": "Hostname", "value": gateway_host(name)}],
        "listeners": [
            {
                "name": "https",
                "port": GATEWAY_SERVICE_PORT,
                "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": certificate}]},
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }
        ],
    }
    return Manifest(GATEWAY_API, "Gateway", name, gateway_namespace(name), owned(gateway=name), body={"spec": spec})


def http_route(
    stack: Stack, name: str, host: str, routes: list[Routed], *, signing_in: str | None, headers: dict[str, Any]
) -> Manifest:
    """The routes of one host, in the order given; `headers` are set and removed in every answer of an application."""
    rules = [_login(signing_in)] if signing_in is not None else []
    rules += [_rule(stack, application, route, headers) for application, route in routes]
    spec = {"parentRefs": [{"name": name, "sectionName": "https"}], "hostnames": [host], "rules": rules}
    return Manifest(GATEWAY_API, "HTTPRoute", host, gateway_namespace(name), owned(gateway=name), body={"spec": spec})


def grants(stack: Stack, application: str) -> Iterator[Manifest]:
    """Leave of the application's namespace for routes of a gateway's to lead to its Service."""
    declared = stack.applications[application]
    for name in dict.fromkeys(web_gateway(stack, route) for route in declared.web):
        if stack.platform.gateways[name].api != "gateway-api":
            continue
        routes = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": gateway_namespace(name)}
        spec = {"from": [routes], "to": [{"group": "", "kind": "Service", "name": application}]}
        yield Manifest(
            GRANT_API,
            "ReferenceGrant",
            f"{name}-to-{application}",
            declared.namespace,
            owned(application=application),
            body={"spec": spec},
        )


def _login(application: str) -> dict[str, Any]:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": login.PATHS.rstrip("/")}}],
        "backendRefs": [{"name": login_name(application), "port": SERVICE_PORT}],
    }


def _rule(stack: Stack, application: str, route: WebRoute, headers: dict[str, Any]) -> dict[str, Any]:
    declared = stack.applications[application]
    path = _path(route.path)
    changes = {
        "set": [{"name": name, "value": value} for name, value in headers["set"].items()],
        "remove": list(headers["remove"]),
    }
    filters: list[dict[str, Any]] = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": changes}]
    if route.rewrite is not None:
        to = {"path": {"type": "ReplaceFullPath", "replaceFullPath": route.rewrite}}
        filters.append({"type": "URLRewrite", "urlRewrite": to})
    backend = {"name": application, "namespace": declared.namespace, "port": web_port(declared, route).port}
    found: dict[str, Any] = {
        "matches": [{"path": path, "method": method} for method in route.methods] or [{"path": path}],
        "filters": filters,
    }
    timeout = route.timeout or declared.timeout
    if timeout is not None:
        found["timeouts"] = {"request": timeout}
    return found | {"backendRefs": [backend]}


def _path(path: str) -> dict[str, str]:
    template = PathTemplate(path)
    if template.exact:
        return {"type": "Exact", "value": path}
    return {"type": "RegularExpression", "value": template.regex()}  # whole paths, as Istio matches them

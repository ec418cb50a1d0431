"""Web routes: firewall → ALB → web gateway → application.

The ALB opens its own TLS towards the gateway and sends no SNI, so the gateway has one server for any host, and the
VirtualServices restrict: a host that none of them names gets 404. The gateway's own ALLOW speaks of its port only;
what may be asked of an application is judged at the application.
"""

from typing import Any, Final

from partner_mesh.config.application import Application, WebRoute
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, SECURITY, gateway_namespace
from partner_mesh.specs import login, web_gateway_api
from partner_mesh.specs.external_secret import external_secret
from partner_mesh.specs.login_provider import logins, place
from partner_mesh.specs.stack import (
    GATEWAY_SERVICE_PORT,
    GATEWAY_TARGET_PORT,
    application_host,
    owned,
    web_gateway,
    web_host,
    web_port,
)
from partner_mesh.specs.virtual_service import methods, retries_policy, rewrite, uri, weighted
from partner_mesh.specs.web_paths import specificity

# OWASP Secure Headers Project. Set, not added: an application that sends its own would send two.
SECURITY_HEADERS: Final[dict[str, str]] = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
TELLTALE_HEADERS: Final = ("server", "x-powered-by", "x-envoy-upstream-service-time", "x-envoy-decorator-operation")


def web_gateway_objects(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """The server, its certificate, its ALLOW, and the routes of every application behind it."""
    if stack.platform.gateways[gateway].api == "gateway-api":
        return (
            *_certificate(stack, gateway),
            web_gateway_api.gateway(stack, gateway, certificate_name(stack, gateway)),
            _allow_own_port(stack, gateway),
            *_http_routes(stack, gateway),
        )
    return (
        *_certificate(stack, gateway),
        _gateway(stack, gateway),
        _allow_own_port(stack, gateway),
        *virtual_services(stack, gateway),
    )


def certificate_name(stack: Stack, gateway: str) -> str:
    """The Secret of the server's certificate, which only the ALB sees."""
    return stack.platform.gateways[gateway].certificate or f"{gateway}-server"


def _certificate(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    name = certificate_name(stack, gateway)
    keys = {key: (name, key) for key in ("tls.crt", "tls.key")}
    return external_secret(stack, name, gateway_namespace(gateway), owned(gateway=gateway), keys)


def _gateway(stack: Stack, gateway: str) -> Manifest:
    server = {
        "port": {"number": GATEWAY_SERVICE_PORT, "name": f"https-{gateway}", "protocol": "HTTPS"},
        "hosts": ["./*"],  # any host without SNI, of VirtualServices in this namespace only
        "tls": {
            "mode": "SIMPLE",
            "credentialName": certificate_name(stack, gateway),
            "minProtocolVersion": "TLSV1_2",
        },
    }
    spec = {"selector": {"istio": gateway}, "servers": [server]}
    return Manifest(
        NETWORKING, "Gateway", gateway, gateway_namespace(gateway), owned(gateway=gateway), body={"spec": spec}
    )


def _allow_own_port(stack: Stack, gateway: str) -> Manifest:
    """The root allow-nothing covers gateways too. Addresses are judged here, where the ALB's word is still at hand."""
    ranges = stack.platform.gateways[gateway].source_ranges
    rule: dict[str, Any] = {"to": [{"operation": {"ports": [str(GATEWAY_TARGET_PORT)]}}]}
    if ranges:
        rule = {"from": [{"source": {"remoteIpBlocks": list(ranges)}}], **rule}
    spec = {"selector": {"matchLabels": {"istio": gateway}}, "action": "ALLOW", "rules": [rule]}
    return Manifest(
        SECURITY,
        "AuthorizationPolicy",
        "own-port",
        gateway_namespace(gateway),
        owned(gateway=gateway),
        body={"spec": spec},
    )


def _by_host(stack: Stack, gateway: str) -> dict[str, list[tuple[str, WebRoute]]]:
    """Routes of a gateway by their hosts, in declared order."""
    hosts: dict[str, list[tuple[str, WebRoute]]] = {}
    for name, application in stack.applications.items():
        for route in application.web:
            if web_gateway(stack, route) == gateway:
                hosts.setdefault(web_host(stack, route), []).append((name, route))
    return hosts


def _http_routes(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    signing_in = {place(stack, name)[1]: name for name, _, _ in logins(stack, gateway)}
    headers = {"set": SECURITY_HEADERS, "remove": TELLTALE_HEADERS}
    return tuple(
        web_gateway_api.http_route(
            stack,
            gateway,
            host,
            sorted(routes, key=lambda entry: specificity(entry[1])),
            signing_in=signing_in.get(host),
            headers=headers,
        )
        for host, routes in _by_host(stack, gateway).items()
    )


def virtual_services(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """One a host. Routes stand from the most specific path to the least, so that their order is nobody's accident:
    of several VirtualServices of one host Istio would decide it by age.
    """
    hosts = _by_host(stack, gateway)
    signing_in = {place(stack, name)[1]: name for name, _, _ in logins(stack, gateway)}
    found = []
    for host, routes in hosts.items():
        ordered = sorted(routes, key=lambda entry: specificity(entry[1]))
        first = [login.route(stack, signing_in[host])] if host in signing_in else []
        spec = {
            "hosts": [host],
            "gateways": [gateway],
            "exportTo": ["."],
            "http": [*first, *(_http_route(stack, name, route) for name, route in ordered)],
        }
        labels = owned(gateway=gateway)
        found.append(
            Manifest(NETWORKING, "VirtualService", host, gateway_namespace(gateway), labels, body={"spec": spec})
        )
    return tuple(found)


def _http_route(stack: Stack, name: str, route: WebRoute) -> dict[str, Any]:
    application: Application = stack.applications[name]
    match: dict[str, Any] = {"uri": uri(route.path)}
    if route.methods:
        match["method"] = methods(route.methods)
    found: dict[str, Any] = {"name": f"web-{name}", "match": [match]}
    if route.rewrite is not None:
        found["rewrite"] = rewrite(route.path, route.rewrite)
    timeout, retries = route.timeout or application.timeout, route.retries or application.retries
    if timeout is not None:
        found["timeout"] = timeout
    if retries is not None:
        found["retries"] = retries_policy(retries)
    found["headers"] = {"response": {"set": dict(SECURITY_HEADERS), "remove": list(TELLTALE_HEADERS)}}
    found["route"] = weighted(application_host(stack, name), application, web_port(application, route).port)
    return found

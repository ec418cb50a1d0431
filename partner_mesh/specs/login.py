"""OIDC login for web UIs: an oauth2-proxy beside the web gateway, asked by the gateway before it routes (CUSTOM).

    browser ─► web gateway ─► (CUSTOM) oauth2-proxy: no session → its redirect to the issuer is the answer
                    │          session → 200 with `Authorization: Bearer <ID token>`, which goes on with the request
                    └─► application: its sidecar checks that token like any other (issuer, audience, claims)

At the gateway and not at the application: a sidecar reads tokens before it asks providers (istio.io, "Security:
implicit enablement"), so one that arrives by the provider's answer would never be checked there. The login decides
about convenience, the application about rights: a login that were gone would leave requests without a token, and
those are refused.

The proxy lives in the gateway's namespace: on its nodes, behind its default deny, with its Secrets; its sidecar speaks
mutual TLS with the gateway. Its way out is TLS to the issuer's hosts on port 443 and nothing else.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from partner_mesh.config.application import EndUsers, Login, WebRoute
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import GROUP, NETWORKING, SECURITY, gateway_namespace, service_host
from partner_mesh.specs import security_group_policy
from partner_mesh.specs.external_secret import external_secret
from partner_mesh.specs.istio_charts import control_planes, topology_spread
from partner_mesh.specs.login_provider import PORT, SERVICE_PORT, login_name, logins, place
from partner_mesh.specs.namespace import gateway_revision
from partner_mesh.specs.network_policy import NOT_INTERNET, block, pods, policy, rule
from partner_mesh.specs.security_group_policy import GroupIds
from partner_mesh.specs.stack import (
    gateway_node_group,
    gateway_principal,
    owned,
    placement,
)
from partner_mesh.specs.versions import OAUTH2_PROXY
from partner_mesh.specs.web_paths import specificity

PATHS: Final = "/oauth2/"  # sign-in, callback, sign-out: served by the proxy itself


def issuer_hosts(users: EndUsers, login: Login) -> tuple[str, ...]:
    """Hosts that the proxy calls: the issuer's, and those where it keeps its token and key endpoints."""
    host = urlsplit(users.issuer).hostname or users.issuer
    return tuple(dict.fromkeys((host, *login.hosts)))


def route(stack: Stack, application: str) -> dict[str, Any]:
    """The login's own pages, before every other route of the host. Without a route Envoy would not ask the provider."""
    host = service_host(login_name(application), gateway_namespace(place(stack, application)[0]))
    return {
        "name": login_name(application),
        "match": [{"uri": {"prefix": PATHS}}],
        "route": [{"destination": {"host": host, "port": {"number": SERVICE_PORT}}}],
    }


def of_gateway(stack: Stack, gateway: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """What the logins at a gateway have beside their releases."""
    return tuple(
        manifest
        for name, users, login in logins(stack, gateway)
        for manifest in (
            *_of(stack, name, users, login),
            *security_group_policy.of_login(stack, gateway, name, group_ids),
        )
    )


def _of(stack: Stack, name: str, users: EndUsers, login: Login) -> Iterator[Manifest]:
    gateway, host = place(stack, name)
    namespace, labels, chosen = gateway_namespace(gateway), owned(application=name), {"app": login_name(name)}
    secret = login.client_secret
    yield from external_secret(
        stack, secret, namespace, labels, {key: (secret, key) for key in ("client-secret", "cookie-secret")}
    )
    asked = {
        "selector": {"matchLabels": {"istio": gateway}},
        "action": "CUSTOM",
        "provider": {"name": login_name(name)},
        "rules": [{"to": _operations(stack, name, host)}],
    }
    yield Manifest(SECURITY, "AuthorizationPolicy", login_name(name), namespace, labels, body={"spec": asked})
    caller = {"principals": [gateway_principal(stack, gateway)]}
    admitted = {
        "selector": {"matchLabels": chosen},
        "action": "ALLOW",
        "rules": [{"from": [{"source": caller}], "to": [{"operation": {"ports": [str(PORT)]}}]}],
    }
    yield Manifest(
        SECURITY, "AuthorizationPolicy", f"{login_name(name)}-gateway", namespace, labels, body={"spec": admitted}
    )
    yield _service_entry(users, login, name, namespace)
    there, here = pods(namespace, chosen), pods(namespace, {"istio": gateway})
    internet = block("0.0.0.0/0", without=NOT_INTERNET)
    yield policy(
        login_name(name),
        namespace,
        labels,
        {"matchLabels": chosen},
        ingress=[rule("ingress", [here], [PORT])],
        egress=[rule("egress", [internet], [443])],
    )
    yield policy(
        f"{gateway}-to-{login_name(name)}",
        namespace,
        labels,
        {"matchLabels": {"istio": gateway}},
        egress=[rule("egress", [there], [PORT])],
    )


def _operations(stack: Stack, name: str, host: str) -> list[dict[str, Any]]:
    """Requests that need a user: each route that is not public, less the public ones within it."""
    routes = stack.applications[name].web
    public = [each for each in routes if each.public]
    return [{"operation": _operation(host, each, public)} for each in routes if not each.public]


def _operation(host: str, route: WebRoute, public: list[WebRoute]) -> dict[str, Any]:
    found: dict[str, Any] = {"hosts": [host, f"{host}:*"], "paths": [route.path]}
    if route.methods:
        found["methods"] = list(route.methods)
    within = [each.path for each in public if specificity(each) < specificity(route) and not each.methods]
    found["notPaths"] = [f"{PATHS}{{**}}", *within]  # the login's own pages ask nobody
    return found


def _service_entry(users: EndUsers, login: Login, name: str, namespace: str) -> Manifest:
    """The issuer as the proxy's sidecar knows it: TLS that the proxy itself opens, passed on by server name."""
    spec = {
        "hosts": list(issuer_hosts(users, login)),
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "exportTo": ["."],
        "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
    }
    labels = owned(application=name)
    return Manifest(NETWORKING, "ServiceEntry", f"{login_name(name)}-issuer", namespace, labels, body={"spec": spec})


def login_releases(stack: Stack) -> tuple[ChartRelease, ...]:
    """One release a login. Its pods restart with the gateways: they carry the gateways' revision."""
    return tuple(
        ChartRelease(
            login_name(name),
            gateway_namespace(place(stack, name)[0]),
            OAUTH2_PROXY.name,
            OAUTH2_PROXY.version,
            OAUTH2_PROXY.repository,
            _values(stack, name, users, login),
            control_planes(stack.platform.mesh),
        )
        for name, users, login in logins(stack)
    )


def _values(stack: Stack, name: str, users: EndUsers, login: Login) -> dict[str, Any]:
    gateway, host = place(stack, name)
    own = login_name(name)
    return {
        "nameOverride": own,
        "fullnameOverride": own,
        "replicaCount": 2,
        "serviceAccount": {"enabled": True, "name": own, "automountServiceAccountToken": False},
        "service": {"portNumber": SERVICE_PORT, "appProtocol": "http"},
        "metrics": {"enabled": False},
        # Sessions live in the cookie, encrypted: any of the pods can read any of them.
        "sessionStorage": {"type": "cookie"},
        "proxyVarsAsSecrets": False,
        "config": {
            "existingSecret": login.client_secret,  # so that the chart makes none with stand-ins
            "configFile": 'email_domains = [ "*" ]\nupstreams = [ "static://200" ]\n',
        },
        "extraEnv": [
            _from_secret("OAUTH2_PROXY_CLIENT_SECRET", login.client_secret, "client-secret"),
            _from_secret("OAUTH2_PROXY_COOKIE_SECRET", login.client_secret, "cookie-secret"),
        ],
        "extraArgs": arguments(users, login, own, host),
        "podLabels": {"app": own},
        "podAnnotations": {
            f"{GROUP}/revision": gateway_revision(stack),
            "proxy.istio.io/config": '{"holdApplicationUntilProxyStarts": true}',
        },
        "securityContext": {
            "enabled": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 2000,
            "runAsGroup": 2000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "topologySpreadConstraints": topology_spread({"app": own}),
        **placement(stack, gateway_node_group(stack, gateway)),
    }


def arguments(users: EndUsers, login: Login, name: str, host: str) -> dict[str, str]:
    """Options of oauth2-proxy (oauth2-proxy.github.io, "Configuration")."""
    return {
        "provider": "oidc",
        "oidc-issuer-url": users.issuer,
        "client-id": login.client_id,
        "scope": " ".join(login.scopes),
        "redirect-url": f"https://{host}{PATHS}callback",
        "code-challenge-method": "S256",
        "skip-provider-button": "true",
        "reverse-proxy": "true",
        # The ID token goes on with the request; clients that bring a token of the issuer need no session.
        "set-authorization-header": "true",
        "skip-jwt-bearer-tokens": "true",
        # A session is asked for again once its ID token has expired: the application would refuse that token.
        "cookie-refresh": "1m",
        "cookie-name": f"__Host-{name}",
        "cookie-secure": "true",
        "cookie-httponly": "true",
        "cookie-samesite": "lax",
        "silence-ping-logging": "true",
    }


def _from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}

"""Features of the platform and of applications, one golden file each: what a person's few lines become."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.serialize import dump_all
from partner_mesh.specs import Compiled, compile_stack
from tests.crds import problems
from tests.golden import Golden
from tests.specs.stacks import APPLICATIONS, GATEWAYS, foreign, loaded

Show = Callable[[Compiled], Iterable[Mapping[str, Any]]]


def _with(name: str, **changes: Any) -> dict[str, Any]:
    """The base applications with further keys of one of them."""
    return {each: value | changes if each == name else value for each, value in APPLICATIONS.items()}


def _shared_nodes() -> dict[str, Any]:
    """The base applications without node groups of their own."""
    return {name: {k: v for k, v in value.items() if k != "nodeGroup"} for name, value in APPLICATIONS.items()}


def _documents(manifests: Iterable[Manifest]) -> list[dict[str, Any]]:
    return [manifest.document() for manifest in manifests]


def _application(name: str) -> Show:
    return lambda compiled: _documents(compiled.applications[name])


def _of(*kinds: str) -> Show:
    return lambda compiled: _documents(m for m in compiled if m.kind in kinds)


def _charts(compiled: Compiled) -> list[dict[str, Any]]:
    return [
        {
            "release": f"{chart.namespace}/{chart.name}",
            "chart": f"{chart.repository}/{chart.chart}:{chart.version}",
            "after": list(chart.after),
            "values": chart.values,
        }
        for chart in compiled.charts
    ]


MESH = {"revision": "1-31-1"}
USERS = {
    "issuer": "https://login.example.com",
    "jwksUri": "https://login.example.com/jwks",
    "audiences": ["pay"],
    "require": {"group": ["buyers"], "address.country": ["de", "fr"]},
    "claimToHeaders": {"x-user": "sub"},
}

WAYPOINTS = ("waypoint-charging", "app-charging", "app-checkout", "gateway-web")
OPA = {
    "namespace": "opa",
    "nodeGroup": "billing",
    "ports": {"grpc": {"port": 9191, "protocol": "grpc"}, "http": 8181},
    "callers": ["charging"],
}
PROMETHEUS_OUTSIDE = ("federation", "remote-write", "object-storage", "allow-prometheus")
AUTHENTICATION = ("RequestAuthentication", "AuthorizationPolicy")

SCENARIOS: dict[str, tuple[Callable[[], Stack], Show]] = {
    "mesh": (loaded, lambda compiled: _documents(compiled.mesh)),
    "namespace": (loaded, lambda compiled: _documents(compiled.namespaces["charging"])),
    "application": (loaded, _application("charging")),
    "charts": (loaded, _charts),
    "security-groups": (loaded, lambda compiled: compiled.security_groups),
    "inventory": (loaded, lambda compiled: compiled.inventory),
    "web-gateway": (
        lambda: loaded(
            applications=_with(
                "checkout",
                versions={"v1": 90, "v2": 10},
                web=[
                    {"path": "/", "public": True},
                    {"path": "/shop/{**}", "rewrite": "/{**}", "timeout": "5s", "retries": 1},
                    {"path": "/shop/basket/{*}", "methods": ["GET", "DELETE"]},
                    {"path": "/shop/help", "host": "help.example.com"},
                ],
                endUsers=USERS,
            ),
            gateways=GATEWAYS
            | {"web": GATEWAYS["web"] | {"sourceRanges": ["203.0.113.0/24"], "hosts": ["help.example.com"]}},
        ),
        lambda compiled: _documents((*compiled.gateways["web"], *compiled.applications["checkout"])),
    ),
    "login": (
        lambda: loaded(
            applications=_with(
                "checkout",
                web=[
                    {"path": "/{**}"},
                    {"path": "/static/{**}", "public": True},
                    {"path": "/api/{*}", "methods": ["GET"], "rewrite": "/v1/{*}"},
                ],
                endUsers=USERS
                | {
                    "login": {
                        "clientId": "pay",
                        "clientSecret": "pay-login",
                        "hosts": ["keys.example.com"],
                        "scopes": ["openid", "email", "groups"],
                    }
                },
            )
        ),
        lambda compiled: [
            *_documents(m for m in compiled.gateways["web"] if "login" in m.name or m.kind == "VirtualService"),
            *(d for d in _application("checkout")(compiled) if d["kind"] in AUTHENTICATION),
            *(chart for chart in _charts(compiled) if "login-" in chart["release"]),
            *(p for c in _charts(compiled) if c["release"] == f"istio-system/istiod-{MESH['revision']}"
              for p in c["values"]["meshConfig"]["extensionProviders"] if "login" in p["name"]),
            *(d for d in compiled.security_groups if d["metadata"]["name"] in ("login-checkout", "gateway-web")),
            *(d for d in compiled.inventory if d["metadata"]["name"] == "login-checkout"),
        ],
    ),
    "routing": (
        lambda: loaded(
            applications=_with(
                "charging",
                versions={"v1": 100, "v2": 0, "canary": 0},
                mirror={"to": "canary", "percent": 25},
                timeout="15s",
                retries={"attempts": 2, "perTryTimeout": "2s", "on": ["5xx"]},
                routes=[
                    {"match": {"headers": {"x-version": "2"}}, "version": "v2"},
                    {"match": {"path": "/old/{*}", "methods": ["GET", "POST"]}, "rewrite": "/new/{*}"},
                    {
                        "match": {"path": "/slow"},
                        "fault": {"delay": {"duration": "3s", "percent": 10}, "abort": {"status": 503, "percent": 1}},
                        "headers": {"set": {"x-slow": "true"}, "remove": ["x-debug"]},
                    },
                ],
                circuitBreaker={"maxConnections": 10, "maxRequestsPerConnection": 5, "ejectFor": "1m"},
                loadBalancing={"policy": "consistent-hash", "hash": {"header": "x-user"}, "locality": True},
            )
        ),
        lambda compiled: [
            d for d in _application("charging")(compiled) if d["kind"] in ("VirtualService", "DestinationRule")
        ],
    ),
    "limits": (
        lambda: loaded(
            applications=_with(
                "charging",
                rateLimit={"requests": 100, "per": "1s", "burst": 200},
                maxRequestBytes=65536,
                routes=[
                    {
                        "match": {"path": "/pay/{*}", "methods": ["POST"], "headers": {"x-tier": "free"}},
                        "rateLimit": {"requests": 5, "per": "1m"},
                    }
                ],
            )
        ),
        _of("EnvoyFilter"),
    ),
    "callers": (
        lambda: loaded(
            applications=_with(
                "charging",
                ports={"http": {"port": 80, "targetPort": 8080}, "smpp": {"port": 2775, "protocol": "tcp"}},
                callers=[
                    {"application": "checkout", "ports": ["http"], "methods": ["POST"], "paths": ["/v1/charges/{*}"]}
                ],
            )
        ),
        lambda compiled: [
            *_application("charging")(compiled),
            *(d for d in _application("checkout")(compiled) if d["kind"] == "NetworkPolicy"),
        ],
    ),
    "policies": (
        lambda: loaded(
            mesh=MESH
            | {
                "authorizers": {
                    "opa": {"application": "opa", "port": "grpc"},
                    "scanner": {
                        "application": "opa",
                        "port": "http",
                        "protocol": "http",
                        "pathPrefix": "/check",
                        "requestHeaders": ["x-session"],
                        "headersToUpstream": ["x-verdict"],
                    },
                }
            },
            applications={"opa": OPA} | _with(
                "charging",
                policies=[
                    {
                        "name": "no-legacy",
                        "action": "DENY",
                        "dryRun": True,
                        "rules": [
                            {
                                "from": {"notPrincipals": ["cluster.local/ns/checkout/sa/checkout"]},
                                "to": [{"paths": ["/admin/{**}"], "ports": [8080]}, {"methods": ["TRACE"]}],
                                "when": [{"key": "request.headers[x-old]", "values": ["1"]}],
                            }
                        ],
                    },
                    {
                        "name": "everything",
                        "action": "ALLOW",
                        "rules": [
                            {
                                "from": [
                                    {
                                        "principals": ["cluster.local/ns/checkout/sa/*"],
                                        "requestPrincipals": ["https://login.example.com/*"],
                                        "namespaces": ["checkout"],
                                        "notNamespaces": ["legacy"],
                                        "ipBlocks": ["10.0.0.0/8"],
                                        "notIpBlocks": ["10.9.0.0/16"],
                                    },
                                    {"remoteIpBlocks": ["192.0.2.0/24"], "notRemoteIpBlocks": ["192.0.2.1/32"]},
                                    {"notRequestPrincipals": ["*"]},
                                ],
                                "to": [
                                    {"hosts": ["a.example"], "notHosts": ["b.example"], "notPorts": [9090]},
                                    {"notMethods": ["DELETE"], "notPaths": ["/admin/{**}"]},
                                ],
                                "when": [
                                    {"key": "request.auth.claims[group]", "values": ["buyers"]},
                                    {"key": "request.headers[x-debug]", "notValues": ["1"]},
                                ],
                            }
                        ],
                    },
                    {
                        "name": "ask",
                        "action": "CUSTOM",
                        "provider": "opa",
                        "rules": [{"to": {"paths": ["/secret"]}}],
                    },
                ],
            )
        ),
        lambda compiled: [
            *_of("AuthorizationPolicy")(compiled),
            *(p for c in _charts(compiled) if "istiod" in c["release"]
              for p in c["values"]["meshConfig"]["extensionProviders"] if p["name"] in ("opa", "scanner")),
        ],
    ),
    "mutual-tls": (
        lambda: loaded(
            mesh=MESH
            | {"namespaces": {"checkout": {"mutualTls": {"mode": "PERMISSIVE", "until": "2099-01-31"}}}},
            applications=_with(
                "charging", mutualTls={"mode": "STRICT", "until": "2099-01-31", "ports": {"8080": "DISABLE"}}
            ),
        ),
        _of("PeerAuthentication", "DestinationRule"),
    ),
    "telemetry": (
        lambda: loaded(
            mesh=MESH
            | {
                "accessLog": {"errorsOnly": True},
                "metrics": {"add": {"host": "request.host"}, "remove": ["request_protocol"]},
                "namespaces": {"checkout": {"telemetry": {"accessLog": {"enabled": False}, "sampling": 50}}},
            },
            applications=_with(
                "charging", telemetry={"accessLog": {"format": "text", "fields": {"user": "%REQ(X-USER)%"}}}
            ),
        ),
        lambda compiled: [
            *_of("Telemetry")(compiled),
            *(d for d in compiled.inventory if d["kind"] == "ConfigMap"),
        ],
    ),
    "ambient": (
        lambda: loaded(mesh=MESH | {"dataPlane": "ambient", "namespaces": {"charging": {"dataPlane": "ambient"}}}),
        lambda compiled: [
            *_documents(compiled.namespaces["charging"]),
            *_application("charging")(compiled),
            *(chart for chart in _charts(compiled) if chart["release"] == "istio-system/ztunnel"),
            *(d for d in compiled.security_groups if d["metadata"]["name"] == "app-charging"),
        ],
    ),
    "waypoint": (
        lambda: loaded(
            mesh=MESH
            | {
                "dataPlane": "ambient",
                "namespaces": {name: {"dataPlane": "ambient"} for name in ("charging", "checkout")},
            },
            applications=_with(
                "charging",
                ports={"http": {"port": 80, "targetPort": 8080}},
                callers=[{"application": "checkout", "methods": ["POST"], "paths": ["/v1/charges/{*}"]}],
                circuitBreaker={"maxConnections": 10},
            ),
        ),
        lambda compiled: [
            *_documents(m for m in compiled.namespaces["charging"] if m.name.startswith("waypoint")),
            *_application("charging")(compiled),
            *(d for d in _application("checkout")(compiled) if d["kind"] != "DestinationRule"),
            *(d for d in compiled.security_groups if d["metadata"]["name"] in WAYPOINTS),
            *(d for d in compiled.inventory if d["metadata"]["name"] == "waypoint"),
        ],
    ),
    "two-clusters": (
        lambda: loaded(mesh=MESH | {"multiCluster": {"cluster": "north", "network": "north", "peers": [
            {"name": "south", "network": "south", "gateway": "10.2.0.10", "ranges": ["10.2.0.0/16"]},
        ]}}),
        lambda compiled: [
            *_documents(compiled.gateways["eastwest"]),
            *_documents(m for m in compiled.mesh if m.kind in ("ExternalSecret", "ClusterSecretStore")
                        or m.name == "istiod-peers"),
            *(d for d in _application("checkout")(compiled) if d["kind"] == "NetworkPolicy"),
            *(chart for chart in _charts(compiled) if chart["release"] == "istio-eastwest/eastwest"),
            *(c["values"]["global"] for c in _charts(compiled) if "istiod" in c["release"]),
            *(d for d in compiled.security_groups if d["metadata"]["name"] in ("gateway-eastwest", "app-checkout")),
            *(d for d in compiled.inventory if d["metadata"]["name"] == "eastwest"),
        ],
    ),
    "gateway-api": (
        lambda: loaded(
            gateways=GATEWAYS | {"web": GATEWAYS["web"] | {"api": "gateway-api"}},
            applications=_with(
                "checkout",
                web=[
                    {"path": "/{**}"},
                    {"path": "/old", "rewrite": "/new", "methods": ["GET", "POST"], "timeout": "5s"},
                ],
            ),
        ),
        lambda compiled: _documents(m for m in compiled if m.api_version.startswith("gateway.networking.k8s.io")),
    ),
    "prometheus-outside": (
        lambda: loaded(
            observability={
                "prometheus": {
                    "federation": {"ranges": ["10.9.0.0/24"]},
                    "remoteWrite": {"url": "https://m.example.com:8443", "port": 8443, "ranges": ["192.0.2.0/24"]},
                    "thanos": True,
                    "thanosRanges": ["198.51.100.0/24"],
                }
            }
        ),
        lambda compiled: [
            *_documents(m for m in compiled if m.name in PROMETHEUS_OUTSIDE),
            *(chart["values"]["prometheus"] for chart in _charts(compiled) if "/prometheus" in chart["release"]),
            *(d for d in compiled.security_groups if d["metadata"]["name"] == "nodes"),
        ],
    ),
    "guest": (
        lambda: loaded(**foreign(), applications=_shared_nodes()),
        lambda compiled: _documents(m for m in compiled if m.kind != "VirtualService"),
    ),
    "own-groups": (
        lambda: loaded(
            applications=_with(
                "charging",
                securityGroup={
                    "egress": [
                        {"to": "10.40.64.0/20", "port": 5432},
                        {"to": "10.41.0.0/16", "port": 53, "protocol": "udp"},
                    ],
                    "ingress": [{"from": "10.42.0.0/24", "port": 8080}, {"group": "sg-0abc", "port": 8080}],
                    "groupIds": ["sg-0123"],
                },
            )
        ),
        lambda compiled: [
            *(d for d in _application("charging")(compiled) if d["kind"] not in ("Service", "DestinationRule")),
            *(d for d in compiled.security_groups if d["metadata"]["name"] == "app-charging"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_pinned_istio_knows_every_field_of_a_feature(scenario: str) -> None:
    compiled = compile_stack(SCENARIOS[scenario][0]())
    assert [fault for m in compiled for fault in problems(m.document())] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_feature_compiles_to(scenario: str, golden: Golden) -> None:
    configured, show = SCENARIOS[scenario]
    golden(f"platform/{scenario}", dump_all(dict(document) for document in show(compile_stack(configured()))))

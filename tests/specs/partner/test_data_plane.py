"""What a real istiod and real Envoys make of compiled partners: the same questions that the properties ask of text."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab.charts import rendered
from lab.control import Lab
from lab.probe import ClientCertificate, Probe
from lab.tools import are_built, tools
from partner_mesh.specs import compile_stack, proxy_bootstrap
from tests.specs.stacks import stack

pytestmark = pytest.mark.lab

APPLICATIONS: dict[str, Any] = {
    "charging": {"namespace": "charging", "ports": {"http": 8080}},
    "checkout": {"namespace": "checkout", "ports": {"http": 8080}},
    "messaging": {"namespace": "messaging", "ports": {"smpp": {"port": 2775, "protocol": "tcp"}}},
}
ALIAS = {"host": "partners.internal", "port": 7090}
# Names that the lab's DNS does not know, or that stand for another address: Istio's DNS proxy, which the clients do
# not ask, would answer with an address like these.
ADDRESSES = {"globex-smpp": "240.250.0.1", "partners.internal": "240.250.0.2"}
SMPP, INTERNAL = ADDRESSES.values()


def inbound(name: str, addresses: str, routes: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
    certificate = {"ca": f"{name}-ca", "subjectAltNames": [f"client.{name}.example"]}
    entry = {"host": f"{name}.partners.example.com", "clientCertificate": certificate, "sourceRanges": [addresses]}
    return entry | {"routes": routes} | others


PARTNERS: list[dict[str, Any]] = [
    {
        "name": "acme",
        "inbound": inbound(
            "acme",
            "198.51.100.0/28",
            [
                {"methods": ["POST"], "path": "/v1/callbacks/{*}", "to": "charging:http"},
                {"path": "/v1/few", "to": "charging:http", "rateLimit": {"requests": 2, "per": "1h"}},
                {"path": "/v1/status/{**}", "headers": {"x-v": "2"}, "to": "charging:http", "rewrite": "/status/{**}"},
            ],
        ),
        "outbound": [
            {
                "host": "api.acme.example",
                "from": ["charging"],
                "methods": ["POST"],
                "paths": ["/gateway/{**}"],
                "rewrite": "/api/v3/{**}",
                "alias": ALIAS | {"prefix": "/acme/"},
                "tls": {"mode": "mutual", "certificate": "acme-client"},
            }
        ],
    },
    {
        "name": "globex",
        "inbound": inbound(
            "globex",
            "203.0.113.64/28",
            [{"path": "/old/{*}", "to": "charging:http", "rewrite": "/new/{*}"}],
            enforceAt="edge",
        ),
        "outbound": [
            {"host": "api.globex.example", "from": ["charging", "checkout"], "alias": ALIAS | {"prefix": "/globex/"}},
            {
                "host": "smpp.globex.example",
                "from": ["messaging"],
                "protocol": "tcp",
                "port": 3550,
                "tls": {"mode": "mutual", "certificate": "globex-client"},
            },
        ],
    },
    {
        "name": "northwind",
        "inbound": inbound("northwind", "198.51.100.64/27", [{"to": "messaging:smpp"}], protocol="tcp"),
        "outbound": [{"host": "api.northwind.example", "from": ["checkout"], "paths": ["/token"], "port": 8443}],
    },
    {
        "name": "payline",
        "outbound": [
            {
                "host": "api.payline.example",
                "from": ["charging"],
                "alias": ALIAS | {"prefix": "/payline/"},
                "rateLimit": {"requests": 2, "per": "1h"},
            }
        ],
    },
]


def documents() -> list[dict[str, Any]]:
    """Istio and its gateways from their charts, everything compiled, and the applications' Deployments."""
    configured = stack(
        applications=APPLICATIONS,
        partners=[partner | {"owner": "integrations@example.com"} for partner in PARTNERS],
        gateways={"partners": {"direction": "ingress", "exposure": "partner"}, "egress": {"direction": "egress"}},
        observability={
            "prometheus": {"enabled": False},
            "kiali": False,
            "grafana": False,
            "tracing": {"sampling": 100},
        },
    )
    compiled = compile_stack(configured)
    found = rendered(tools(), [release for release in compiled.charts if release.chart != "cni"])
    there = {key(document) for document in found}
    ours = [manifest.document() for manifest in compiled] + [dict(document) for document in compiled.inventory]
    wanted = [document for document in ours if key(document) not in there and runs_here(document)]
    for document in wanted:
        if document["kind"] == "ServiceEntry" and document["metadata"]["name"] in ADDRESSES:
            document["spec"]["addresses"] = [ADDRESSES[document["metadata"]["name"]]]
    return [*found, *wanted, collector()]


def key(document: dict[str, Any]) -> tuple[str, str, str]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]


def runs_here(document: dict[str, Any]) -> bool:
    names = {*APPLICATIONS, "coredns"}
    return document["kind"] not in ("Deployment", "DaemonSet", "StatefulSet") or document["metadata"]["name"] in names


def collector() -> dict[str, Any]:
    """Somewhere for spans to go: without it istiod leaves tracing out, and nothing could leak."""
    port = {"name": "grpc-otlp", "port": 4317}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "jaeger-collector", "namespace": "observability"},
        "spec": {"selector": {"app": "jaeger"}, "ports": [port]},
    }


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if not are_built():
        pytest.skip("the lab's tools are not built: run make lab")
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    with Lab.start(documents(), directory=Path(tmp_path_factory.mktemp("lab"))) as running:
        yield running


def from_partner(name: str, address: str, path: str, gateway: str = "partners") -> Probe:
    host = f"{name}.partners.example.com"
    certificate = ClientCertificate(f"istio-{gateway}/{name}-{name}", (f"client.{name}.example",))
    return Probe("outside", host, 443, host, path=path, address=address, server_name=host, certificate=certificate)


ACME = replace(from_partner("acme", "198.51.100.1", "/v1/callbacks/1"), method="POST")
GLOBEX = from_partner("globex", "203.0.113.65", "/old/x", "partners-edge")
NORTHWIND = from_partner("northwind", "198.51.100.65", "/raw")


@pytest.mark.parametrize(
    ("probe", "status", "path"),
    [
        (ACME, 200, "/v1/callbacks/1"),
        (replace(ACME, method="GET", path="/v1/status/a/b?c=d", headers={"x-v": "2"}), 200, "/status/a/b?c=d"),
        (replace(ACME, method="GET", path="/v1/status/a"), 404, None),  # without the header
        (replace(ACME, path="/v1/callbacks/1/2"), 404, None),
        (replace(ACME, host="globex.partners.example.com"), 404, None),
        (replace(ACME, address="198.51.100.65"), 403, None),  # another partner's address passes the packet filter
        (GLOBEX, 200, "/new/x"),
        (replace(GLOBEX, path="/new/x"), 404, None),  # the edge's routes take what the client sends
        (NORTHWIND, 200, "/raw"),
    ],
)
def test_inbound(lab: Lab, probe: Probe, status: int, path: str | None) -> None:
    seen = lab.probe(probe)
    assert (seen.status, seen.seen and seen.seen["path"]) == (status, path), seen.sentence()


def test_headers_of_another_proxy_do_not_come_in(lab: Lab) -> None:
    seen = lab.probe(replace(ACME, headers={"x-amzn-mtls-clientcert-subject": "CN=somebody"})).seen
    assert seen is not None
    assert not [header for header in seen["headers"] if header.startswith("x-amzn")]


@pytest.mark.parametrize(("probe", "outcome"), [(ACME, "answered"), (GLOBEX, "answered"), (NORTHWIND, "silent")])
def test_the_mesh_alone_turns_strangers_away(lab: Lab, probe: Probe, outcome: str) -> None:
    """With the right certificate, from another address, and without a packet filter."""
    stranger = replace(probe, address=lab.status()["stranger"], headers={"x-forwarded-for": probe.address or ""})
    lab.enforce(False)
    try:
        seen = lab.probe(stranger)
    finally:
        lab.enforce(True)
    assert (seen.outcome, seen.permitted) == (outcome, False)
    assert lab.probe(stranger).outcome == "filtered"


def call(source: str, host: str, path: str, port: int = 80, to: str = "") -> Probe:
    return Probe(f"{source}/{source}", to or host, port, host, path=path)


BY_ALIAS = replace(call("charging", "partners.internal", "/acme/gateway/pay", 7090, INTERNAL), method="POST")
BY_HOST = replace(call("charging", "api.acme.example", "/gateway/pay"), method="POST")


@pytest.mark.parametrize(
    ("probe", "reached", "path"),
    [
        (BY_HOST, "api.acme.example", "/api/v3/pay"),
        (BY_ALIAS, "api.acme.example", "/api/v3/pay"),
        (replace(BY_ALIAS, host="partners.internal:7090"), "api.acme.example", "/api/v3/pay"),
        (replace(BY_ALIAS, path="/globex/any/path?x=1"), "api.globex.example", "/any/path?x=1"),
        (call("checkout", "partners.internal", "/globex/y", 7090, INTERNAL), "api.globex.example", "/y"),
        (call("checkout", "api.northwind.example", "/token"), "api.northwind.example", "/token"),
        (call("messaging", SMPP, "/raw", 3550), "smpp.globex.example", "/raw"),
    ],
)
def test_outbound(lab: Lab, probe: Probe, reached: str, path: str) -> None:
    seen = lab.probe(probe)
    assert (seen.reached, seen.seen and seen.seen["path"]) == (reached, path), seen.sentence()


@pytest.mark.parametrize(
    "probe",
    [
        replace(BY_HOST, path="/api/v3/pay"),
        replace(BY_HOST, method="GET"),
        replace(BY_HOST, source="checkout/checkout"),
        replace(BY_ALIAS, path="/acme/other"),
        replace(BY_ALIAS, path="/nobody/x"),
        replace(BY_ALIAS, source="checkout/checkout"),
        call("checkout", "api.northwind.example", "/other"),
        call("charging", SMPP, "/raw", 3550),
    ],
)
def test_nothing_else_leaves(lab: Lab, probe: Probe) -> None:
    assert not lab.probe(probe).permitted


def test_no_header_of_ours_leaves_not_even_the_trace_that_envoy_begins(lab: Lab) -> None:
    traced = replace(BY_HOST, headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    for probe in (BY_HOST, BY_ALIAS, traced):
        seen = lab.probe(probe).seen
        assert seen is not None
        assert sorted(seen["headers"]) == ["content-length", "host", "user-agent"]
        assert seen["headers"]["host"] == "api.acme.example"


def test_the_trace_would_leave_without_the_gateways_telemetry(lab: Lab) -> None:
    """The seeded fault: removing headers in the route is not enough."""
    [telemetry] = [document for document in documents() if document["metadata"]["name"] == "no-trace-outside"]
    lab.delete([telemetry])
    try:
        leaking, _ = lab.until(BY_HOST, lambda seen: seen.seen is not None and "traceparent" in seen.seen["headers"])
    finally:
        lab.apply([telemetry])
    assert leaking.seen is not None
    assert "traceparent" in leaking.seen["headers"]
    quiet, _ = lab.until(BY_HOST, lambda seen: seen.seen is not None and "traceparent" not in seen.seen["headers"])
    assert quiet.seen is not None
    assert "traceparent" not in quiet.seen["headers"]
    # A replaced listener counts limits of its own while it drains (`mesh.drainDuration`, 5 s); the next tests count.
    time.sleep(6)


@pytest.mark.parametrize(
    "probe",
    [
        replace(ACME, method="GET", path="/v1/few?again"),
        call("charging", "api.payline.example", "/x"),
        call("charging", "partners.internal", "/payline/x", 7090, INTERNAL),
    ],
)
def test_what_is_limited_is_counted_and_nothing_else(lab: Lab, probe: Probe) -> None:
    assert [lab.probe(probe).status for _ in range(3)] == [200, 200, 429]
    assert lab.probe(ACME).status == 200
    assert lab.probe(BY_HOST).status == 200


def test_a_revoked_address_is_refused_from_the_next_request_on(lab: Lab) -> None:
    [policy] = [d for d in documents() if d["metadata"]["name"] == "acme.charging" and "security" in d["apiVersion"]]
    lab.delete([policy])
    try:
        refused, _ = lab.until(ACME, lambda seen: seen.status == 403)
    finally:
        lab.apply([policy])
    restored, _ = lab.until(ACME, lambda seen: seen.status == 200)
    assert (refused.status, restored.status) == (403, 200)


@pytest.mark.parametrize("gateway", ["partners", "partners-edge", "egress"])
def test_envoys_of_gateways_know_that_freed_memory_goes_back(lab: Lab, gateway: str) -> None:
    """From the ConfigMap by annotation, injection and pilot-agent into Envoy's own bootstrap."""
    path = "/config_dump?mask=bootstrap"
    dump = json.loads(lab.operate("envoy", {"pod": f"istio-{gateway}/{gateway}", "path": path}))
    [bootstrap] = [each["bootstrap"] for each in dump["configs"] if "bootstrap" in each]
    released = proxy_bootstrap.BOOTSTRAP["memory_allocator_manager"]["bytes_to_release"]
    assert int(bootstrap["memory_allocator_manager"]["bytes_to_release"]) == released

"""The mesh's layers between pairs: sidecars, mTLS, the registry, and what is not modelled."""

from typing import Any

import pytest
import yaml

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Addresses, Verdict, Workload
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.topology import World
from tests.analysis.partner_stack import document, workload

A, B = Workload("Deployment", "a", "a"), Workload("Deployment", "b", "b")
GET = ("b.b", "GET", "/x")
SERVICE = {"selector": {"app": "b"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
STRICT = "{kind: PeerAuthentication, metadata: {name: default, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}"
PERMIT_A = """
kind: AuthorizationPolicy
metadata: {name: b, namespace: b}
spec: {rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/a]}}]}]}
"""


def documents(text: str, *, a: dict[str, str] | None = None, b: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Two workloads, b with a Service, and more objects; namespaces carry the labels given."""
    found = [
        document("Namespace", "", "a", {}, labels={"istio-injection": "enabled"} if a is None else a),
        document("Namespace", "", "b", {}, labels={"istio-injection": "enabled"} if b is None else b),
        *workload("a", "a", 8080, {"app": "a"}),
        *workload("b", "b", 8080, {"app": "b"}),
        document("Service", "b", "b", SERVICE),
    ]
    groups = {"PeerAuthentication": "security.istio.io/v1", "AuthorizationPolicy": "security.istio.io/v1",
              "WasmPlugin": "extensions.istio.io/v1alpha1", "ConfigMap": "v1", "Service": "v1"}  # fmt: skip
    more = [each for each in yaml.safe_load_all(text) if each]
    return [*found, *({"apiVersion": groups.get(each["kind"], "networking.istio.io/v1"), **each} for each in more)]


def answer(
    found: list[dict[str, Any]], source: Any = A, destination: Any = B, *, port: int = 8080, request: Any = GET
) -> tuple[str, str]:
    """(verdict, layer that decided) of one request, or of raw TCP with no request."""
    reach = Reach.of(of_documents(found))
    if isinstance(source, str):
        source = next(each for each in reach.universe.endpoints if isinstance(each, Addresses))
    results = reach.results([source], None, PortSet.single("TCP", port))
    if isinstance(destination, str):
        destination = next(each for each in reach.universe.endpoints if isinstance(each, Addresses))
    holding = [
        each
        for each in results.between(source, destination)
        if each.http is None or (request is not None and isinstance(each.http, HttpSet) and each.http.accepts(*request))
    ]
    assert len({each.verdict for each in holding}) == 1, holding
    return holding[0].verdict.value, holding[0].decided_by[-1].layer if holding[0].decided_by else ""


def peers_of_b(spec: str) -> str:
    """A PeerAuthentication in b's namespace."""
    return "{kind: PeerAuthentication, metadata: {name: b, namespace: b}, spec: {%s}}" % spec  # noqa: UP031  # braces


B_ALONE = "selector: {matchLabels: {app: b}}"
PLAIN = """
kind: DestinationRule
metadata: {name: b, namespace: a}
spec: {host: b.b.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}
"""


@pytest.mark.parametrize(
    ("text", "a", "expected"),
    [
        (STRICT, None, "allowed"),
        (STRICT, {}, "denied"),  # no sidecar at the source: nothing to show
        ("", {}, "allowed"),
        (STRICT + "\n---\n" + peers_of_b("mtls: {mode: PERMISSIVE}"), {}, "allowed"),
        (STRICT + "\n---\n" + peers_of_b("mtls: {mode: UNSET}"), {}, "denied"),
        (peers_of_b(B_ALONE + ", mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: PERMISSIVE}}"), {}, "allowed"),
        (peers_of_b(B_ALONE + ", portLevelMtls: {8080: {mode: STRICT}}"), {}, "denied"),
        (STRICT + "\n---\n" + PLAIN, None, "denied"),
        (PERMIT_A, None, "allowed"),
        (PERMIT_A, {}, "denied"),
        (PERMIT_A + "---\n" + peers_of_b("mtls: {mode: DISABLE}"), None, "denied"),  # without mTLS no principal
    ],
)
def test_who_gets_in(text: str, a: dict[str, str] | None, expected: str) -> None:
    assert answer(documents(text, a=a))[0] == expected


def test_policies_bind_nothing_without_a_sidecar() -> None:
    assert answer(documents(PERMIT_A.replace("/a/sa/a", "/c/sa/c"), b={}))[0] == "allowed"
    assert answer(documents(PERMIT_A.replace("/a/sa/a", "/c/sa/c")))[0] == "denied"


def test_a_folder_that_says_nothing_of_injection_is_a_mesh() -> None:
    assert answer(documents(PERMIT_A.replace("/a/sa/a", "/c/sa/c"), a={}, b={}))[0] == "denied"


def test_an_outsider_cannot_show_an_identity() -> None:
    assert answer(documents(STRICT), "outside")[:2] == ("denied", "mTLS")


FILTER = "{kind: EnvoyFilter, metadata: {name: f, namespace: b}, spec: {%s}}"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (FILTER % "configPatches: [{match: {context: SIDECAR_INBOUND}}]", "unknown"),
        (FILTER % "configPatches: [{match: {context: GATEWAY}}]", "allowed"),
        (FILTER % "workloadSelector: {labels: {app: z}}, configPatches: [{}]", "allowed"),
        ("{kind: WasmPlugin, metadata: {name: w, namespace: istio-system}, spec: {}}", "unknown"),
    ],
)
def test_extensions_make_the_answer_unknown(extra: str, expected: str) -> None:
    assert answer(documents(STRICT + "\n---\n" + extra))[0] == expected


CLOSED = """
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
"""
WRITTEN = """---
kind: ServiceEntry
metadata: {name: w, namespace: a}
spec: {hosts: [w.example], addresses: [0.0.0.0/0], ports: [{number: 443, name: tls, protocol: TLS}]}
"""
SIDECAR = "{kind: Sidecar, metadata: {name: default, namespace: a}, spec: {egress: [{hosts: [%s]}]}}"


@pytest.mark.parametrize(
    ("text", "destination", "port", "expected"),
    [
        (CLOSED, B, 8080, ("allowed", "egress registry")),
        (CLOSED, B, 9999, ("denied", "egress registry")),
        (CLOSED, "outside", 443, ("denied", "egress registry")),
        ("", "outside", 443, ("allowed", "NetworkPolicy")),
        (CLOSED + "---\n" + SIDECAR % "'./*'", B, 8080, ("denied", "egress registry")),
        (CLOSED + "---\n" + SIDECAR % "'b/*'", B, 8080, ("allowed", "egress registry")),
        (CLOSED + "---\n" + SIDECAR % "'*/b.b.svc.cluster.local'", B, 8080, ("allowed", "egress registry")),
        (CLOSED + WRITTEN, "outside", 443, ("allowed", "egress registry")),
    ],
)
def test_the_registry_lets_out_what_it_knows(text: str, destination: Any, port: int, expected: tuple[str, str]) -> None:
    verdict, layer = answer(documents(text), A, destination, port=port)
    assert verdict == expected[0]
    assert layer in (expected[1], "mTLS", "NetworkPolicy") if verdict == "allowed" else layer == expected[1]


def test_udp_is_out_of_the_registrys_sight() -> None:
    reach = Reach.of(of_documents(documents(CLOSED)))
    outside = next(each for each in reach.universe.endpoints if isinstance(each, Addresses))
    [udp] = reach.results([A], [outside], PortSet.single("UDP", 53)).between(A, outside)
    assert udp.verdict.value == "allowed"


@pytest.mark.parametrize(
    ("name", "request_", "expected"),
    [("tcp", None, "denied"), ("http", GET, "allowed"), ("", GET, "allowed"), ("", None, "denied")],
)
def test_http_rules_hold_only_where_http_is_read(name: str, request_: Any, expected: str) -> None:
    found = documents("{kind: AuthorizationPolicy, metadata: {name: b, namespace: b}, "
                      "spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}}")  # fmt: skip
    service = next(each for each in found if each["kind"] == "Service")
    service["spec"] = {"selector": {"app": "b"}, "ports": [{"name": name, "port": 80, "targetPort": 8080}]}
    if request_ is None and name == "":
        reach = Reach.of(of_documents(found))
        decisions = reach.results([A], [B], PortSet.single("TCP", 8080)).between(A, B)
        assert all(each.http is not None for each in decisions if each.verdict.value == "allowed")
    else:
        assert answer(found, request=request_ or GET)[0] == expected


def test_a_world_without_istio_has_no_mesh() -> None:
    assert answer(documents(""))[1] == "NetworkPolicy"


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        ("ports: [{number: 5432, name: tcp, protocol: TCP}]", {"192.0.2.0/25"}),
        ("ports: [{number: 5432, name: udp, protocol: UDP}]", set()),
    ],
)
def test_a_declared_block_is_known_and_no_other_address(entry: str, known: set[str]) -> None:
    """Without any network policy: one part of the outside answers for no other."""
    text = f"""
kind: ConfigMap
metadata: {{name: istio, namespace: istio-system}}
data: {{mesh: "outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}"}}
---
kind: ServiceEntry
metadata: {{name: blocks, namespace: a}}
spec: {{hosts: [blocks.example], addresses: [192.0.2.0/25], resolution: NONE, {entry}}}
"""
    reach = Reach.of(of_documents(documents(text)))
    results = reach.results([A], None, PortSet.single("TCP", 5432))
    allowed = {
        destination.addresses.cidrs()[0]
        for _, destination, decisions in results.pairs()
        if isinstance(destination, Addresses) and any(each.verdict is Verdict.ALLOWED for each in decisions)
    }
    assert allowed == known


def test_a_service_port_that_is_not_the_pods_is_named() -> None:
    text = """
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
"""
    reach = Reach.of(of_documents(documents(text)))
    decisions = reach.results([A], [B], PortSet.single("TCP", 8080)).between(A, B)
    assert "as its port 80" in {by.reason for each in decisions for by in each.decided_by}


@pytest.mark.parametrize(("tls", "mode"), [("{mode: SIMPLE}", "SIMPLE"), ("{credentialName: c}", "PASSTHROUGH")])
def test_a_server_without_a_mode_passes_tls_through(tls: str, mode: str) -> None:
    text = f"""
kind: Gateway
metadata: {{name: g, namespace: a}}
spec:
  selector: {{app: a}}
  servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: ["*"], tls: {tls}}}]
"""
    mesh = Mesh(World(of_documents(documents(text))))
    assert [each.tls for proxy in mesh.gateways.proxies.values() for each in proxy.servers] == [mode]

"""The Gateway API's routes: what istiod makes of them, and what of that the table says."""

from collections.abc import Iterable
from typing import Any

import pytest

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Client, Verdict
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.table import Table
from partner_mesh.specs import compile_stack
from tests.specs.stacks import APPLICATIONS, GATEWAYS, loaded

API = {"web": GATEWAYS["web"] | {"api": "gateway-api"}}
ROUTES = [
    {"path": "/{**}"},
    {"path": "/sub/{*}"},
    {"path": "/old", "rewrite": "/new", "methods": ["GET", "POST"]},
    {"path": "/reports/{*}", "methods": ["GET"]},
]
ASKED = [
    (method, path)
    for method in ("GET", "POST", "DELETE")
    for path in ("/", "/old", "/new", "/sub/1", "/sub/1/2", "/reports/7", "/a b")
]


def documents(*, gateway_api: bool) -> list[dict[str, Any]]:
    applications = APPLICATIONS | {"checkout": APPLICATIONS["checkout"] | {"web": ROUTES}}
    compiled = compile_stack(loaded(applications=applications, gateways=GATEWAYS | (API if gateway_api else {})))
    return [*(m.document() for m in compiled), *map(dict, compiled.inventory), *map(dict, compiled.security_groups)]


def answers(found: Iterable[dict[str, Any]], host: str = "pay.example.com") -> dict[tuple[str, str], set[str]]:
    """Request of an anonymous client → its verdicts."""
    journeys = [e for e in Table(of_documents(found)).journeys if isinstance(e.source, Client)]
    return {
        request: {
            e.verdict.value
            for e in journeys
            if e.source == journeys[0].source and isinstance(e.http, HttpSet) and e.http.accepts(host, *request)
        }
        for request in ASKED
    }


def test_both_ways_of_writing_web_routes_mean_the_same() -> None:
    said = answers(documents(gateway_api=True))
    assert said == answers(documents(gateway_api=False))
    assert said["GET", "/old"] == said["DELETE", "/sub/1"] == {"allowed"}
    assert said["GET", "/a b"] == {"denied"}


def changed(kind: str, **spec: Any) -> list[dict[str, Any]]:
    """The documents with further keys in the spec of a kind's objects."""
    return [
        d | {"spec": d["spec"] | spec} if d["kind"] == kind and d["apiVersion"].startswith("gateway.") else d
        for d in documents(gateway_api=True)
    ]


def route(**rule: Any) -> list[dict[str, Any]]:
    """The documents with one rule in place of all."""
    backend = {"name": "checkout", "namespace": "checkout", "port": 8080}
    return changed("HTTPRoute", rules=[{"backendRefs": [backend], **rule}])


@pytest.mark.parametrize(
    ("found", "reached"),
    [
        (route(), {"/", "/old", "/new", "/sub/1", "/sub/1/2", "/reports/7"}),
        (route(matches=[{"path": {"type": "PathPrefix", "value": "/sub"}}]), {"/sub/1", "/sub/1/2"}),
        (route(matches=[{"path": {"type": "PathPrefix", "value": "/su"}}]), set()),  # whole segments
        (route(matches=[{"path": {"type": "Exact", "value": "/old"}}]), {"/old"}),
        (route(matches=[{"path": {"type": "Exact", "value": "/old"}, "method": "POST"}]), set()),
        (route(backendRefs=[{"name": "charging", "namespace": "charging", "port": 8080}]), set()),  # no leave
        (route(filters=[{"type": "RequestRedirect", "requestRedirect": {"path": {}}}]), set()),
        (changed("HTTPRoute", hostnames=["other.example.com"]), set()),
        (changed("HTTPRoute", parentRefs=[{"name": "web", "sectionName": "other"}]), set()),
        (changed("HTTPRoute", parentRefs=[{"name": "other"}]), set()),
        (changed("ReferenceGrant", to=[{"group": "", "kind": "Service", "name": "else"}]), set()),
        (changed("ReferenceGrant", **{"from": [{"kind": "HTTPRoute", "namespace": "else"}]}), set()),
    ],
)
def test_what_leads_where(found: list[dict[str, Any]], reached: set[str]) -> None:
    journeys = Table(of_documents(found)).journeys
    said = answers(found) if any(isinstance(e.source, Client) for e in journeys) else {}
    assert {path for (method, path), verdicts in said.items() if method == "GET" and "allowed" in verdicts} == reached


@pytest.mark.parametrize(
    "rule",
    [
        {"filters": [{"type": "ExtensionRef", "extensionRef": {}}]},
        {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch"}}}]},
    ],
)
def test_a_filter_that_is_not_modelled_is_unknown(rule: dict[str, Any]) -> None:
    assert answers(route(**rule))["GET", "/old"] == {"unknown"}


def test_longer_expressions_are_tried_first_whatever_their_place() -> None:
    """Istiod's order, not the file's: a short catch-all written first takes nothing away from a longer path."""

    def rule(expression: str, service: str) -> dict[str, Any]:
        path = {"type": "RegularExpression", "value": expression}
        return {"matches": [{"path": path}], "backendRefs": [{"name": service, "namespace": service, "port": 8080}]}

    found = changed("HTTPRoute", rules=[rule("/.*", "charging"), rule("/old.*", "checkout")])
    assert answers(found)["GET", "/old"] == {"allowed"}
    assert answers(found)["GET", "/sub/1"] <= {"denied"}


def test_listeners_take_routes_of_the_namespaces_that_they_name() -> None:
    def listener(**namespaces: Any) -> dict[str, Any]:
        return {"name": "https", "port": 443, "protocol": "HTTPS", "allowedRoutes": {"namespaces": namespaces},
                "tls": {"certificateRefs": [{"name": "web-server"}]}}  # fmt: skip

    named = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-web"}}}
    other = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "else"}}}
    for chosen, reached in (({"from": "All"}, True), ({"from": "Same"}, True), (named, True), (other, False)):
        found = changed("Gateway", listeners=[listener(**chosen)])
        journeys = [e for e in Table(of_documents(found)).journeys if e.verdict is Verdict.ALLOWED]
        assert any(isinstance(e.source, Client) for e in journeys) is reached, chosen


def test_kinds_without_an_image_are_told_of() -> None:
    tcp = {"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute",
           "metadata": {"name": "t", "namespace": "istio-web"}, "spec": {}}  # fmt: skip
    in_mesh = changed("HTTPRoute", parentRefs=[{"kind": "Service", "name": "checkout"}])
    for found, word in (([*documents(gateway_api=True), tcp], "TCPRoute"), (in_mesh, "in the mesh")):
        assert any(word in str(note) for note in Table(of_documents(found)).results().notes)

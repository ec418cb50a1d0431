"""Pods without sidecars: packets on port 15008, ztunnel's judgement of connections, a waypoint's of requests."""

from typing import Any

import pytest

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Client, Verdict, Workload
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.table import Table
from partner_mesh.config.stack import Stack
from partner_mesh.specs import Compiled, compile_stack
from tests.analysis.partner_stack import document, workload
from tests.analysis.test_mesh import PERMIT_A, STRICT, answer, documents
from tests.specs.stacks import APPLICATIONS, loaded

OPEN = STRICT.replace("STRICT", "PERMISSIVE")
AMBIENT = {"istio.io/dataplane-mode": "ambient"}
POLICY = """
---
kind: AuthorizationPolicy
metadata: {name: more, namespace: b}
spec: %s
"""


@pytest.mark.parametrize(
    ("text", "a", "expected"),
    [
        (PERMIT_A, AMBIENT, ("allowed", "authorisation")),
        (PERMIT_A, {}, ("denied", "authorisation")),  # neither a sidecar nor ztunnel: no identity to show
        (PERMIT_A.replace("/a/sa/a", "/c/sa/c"), AMBIENT, ("denied", "authorisation")),
        (STRICT, AMBIENT, ("allowed", "mTLS")),
        (STRICT, {}, ("denied", "mTLS")),
        (OPEN, {}, ("allowed", "mTLS")),
        # What a rule says of HTTP: an ALLOW then never matches, a DENY matches all the same.
        (POLICY % "{rules: [{to: [{operation: {methods: [GET]}}]}]}", AMBIENT, ("denied", "authorisation")),
        (POLICY % "{action: DENY, rules: [{to: [{operation: {paths: [/z]}}]}]}", AMBIENT, ("denied", "authorisation")),
        (POLICY % "{rules: [{to: [{operation: {ports: ['8080']}}]}]}", AMBIENT, ("allowed", "authorisation")),
        (POLICY % "{rules: [{to: [{operation: {ports: ['8081']}}]}]}", AMBIENT, ("denied", "authorisation")),
        (POLICY % "{action: CUSTOM, provider: {name: p}, rules: [{}]}", AMBIENT, ("unknown", "authorisation")),
    ],
)
def test_ztunnel_judges_connections(text: str, a: dict[str, str], expected: tuple[str, str]) -> None:
    assert answer(documents(text, a=a, b=AMBIENT)) == expected


def admits(*ports: int) -> dict[str, Any]:
    """A NetworkPolicy of b's pods."""
    listed = [{"protocol": "TCP", "port": port} for port in ports]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": listed}]}
    return document("NetworkPolicy", "b", "in", spec)


@pytest.mark.parametrize(
    ("a", "b", "ports", "expected"),
    [
        (AMBIENT, AMBIENT, [15008], "allowed"),  # the connection to 8080 lies in one to 15008
        (AMBIENT, AMBIENT, [8080], "denied"),
        ({}, AMBIENT, [8080], "allowed"),  # whoever speaks no HBONE comes as it is
        ({}, AMBIENT, [15008], "denied"),
        (AMBIENT, {}, [8080], "allowed"),
    ],
)
def test_policies_see_the_port_of_the_tunnel(
    a: dict[str, str], b: dict[str, str], ports: list[int], expected: str
) -> None:
    assert answer([*documents(OPEN, a=a, b=b), admits(*ports)])[0] == expected


def test_a_sidecar_that_speaks_hbone_calls_ambient_pods_by_it_and_sidecars_as_ever() -> None:
    config = """
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "defaultConfig: {proxyMetadata: {ISTIO_META_ENABLE_HBONE: 'true'}}"}
"""
    assert answer([*documents(config, b=AMBIENT), admits(15008)])[0] == "allowed"
    assert answer([*documents(config), admits(15008)])[0] == "denied"


def stack(*ambient: str, **charging: Any) -> Stack:
    applications = APPLICATIONS | {"charging": APPLICATIONS["charging"] | charging}
    namespaces = {name: {"dataPlane": "ambient"} for name in ambient}
    mesh = {"revision": "1-31-1", "dataPlane": "ambient", "namespaces": namespaces}
    return loaded(applications=applications, mesh=mesh)


CALLERS = [{"application": "checkout", "methods": ["POST"], "paths": ["/v1/charges/{*}"]}]
SERVED = compile_stack(stack("charging", "checkout", callers=CALLERS, ports={"http": {"port": 80, "targetPort": 8080}}))
CHECKOUT, CHARGING = (Workload("Deployment", name, name) for name in ("checkout", "charging"))
WAYPOINT, WEB = Workload("Deployment", "charging", "waypoint"), Workload("Deployment", "istio-web", "web")


def table(compiled: Compiled, without: str = "") -> Table:
    documents = [m.document() for m in compiled if m.name != without or m.kind != "AuthorizationPolicy"]
    return Table(of_documents([*documents, *map(dict, compiled.inventory), *map(dict, compiled.security_groups)]))


def between(
    found: Table, source: Workload, destination: Workload, request: tuple[str, str, str]
) -> set[tuple[str, str]]:
    """(ports, verdict) of what is not refused to a request."""
    return {
        (str(each.ports), each.verdict.value)
        for each in found.reach.results([source], [destination]).between(source, destination)
        if each.verdict is not Verdict.DENIED
        and (each.http is None or (isinstance(each.http, HttpSet) and each.http.accepts(*request)))
    }


@pytest.mark.parametrize(
    ("source", "destination", "request_", "expected"),
    [
        (CHECKOUT, WAYPOINT, ("charging", "POST", "/v1/charges/1"), {("TCP 15008", "allowed")}),
        (CHECKOUT, WAYPOINT, ("charging", "GET", "/v1/charges/1"), set()),
        (CHECKOUT, CHARGING, ("charging", "POST", "/v1/charges/1"), set()),  # not past the waypoint
        (WAYPOINT, CHARGING, ("charging", "GET", "/"), {("TCP 8080", "allowed")}),
        (WEB, WAYPOINT, ("charging", "POST", "/v1/charges/1"), set()),
    ],
)
def test_requests_are_judged_at_the_waypoint_and_pods_hear_nobody_else(
    source: Workload, destination: Workload, request_: tuple[str, str, str], expected: set[tuple[str, str]]
) -> None:
    assert between(table(SERVED), source, destination, request_) == expected


def test_without_the_policy_of_its_callers_a_waypoint_lets_nobody_through() -> None:
    """Seeded faults: each of the two policies on the way is seen missing."""
    request = ("charging", "POST", "/v1/charges/1")
    assert not between(table(SERVED, "charging-callers"), CHECKOUT, WAYPOINT, request)
    assert not between(table(SERVED, "charging-waypoint"), WAYPOINT, CHARGING, request)


@pytest.mark.parametrize(("path", "expected"), [("/", True), ("/other", False)])
def test_web_requests_enter_through_the_waypoint(path: str, expected: bool) -> None:
    found = [
        each
        for each in table(SERVED).journeys
        if isinstance(each.source, Client)
        and each.source.name == "anonymous"
        and isinstance(each.http, HttpSet)
        and each.http.accepts("pay.example.com", "GET", path)
    ]
    assert {each.verdict for each in found} == {Verdict.ALLOWED if expected else Verdict.DENIED}
    if expected:
        said = {because.object for each in found for because in each.decided_by}
        assert {"AuthorizationPolicy checkout/checkout-web", "AuthorizationPolicy checkout/checkout-waypoint"} <= said


def test_web_requests_are_refused_where_the_waypoint_or_ztunnel_refuses_them() -> None:
    for without in ("checkout-web", "checkout-waypoint"):
        assert all(each.verdict is Verdict.DENIED for each in table(SERVED, without).journeys)


def test_a_service_that_does_not_ask_for_it_is_entered_past_its_waypoint() -> None:
    """`istio.io/ingress-use-waypoint` is what leads a gateway there; without it only ztunnel judges."""
    compiled = compile_stack(stack("charging", "checkout"))
    plain = []
    for manifest in compiled:
        shown = manifest.document()
        shown["metadata"].get("labels", {}).pop("istio.io/ingress-use-waypoint", None)
        plain.append(shown)
    found = Table(of_documents([*plain, *map(dict, compiled.inventory)])).journeys
    refused = {because.object for each in found for because in each.decided_by if each.verdict is Verdict.DENIED}
    assert all(each.verdict is Verdict.DENIED for each in found)
    assert not any("checkout-web" in each for each in refused)


def test_a_policy_that_targets_what_is_no_service_and_no_gateway_is_told_of() -> None:
    targeted = (
        "{kind: AuthorizationPolicy, metadata: {name: t, namespace: b}, spec: {targetRefs: [{kind: %s, name: x}]}}"
    )
    for kind, told in (("ServiceEntry", True), ("Service", False), ("Gateway", False)):
        notes = Table(of_documents(documents(targeted % kind))).results().notes
        assert any("not modelled" in str(note) for note in notes) is told, kind


def test_a_raw_port_behind_a_waypoint_is_unknown() -> None:
    found = [
        document("Namespace", "", "b", {}, labels=AMBIENT),
        document("Namespace", "", "a", {}, labels=AMBIENT),
        *workload("a", "a", 8080, {"app": "a"}),
        *workload("b", "b", 8080, {"app": "b"}),
        *workload("b", "way", 15008, {"gateway.networking.k8s.io/gateway-name": "way",
                                      "gateway.networking.k8s.io/gateway-class-name": "istio-waypoint",
                                      "istio.io/dataplane-mode": "none"}),
        document("Service", "b", "b", {"selector": {"app": "b"}, "ports": [{"name": "tcp", "port": 80}]},
                 labels={"istio.io/use-waypoint": "way"}),
        document("PeerAuthentication", "istio-system", "default", {}),
    ]  # fmt: skip
    way = Workload("Deployment", "b", "way")
    results = Table(of_documents(found)).reach.results([Workload("Deployment", "a", "a")], [way])
    told = [each for each in results.connections() if "15008" in str(each.ports) and each.verdict is Verdict.UNKNOWN]
    assert [each.decided_by[-1].reason for each in told] == ["a port that is no HTTP is not modelled at a waypoint"]

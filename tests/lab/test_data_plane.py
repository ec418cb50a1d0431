"""What Envoy, istiod and the kernel do with the fixture stack: who is let in and who turned away, and by whom."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.control import Lab
from lab.probe import ClientCertificate, Probe
from tests.lab import fixture

pytestmark = pytest.mark.lab

HOST = "acme.partners.example.com"
CA = "istio-partners/acme-mobile"
SAN = "callbacks.acme-mobile.example"
CERTIFICATE = ClientCertificate(CA, (SAN,))
CALLBACK = Probe(
    "outside",
    HOST,
    443,
    HOST,
    "POST",
    "/v1/callbacks/1",
    address="198.51.100.1",
    server_name=HOST,
    certificate=CERTIFICATE,
)
BILLING = Probe("charging/charging", "api.acme-mobile.example", 80, "api.acme-mobile.example", path="/direct-billing/1")
EAST_WEST = Probe("checkout/checkout", "charging.charging", 80, "charging.charging")


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({}, 200, "/v1/callbacks/1"),
        ({"method": "GET", "path": "/v1/status"}, 200, "/status"),
        ({"method": "GET", "path": "/v1//status"}, 200, "/status"),
        ({"path": "/v1/callbacks/1/2"}, 403, None),
        ({"method": "GET"}, 404, None),
        ({"host": "globex.partners.example.com"}, 404, None),
    ],
)
def test_the_partner_reaches_what_its_routes_name_and_nothing_else(
    lab: Lab, change: dict[str, Any], status: int, path: str | None
) -> None:
    seen = lab.probe(replace(CALLBACK, **change))
    assert (seen.status, seen.seen and seen.seen["path"]) == (status, path), seen.sentence()


@pytest.mark.parametrize(
    "change",
    [
        {"certificate": None},
        {"certificate": ClientCertificate("a stranger's", (SAN,))},
        {"certificate": ClientCertificate(CA, ("someone.else.example",))},
        {"certificate": ClientCertificate(CA, (SAN,), expired=True)},
        {"certificate": ClientCertificate("istio-partners/globex", ("api.globex.example",))},
        {"server_name": "nobody.example"},
        {"server_name": ""},
        {"server_name": None},
    ],
)
def test_who_does_not_prove_to_be_the_partner_gets_no_answer_at_all(lab: Lab, change: dict[str, Any]) -> None:
    seen = lab.probe(replace(CALLBACK, **change))
    assert seen.outcome in {"handshake", "reset", "silent"}, seen.sentence()


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "198.51.100.1"}])
def test_another_address_is_filtered_by_packets_and_without_that_refused_by_the_sidecar(
    lab: Lab, headers: dict[str, str]
) -> None:
    stranger = replace(CALLBACK, address=lab.status()["stranger"], headers=headers)
    assert lab.probe(stranger).outcome == "filtered"
    lab.enforce(False)
    try:
        assert lab.probe(stranger).status == 403
    finally:
        lab.enforce(True)


def test_our_calls_leave_by_the_egress_gateway_with_our_certificate_and_no_internal_headers(lab: Lab) -> None:
    seen = lab.probe(BILLING)
    assert seen.reached == "api.acme-mobile.example", seen.sentence()
    assert seen.seen is not None
    assert seen.seen["port"] == 443
    assert seen.seen["tls"]["clientNames"] == ["acme-mobile-client.clients.invalid"]
    assert seen.seen["tls"]["serverName"] == "api.acme-mobile.example"
    assert not {"x-forwarded-client-cert", "x-forwarded-for", "x-request-id"} & set(seen.seen["headers"])


@pytest.mark.parametrize(
    ("change", "outcome", "status"),
    [
        ({"path": "/other"}, "answered", 403),
        ({"source": "checkout/checkout"}, "answered", 502),
        ({"source": "checkout/stray"}, "filtered", None),
        ({"port": 443, "server_name": "api.acme-mobile.example"}, "reset", None),
    ],
)
def test_nobody_else_and_no_other_way_leads_out(
    lab: Lab, change: dict[str, Any], outcome: str, status: int | None
) -> None:
    seen = lab.probe(replace(BILLING, **change))
    assert (seen.outcome, seen.status) == (outcome, status), seen.sentence()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("answered", 200)),
        ({"source": "charging/charging", "to": "checkout.checkout", "host": "checkout.checkout"}, ("answered", 502)),
        ({"source": "checkout/stray"}, ("filtered", None)),
        ({"source": "checkout/stray", "to": "charging/charging", "port": 8080}, ("filtered", None)),
    ],
)
def test_workloads_reach_those_they_are_declared_to_call(
    lab: Lab, change: dict[str, Any], expected: tuple[str, int | None]
) -> None:
    seen = lab.probe(replace(EAST_WEST, **change))
    assert (seen.outcome, seen.status) == expected, seen.sentence()


def test_plain_text_from_outside_the_mesh_is_cut_by_the_sidecar_itself(lab: Lab) -> None:
    lab.enforce(False)
    try:
        seen = lab.probe(replace(EAST_WEST, source="checkout/stray", to="charging/charging", port=8080))
    finally:
        lab.enforce(True)
    assert seen.outcome == "reset"


def test_a_removed_permission_takes_effect_and_a_restored_one_too(lab: Lab) -> None:
    rule = next(
        d for d in fixture.documents() if d["metadata"]["name"] == "callers" and d["kind"] == "AuthorizationPolicy"
    )
    assert lab.probe(EAST_WEST).status == 200
    lab.delete([rule])
    refused, _ = lab.until(EAST_WEST, lambda seen: seen.status == 403)
    lab.apply([rule])
    allowed, _ = lab.until(EAST_WEST, lambda seen: seen.status == 200)
    assert (refused.status, allowed.status) == (403, 200)


def test_istiods_webhook_refuses_what_the_schema_admits(lab: Lab) -> None:
    bad = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "bad", "namespace": "charging"},
        "spec": {"hosts": ["*.example.com", "*.example.com"], "gateways": ["mesh"], "http": [{"route": []}]},
    }
    with pytest.raises(Exception, match=r"admission webhook .*istio.*denied the request"):
        lab.apply([bad])


def test_many_probes_are_answered_in_their_order(lab: Lab) -> None:
    paths = [f"/v1/callbacks/{n}" for n in range(40)]
    seen = lab.probes([replace(CALLBACK, path=path) for path in paths])
    assert [o.seen and o.seen["path"] for o in seen] == paths


def test_a_probe_from_nobody_is_an_error_that_names_who_there_is(lab: Lab) -> None:
    with pytest.raises(Exception, match="no workload nobody/there; there are charging/charging"):
        lab.probe(Probe("nobody/there", HOST, 443, HOST))


def test_no_proxy_refuses_its_configuration(lab: Lab) -> None:
    status = lab.status()
    logs = [status["processes"][key.replace("/", ".")]["log"] for key in status["proxies"]]
    assert len(logs) == 4
    assert [log for log in logs if "rejected" in Path(log).read_text()] == []

"""WebSocket through real Envoys: what bounds and refuses an upgrade. That one passes, every stack is asked."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from lab.control import Lab
from lab.probe import ClientCertificate, Probe
from lab.scenarios import Scenario
from partner_mesh.specs.local_rate_limit import request_size_filter
from tests.lab import dev

pytestmark = pytest.mark.lab

LATE = 3  # seconds: beyond the timeout that a test sets
HOST = "initech.partners.dev.example.com"


def of(kind: str, host: str) -> Scenario:
    return next(each for each in dev.scenarios() if each.kind == kind and each.probe.host == host)


def upgraded(scenario: Scenario, **changes: Any) -> Probe:
    """The same call as a WebSocket, which is a GET."""
    return replace(scenario.probe, method="GET", protocol="websocket", body="hello", **changes)


INWARD = of("inward", HOST)
OUTWARD = of("outward", "androidpublisher.googleapis.com")


def of_acme(path: str) -> Probe:
    return upgraded(of("inward", "acme.partners.dev.example.com"), path=path)


@pytest.mark.parametrize(
    ("probe", "outcome", "status"),
    [
        (upgraded(INWARD, path="/other"), "answered", {403, 404}),
        (of_acme("/v1/callbacks/1"), "answered", {403, 404}),  # a route for POST alone
        (upgraded(INWARD, certificate=None), "handshake", {None}),
        (upgraded(INWARD, certificate=ClientCertificate("a stranger's", ("x",))), "handshake", {None}),
        (upgraded(OUTWARD, source="charging/charging-v1"), "answered", {502}),
    ],
)
def test_what_is_refused_as_a_request_is_not_upgraded(
    dev_lab: Lab, probe: Probe, outcome: str, status: set[int | None]
) -> None:
    seen = dev_lab.probe(probe)
    assert not seen.permitted
    assert (seen.outcome in {outcome, "reset"}, seen.status in status) == (True, True), seen.sentence()


def test_a_routes_timeout_bounds_the_handshake_and_not_what_follows(dev_lab: Lab) -> None:
    """Envoy applies it while it waits for the 101 (since 1.36), which ends it."""
    route = next(d for d in dev.objects() if d["kind"] == "VirtualService" and HOST in d["spec"]["hosts"])
    short = copy.deepcopy(route)
    for each in short["spec"]["http"]:
        each["timeout"] = "1s"
    patient = replace(upgraded(INWARD), timeout=3 * LATE)
    late = replace(patient, headers={"x-lab-delay": str(LATE)})
    dev_lab.apply([short])
    try:
        refused, _ = dev_lab.until(late, lambda seen: seen.status == 504)
        kept = dev_lab.probe(replace(patient, headers={"x-lab-pause": str(LATE)}))
    finally:
        dev_lab.apply([route])
    assert (refused.status, refused.permitted) == (504, False), refused.sentence()
    assert (kept.status, kept.permitted) == (101, True), kept.sentence()


def test_a_bound_on_bodies_leaves_no_upgrade_through(dev_lab: Lab) -> None:
    """The filter holds a request until it is whole (`maxRequestBytes`)."""
    bound = request_size_filter(dev.stack(), "charging", 65536).document()
    probe = replace(upgraded(INWARD), timeout=LATE)
    dev_lab.apply([bound])
    try:
        seen, _ = dev_lab.until(probe, lambda seen: seen.status != 101)
    finally:
        dev_lab.delete([bound])
    assert not seen.permitted, seen.sentence()
    assert dev_lab.until(probe, lambda seen: seen.status == 101)[0].permitted

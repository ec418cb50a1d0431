"""One object broken by hand, and the lab goes red with the request that noticed; repaired, it is green again."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab import stack as stacks
from lab import traffic
from lab.control import Lab
from lab.fidelity import outcomes
from lab.questions import Question
from lab.scenarios import KINDS, Result, Scenario, findings, played
from lab.tools import Tools
from tests.lab import dev

pytestmark = pytest.mark.lab

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to which object (None: it is taken away), and the kind of request that must notice."""

    kind: str
    namespace: str
    name: str
    change: Callable[[dict[str, Any]], object] | None
    noticed: str
    about: str  # a part of what the request is about


def without_headers_removed(spec: dict[str, Any]) -> None:
    for http in spec["http"]:
        http.pop("headers", None)


FAULTS = {
    "an exportTo dropped": Fault(
        "VirtualService", "istio-egress", "acme-mobile-api.capture", lambda s: s.pop("exportTo"), "outward", "api.acme"
    ),
    "a host exported to all": Fault(
        "ServiceEntry", "istio-egress", "payline-api", lambda s: s.update(exportTo=["*"]),
        "mesh: around the egress gateway", "api.payline",
    ),
    "an address widened": Fault(
        "AuthorizationPolicy", "charging", "acme-mobile.charging",
        lambda s: [r["from"][0]["source"].update(remoteIpBlocks=["0.0.0.0/0"]) for r in s["rules"]],
        "mesh: stranger's address", "acme.partners",
    ),
    "an address widened for packets": Fault(
        "NetworkSet", "istio-partners", "acme-mobile", lambda s: s.update(nets=["192.0.0.0/16"]),
        "stranger's address", "acme.partners",
    ),
    "a SAN removed": Fault(
        "Gateway", "istio-partners", "acme-mobile-acme", lambda s: s["servers"][0]["tls"].pop("subjectAltNames"),
        "other name", "acme.partners",
    ),
    "mutual TLS permissive": Fault(
        "PeerAuthentication", "istio-system", "default", lambda s: s["mtls"].update(mode="PERMISSIVE"),
        "mesh: plain text", "checkout",
    ),
    "a caller too many": Fault(
        "AuthorizationPolicy", "charging", "charging-callers",
        lambda s: s["rules"].append({"from": [{"source": {"principals": ["*"]}}]}),
        "mesh: wrong principal", "to charging/charging-v1",
    ),
    "headers let out": Fault(
        "VirtualService", "istio-egress", "acme-mobile-api.exit", without_headers_removed, "outward", "api.acme"
    ),
    "paths let out": Fault(
        "AuthorizationPolicy", "istio-egress", "acme-mobile-api",
        lambda s: [r.pop("to") for r in s["rules"]], "outward path", "api.acme",
    ),
    "a policy deleted": Fault("AuthorizationPolicy", "charging", "acme-mobile.charging", None, "inward", "acme-mobile"),
    "tokens of nobody asked for": Fault(
        "AuthorizationPolicy", "checkout", "checkout-web",
        lambda s: [(r["from"][0]["source"].pop("requestPrincipals", 0), r.pop("when", 0)) for r in s["rules"]],
        "web token", "without a token",
    ),
    "gRPC taken for HTTP/1.1": Fault(
        "Service", "fraud", "fraud", lambda s: s["ports"][0].update(appProtocol="http"), "gRPC", "charging to fraud",
    ),
    "lines of TCP taken for HTTP": Fault(
        "Service", "messaging", "messaging", lambda s: s["ports"][1].update(appProtocol="http"), "TCP", "northwind-sms",
    ),
    "an upgrade taken out on the way": Fault(
        "VirtualService", "istio-partners", "initech-ledger-initech",
        lambda s: [h.update(headers={"request": {"remove": ["upgrade"]}}) for h in s["http"]],
        "WebSocket", "initech-ledger GET",
    ),
    "paths let out to WebSockets": Fault(
        "AuthorizationPolicy", "istio-egress", "payline-api",
        lambda s: [r.pop("to") for r in s["rules"]], "WebSocket refused", "api.payline.example/lab/other",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def asked(lab_tools: Tools) -> list[Scenario]:
    return traffic.scenarios(dev.stack(), stacks.documents(lab_tools, dev.compiled()))


def until(lab: Lab, scenarios: list[Scenario], holds: Callable[[list[Result]], bool]) -> list[Result]:
    deadline = time.monotonic() + SECONDS
    while True:
        found = played(scenarios, lab.probes, lab.enforce)
        if holds(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_the_stack_is_green_and_every_kind_of_request_was_asked(dev_lab: Lab, asked: list[Scenario]) -> None:
    found = list(findings(played(asked, dev_lab.probes, dev_lab.enforce)))
    assert [f.text() for f in found if not f.passed] == []
    assert len(found) == len(KINDS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_object_turns_the_lab_red(dev_lab: Lab, asked: list[Scenario], name: str) -> None:
    fault = FAULTS[name]
    right = dev.document(fault.kind, fault.namespace, fault.name)
    mine = [s for s in asked if s.kind == fault.noticed]
    if fault.change is None:
        dev_lab.delete([right])
    else:
        wrong = copy.deepcopy(right)
        fault.change(wrong["spec"])
        assert wrong != right
        dev_lab.apply([wrong])
    try:
        red = until(dev_lab, mine, lambda found: any(r.differences and fault.about in r.scenario.about for r in found))
    finally:
        dev_lab.apply([right])
    noticed = [r.scenario.about for r in red if r.differences]
    assert any(fault.about in about for about in noticed), noticed
    green = until(dev_lab, mine, lambda found: not any(r.differences for r in found))
    assert [f.text() for f in findings(green) if not f.passed] == []


def test_a_difference_between_analyser_and_data_plane_is_found(dev_lab: Lab, asked: list[Scenario]) -> None:
    mine = [Question("partner", s.probe, enforced=True) for s in asked if s.kind in {"inward", "other path"}]
    judged = stacks.judged(dev.compiled())
    assert [o.lines() for o in outcomes(mine, dev_lab, judged, print) if not o.agrees] == []
    without = [
        d for d in judged if (d["kind"], d["metadata"]["name"]) != ("AuthorizationPolicy", "acme-mobile.charging")
    ]
    different = [o for o in outcomes(mine, dev_lab, without, print) if not o.agrees]
    assert {o.question.probe.host for o in different} == {"acme.partners.dev.example.com"}

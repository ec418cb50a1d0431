"""Web routes by the Gateway API on our own gateway: istiod takes them, Envoy answers as the analyser says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab import stack as stacks
from lab.control import Lab
from lab.inside import Balancer
from lab.tools import Tools
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Client, Verdict
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.table import Table
from tests.lab import web

pytestmark = pytest.mark.lab

APPLICATIONS = {
    "checkout": {
        "namespace": "checkout",
        "ports": {"http": 8080},
        "web": [
            {"path": "/{**}"},
            {"path": "/old", "rewrite": "/new", "methods": ["GET", "POST"], "timeout": "5s"},
            {"path": "/reports/{*}", "methods": ["GET"]},
        ],
    },
    "charging": {"namespace": "charging", "ports": {"http": 8080}, "web": [{"path": "/charges/{*}"}, {"path": "/c"}]},
}
GATEWAYS = {"web": web.PLATFORM["gateways"]["web"] | {"api": "gateway-api"}}
COMPILED = web.compiled(APPLICATIONS, gateways=GATEWAYS)
ASKED = [
    (host, method, path)
    for host in (web.HOST, "other.example.com")
    for method in ("GET", "POST", "DELETE")
    for path in ("/", "/old", "/new", "/old/", "/reports/7", "/reports/7/8", "/charges/1", "/charges/1/2", "/c", "/C",
                 "//old", "/x/../old", "/%6fld", "/c|d")
]  # fmt: skip


@pytest.fixture(scope="module")
def running(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Balancer]]:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    listed = web.documents(lab_tools, COMPILED)
    with Lab.start(listed, directory=Path(tmp_path_factory.mktemp("gateway-api"))) as lab:
        yield lab, web.balancer(listed)


def conditions(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in listed}


def test_istiod_accepts_and_programs_them(running: tuple[Lab, Balancer]) -> None:
    lab, balancer = running
    lab.until(balancer.carries(web.HOST, "GET", "/", "192.0.2.9"), lambda seen: seen.permitted, seconds=30)
    [gateway], [route] = ([m.document() for m in COMPILED if m.kind == kind] for kind in ("Gateway", "HTTPRoute"))
    status = lab.operate("read", gateway)["status"]
    assert conditions(status["conditions"]) == dict.fromkeys(("Accepted", "Programmed", "ResolvedRefs"), "True")
    [listener] = status["listeners"]
    assert listener["attachedRoutes"] == 1
    assert conditions(listener["conditions"])["ResolvedRefs"] == "True"
    [parent] = lab.operate("read", route)["status"]["parents"]
    assert conditions(parent["conditions"]) == {"Accepted": "True", "ResolvedRefs": "True"}


def expected(host: str, method: str, path: str) -> set[str]:
    """Whom an anonymous user reaches, by the table."""
    table = Table(of_documents(stacks.judged(COMPILED)))
    return {
        f"{each.destination.namespace}/{each.destination.name}"  # type: ignore[union-attr]  # journeys end at workloads
        for each in table.journeys
        if isinstance(each.source, Client)
        and each.source.name == "anonymous"
        and each.verdict is Verdict.ALLOWED
        and isinstance(each.http, HttpSet)
        and each.http.accepts(host, method, path)
    }


def normal(path: str) -> str:
    """What the gateway makes of a path before anybody matches it."""
    return {"//old": "/old", "/x/../old": "/old", "/%6fld": "/old", "/c|d": "/c%7Cd"}.get(path, path)


def test_every_request_is_answered_as_the_analyser_says(running: tuple[Lab, Balancer]) -> None:
    lab, balancer = running
    lab.until(balancer.carries(web.HOST, "GET", "/", "192.0.2.9"), lambda seen: seen.permitted, seconds=30)
    probes = [balancer.carries(*request, "192.0.2.9") for request in ASKED]
    seen = lab.probes(probes)
    said = [expected(host, method, normal(path)) for host, method, path in ASKED]
    differing = [
        (request, each.sentence(), wanted)
        for request, each, wanted in zip(ASKED, seen, said, strict=True)
        if ({each.reached} if each.reached else set()) != wanted
    ]
    assert differing == []
    arrived = [each.seen["path"] for each, asked in zip(seen, ASKED, strict=True) if each.seen and asked[2] == "/c|d"]
    assert set(arrived) == {"/c%7Cd"}
    assert {each.reached for each in seen} == {"checkout/checkout", "charging/charging", None}


def test_rewrites_and_headers_are_those_that_were_asked_for(running: tuple[Lab, Balancer]) -> None:
    lab, balancer = running
    seen = lab.probe(balancer.carries(web.HOST, "POST", "/old", "192.0.2.9"))
    assert seen.seen is not None
    assert seen.seen["path"] == "/new"
    assert seen.headers["x-frame-options"] == "DENY"
    assert not {"server", "x-envoy-upstream-service-time"} & set(seen.headers)


def test_a_namespace_that_takes_its_leave_back_is_not_reached(running: tuple[Lab, Balancer]) -> None:
    lab, balancer = running
    [grant] = [m.document() for m in COMPILED if m.kind == "ReferenceGrant" and m.namespace == "charging"]
    probe = balancer.carries(web.HOST, "GET", "/c", "192.0.2.9")
    assert lab.probe(probe).reached == "charging/charging"
    lab.delete([grant])
    seen, _ = lab.until(probe, lambda seen: not seen.permitted)
    assert seen.status == 500
    lab.apply([grant])
    assert lab.until(probe, lambda seen: seen.permitted)[0].permitted

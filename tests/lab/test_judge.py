"""A probe put in the analyser's terms: who it is by certificate and address, where it goes, and what is said of it."""

import copy
from dataclasses import replace
from functools import cache

import pytest

from lab import stack as stacks
from lab import traffic
from lab.fidelity import GROUPS
from lab.judge import Judge
from lab.membership import _fits, normalised
from lab.players import players
from lab.probe import ClientCertificate, Observation, Probe, Token
from lab.world import world
from partner_mesh.analysis.layers import Verdict
from partner_mesh.config.loader import load_stack
from partner_mesh.specs import compile_stack
from tests.lab import dev

HOST = "acme.partners.dev.example.com"
OTHER = "payline.partners.dev.example.com"


@cache
def judge() -> Judge:
    return Judge([d for d in stacks.judged(dev.compiled()) if d["kind"] not in GROUPS])


@cache
def right() -> Probe:
    documents = dev.objects()
    own = next(p for p in players(documents, world(documents)) if p.host == HOST)
    return own.probe("192.0.2.254", "POST", "/v1/callbacks/1")


BAD = ClientCertificate("a stranger", ("callbacks.acme-mobile.example",))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.ALLOWED),
        ({"address": "198.51.100.15"}, Verdict.ALLOWED),
        ({"address": "198.51.100.16"}, Verdict.DENIED),
        ({"method": "GET"}, Verdict.DENIED),
        ({"path": "/v1/callbacks/1/2"}, Verdict.DENIED),
        ({"path": "/v1//callbacks/1"}, Verdict.ALLOWED),
        ({"method": "GET", "path": "/v1/status"}, Verdict.DENIED),
        ({"method": "GET", "path": "/v1/status", "headers": {"x-api-version": "2"}}, Verdict.ALLOWED),
        ({"certificate": None}, Verdict.DENIED),
        ({"certificate": BAD}, Verdict.DENIED),
        ({"host": OTHER, "path": "/webhooks/1"}, Verdict.DENIED),
        ({"server_name": "nobody.example"}, Verdict.DENIED),
        ({"server_name": None}, Verdict.DENIED),
        ({"host": "pay.dev.example.com", "path": "/", "method": "GET"}, Verdict.DENIED),
    ],
)
def test_a_partners_probe_is_told_as_the_client_it_is(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge().expected(replace(right(), **changes)).verdict is verdict  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize(
    ("source", "to", "port", "method", "path", "verdict"),
    [
        ("checkout/checkout", "charging.charging", 8080, "GET", "/x", Verdict.ALLOWED),
        ("fraud/fraud", "charging.charging", 8080, "GET", "/x", Verdict.DENIED),
        ("checkout/checkout", "charging.charging", 9999, "GET", "/x", Verdict.DENIED),
        ("charging/charging-v1", "api.acme-mobile.example", 80, "POST", "/direct-billing/x", Verdict.ALLOWED),
        ("charging/charging-v1", "api.acme-mobile.example", 80, "GET", "/direct-billing/x", Verdict.DENIED),
        ("checkout/checkout", "api.acme-mobile.example", 80, "POST", "/direct-billing/x", Verdict.DENIED),
        ("charging/charging-v1", "partners.internal", 7090, "POST", "/acme/direct-billing/x", Verdict.ALLOWED),
        ("charging/charging-v1", "partners.internal", 7090, "POST", "/payline/direct-billing/x", Verdict.DENIED),
    ],
)
def test_a_workloads_probe_is_told_by_where_it_goes(
    source: str, to: str, port: int, method: str, path: str, verdict: Verdict
) -> None:
    assert judge().expected(Probe(source, to, port, to, method, path)).verdict is verdict


def test_a_token_counts_if_its_issuer_signed_it_for_us_and_its_claims_fit() -> None:
    scenario = next(s for s in dev.scenarios() if s.kind == "web" and s.probe.token is not None)
    token = scenario.probe.token
    assert token is not None
    wrong: list[Token | None] = [
        None, replace(token, expired=True), replace(token, forged=True), replace(token, audiences=("other",)),
        replace(token, claims={"group": "nobody"}),
    ]  # fmt: skip
    assert judge().expected(scenario.probe).verdict is Verdict.ALLOWED
    assert {judge().expected(replace(scenario.probe, token=each)).verdict for each in wrong} == {Verdict.DENIED}


@pytest.mark.parametrize(("address", "verdict"), [("192.0.2.254", Verdict.DENIED), ("203.0.113.65", Verdict.ALLOWED)])
def test_where_the_mesh_admits_any_address_packets_still_decide_address_by_address(
    address: str, verdict: Verdict
) -> None:
    documents = copy.deepcopy([d for d in stacks.judged(dev.compiled()) if d["kind"] not in GROUPS])
    named = {"name": "acme-mobile.charging", "namespace": "charging"}
    for document in documents:
        if document["kind"] == "AuthorizationPolicy" and document["metadata"].items() >= named.items():
            for rule in document["spec"]["rules"]:
                rule["from"][0]["source"]["remoteIpBlocks"] = ["0.0.0.0/0"]
    assert Judge(documents).expected(replace(right(), address=address)).verdict is verdict


@cache
def prod() -> tuple[Judge, dict[str, Probe]]:
    """Of the stack with two web applications: its judge, and a request with a good token to each protected host."""
    compiled = compile_stack(load_stack("prod", dev.ROOT))
    documents = stacks.objects(compiled)
    found = traffic.scenarios(load_stack("prod", dev.ROOT), documents)
    judge = Judge([d for d in documents if d["kind"] not in GROUPS])
    return judge, {s.probe.host: s.probe for s in found if s.kind == "web" and s.probe.token is not None}


@pytest.mark.parametrize("group", ["support", "partner-admins", "buyers"])
def test_any_of_the_values_that_a_claim_may_have_lets_in(group: str) -> None:
    judge, right = prod()
    token = right["portal.example.com"].token
    assert token is not None
    asked = replace(right["portal.example.com"], token=replace(token, claims={"group": group}))
    assert judge.expected(asked).verdict is (Verdict.DENIED if group == "buyers" else Verdict.ALLOWED)


def test_a_token_for_another_application_is_refused_even_where_none_is_needed() -> None:
    judge, right = prod()
    public = replace(right["pay.example.com"], method="GET", path="/", token=None)
    other = replace(public, token=right["portal.example.com"].token)
    assert [judge.expected(each).verdict for each in (public, other)] == [Verdict.ALLOWED, Verdict.DENIED]


@pytest.mark.parametrize(
    ("value", "pattern", "fits"),
    [
        ("ab", "ab", True),
        ("ab", "a", False),
        ("ab", "a*", True),
        ("ab", "*b", True),
        ("ab", "*", True),
        ("", "*", False),
    ],
)
def test_values_fit_as_authorization_policies_match_them(value: str, pattern: str, fits: bool) -> None:
    assert _fits(value, pattern) is fits


def test_an_observation_agrees_only_with_its_own_verdict() -> None:
    allowed, denied = judge().expected(right()), judge().expected(replace(right(), method="GET"))
    reached = Observation("answered", 200, {"server": "charging/charging-v1"})
    elsewhere = Observation("answered", 200, {"server": "checkout/checkout"})
    refused = Observation("answered", 403)
    assert [allowed.agrees(each) for each in (reached, elsewhere, refused)] == [True, False, False]
    assert [denied.agrees(each) for each in (reached, refused)] == [False, True]
    assert any("AuthorizationPolicy charging/acme-mobile.charging" in line for line in allowed.lines())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b?x=/c", "/a/b"),
        ("/a//b///c", "/a/b/c"),
        ("/a/../b", "/b"),
        ("/a/./b/", "/a/b/"),
        ("/a/%2e%2e/b", "/b"),
        ("/%61%2Fb", "/a/b"),
        ("/a%20b", "/a%20b"),
        ("/a\\b", "/a/b"),
        ("//", "//"),
        ("/", "/"),
        ("/..", "/"),
        ("/../b", "/b"),
        ("/a//../b", "/a/b"),
        ("/%2Flab/..", "//"),
        ("//a/../b", "/b"),
    ],
)
def test_paths_are_judged_as_the_mesh_normalises_them(path: str, expected: str) -> None:
    assert normalised(path) == expected

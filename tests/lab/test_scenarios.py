"""Scenarios and questions without a data plane: what is asked, what is expected, and that a difference is seen."""

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import paths, protocols
from lab.expect import Expect
from lab.families import families
from lab.pairwise import pairwise
from lab.probe import Observation, Probe
from lab.questions import counted, questions
from lab.scenarios import KINDS, Result, Scenario, findings, played
from partner_mesh.model.path import PathTemplate
from tests.lab import dev

TEMPLATES = st.lists(st.sampled_from(["a", "b", "{*}"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
SEEN = {"server": "a/b", "path": "/x", "version": "HTTP/1.1", "headers": {"x-a": "1"}, "tls": {"clientNames": ["me"]}}
ANSWERED = Observation("answered", 200, SEEN)
REFUSED = Observation("answered", 403)
ENDED = replace(ANSWERED, headers={"grpc-status": "0"})


@pytest.mark.parametrize(
    ("expect", "seen", "differs"),
    [
        (Expect(("a/b",)), ANSWERED, False),
        (Expect(("a/c",)), ANSWERED, True),
        (Expect(("a/b",)), REFUSED, True),
        (Expect(), REFUSED, False),
        (Expect(), ANSWERED, True),
        (Expect(statuses=(404,)), REFUSED, True),
        (Expect(statuses=(404,)), Observation("filtered"), False),
        (Expect(outcomes=("filtered",)), REFUSED, True),
        (Expect(outcomes=("filtered",)), Observation("timeout"), True),
        (Expect(statuses=(403,)), Observation("answered", 200, headers={"grpc-status": "7"}), False),
        (Expect(("a/b",), path="/x"), ANSWERED, False),
        (Expect(("a/b",), path="/y"), ANSWERED, True),
        (Expect(("a/b",), client_names=("me", "us")), ANSWERED, False),
        (Expect(("a/b",), client_names=("us",)), ANSWERED, True),
        (Expect(("a/b",), absent=("x-b",)), ANSWERED, False),
        (Expect(("a/b",), absent=("x-a",)), ANSWERED, True),
        (Expect(("a/b",), headers=(("x-a", "1"),)), ANSWERED, False),
        (Expect(("a/b",), headers=(("x-a", "2"),)), ANSWERED, True),
        (Expect(("a/b",), version="HTTP/1.1"), ANSWERED, False),
        (Expect(("a/b",), version="HTTP/2"), ANSWERED, True),
        (Expect(("a/b",), text="x"), ANSWERED, True),
        (Expect(("a/b",), returned=(("grpc-status", "0"),)), ANSWERED, True),
        (Expect(("a/b",), returned=(("grpc-status", "0"),)), ENDED, False),
        (Expect(("a/b",), instead=(403,)), REFUSED, False),
        (Expect(("a/c",), instead=(200,)), ANSWERED, True),
    ],
)
def test_every_part_of_an_expectation_counts(expect: Expect, seen: Observation, differs: bool) -> None:
    assert bool(expect.differences(seen)) is differs


def test_the_development_stack_asks_every_kind_of_question() -> None:
    assert list(dict.fromkeys(s.kind for s in dev.scenarios() if s.kind not in KINDS)) == []
    assert set(KINDS) - {s.kind for s in dev.scenarios()} == set()


def test_every_route_every_outbound_entry_and_every_caller_is_asked() -> None:
    stack, kinds = dev.stack(), [s.kind for s in dev.scenarios()]
    assert kinds.count("inward") == sum(len(i.routes) for p in stack.partners for i in p.inbound)
    assert kinds.count("outward") == sum(len(o.callers) for p in stack.partners for o in p.outbound)


def test_what_is_expected_to_be_refused_differs_from_what_is_expected_to_work() -> None:
    for scenario in dev.scenarios():
        assert bool(scenario.expect.reached) is (
            scenario.kind in protocols.LET | {"mesh: right principal", "WebSocket", "gRPC", "TCP"}
        ), scenario


def test_the_mesh_alone_is_asked_without_network_policies_and_they_are_back_afterwards() -> None:
    told: list[bool] = []
    probe = Probe("outside", "a", 1, "a")
    scenarios = [Scenario("mesh: plain text", "one", probe, Expect()), Scenario("inward", "two", probe, Expect())]
    found = played(scenarios, lambda probes: [REFUSED] * len(probes), told.append)
    assert told == [True, False, True]
    assert [result.scenario.about for result in found] == ["two", "one"]


def test_a_sentence_is_told_for_each_kind_with_what_failed_below_it() -> None:
    probe = Probe("outside", "a", 1, "a")
    results = [
        Result(Scenario("inward", "first", probe, Expect(("a/b",))), ANSWERED),
        Result(Scenario("inward", "second", probe, Expect(("a/b",))), REFUSED),
        Result(Scenario("no TLS", "third", probe, Expect()), REFUSED),
    ]
    first, second = findings(results)
    assert (first.passed, second.passed) == (False, True)
    assert "(1 of 2)" in first.sentence
    assert first.details == ("second: expected a/b to answer, got 403",)
    assert "second" in first.text()


@given(TEMPLATES, st.lists(TEMPLATES, max_size=3))
def test_samples_match_and_strangers_do_not(template: str, others: list[str]) -> None:
    assert PathTemplate(template).matches(paths.sample(template))
    for path in paths.strange([template, *others]):
        assert not any(PathTemplate(each).matches(path) for each in [template, *others])


def test_a_rewrite_moves_what_wildcards_matched() -> None:
    assert paths.rewritten("/v1/{*}/x/{**}", "/y/{*}/{**}") == f"/y/{paths.SEGMENT}/{paths.REST}"
    assert paths.rewritten("/v1/{*}", "/flat") == "/flat"
    assert paths.rewritten("/v1/{*}", None) == f"/v1/{paths.SEGMENT}"


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(0, 99))
def test_every_two_values_meet(sizes: list[int], seed: int) -> None:
    dimensions = [[f"{d}.{v}" for v in range(size)] for d, size in enumerate(sizes)]
    rows = pairwise(dimensions, random.Random(seed))
    met = {pair for row in rows for pair in itertools.combinations(row, 2)}
    assert met >= {(a, b) for one, two in itertools.combinations(dimensions, 2) for a in one for b in two}
    assert len(rows) <= max(1, sum(a * b for a, b in itertools.combinations(sizes, 2)))


def test_questions_are_the_same_for_the_same_seed_and_each_is_asked_once() -> None:
    first = questions(families(dev.stack(), dev.objects()), 1500, 5)
    again = questions(families(dev.stack(), dev.objects()), 1500, 5)
    other = questions(families(dev.stack(), dev.objects()), 1500, 6)
    assert first == again != other
    assert len({question.key for question in first}) == len(first) >= 1500
    assert min(counted(first).values()) > 100
    assert {question.enforced for question in first} == {True, False}

"""The walk of `examples/bookinfo`: each step's table is what is written down, and closes what its paragraph says."""

from datetime import date
from pathlib import Path

import pytest

from partner_mesh.report import diff_text
from tests.examples.steps import EXAMPLES, change, kept, objects, rows, said, steps
from tests.golden import Golden

FOLDER = EXAMPLES / "bookinfo"
STEPS = steps("bookinfo")
BY_HAND = [step for step in STEPS if (FOLDER / "by-hand" / step).is_dir()]
PAGE = "bookinfo/productpage[Deployment]"


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> Golden:
    return kept("bookinfo", request)


def table(step: str) -> str:
    return said("reach", step, "--config-dir", str(FOLDER), "--to", "bookinfo/", "--declared-ports")


def by_hand(step: str) -> str:
    return said("reach", "--manifests", str(FOLDER / "by-hand" / step), "--declared-ports")


def test_there_are_seven_steps_of_hardening_and_four_of_traffic() -> None:
    assert [int(step.partition("-")[0]) for step in STEPS] == list(range(1, 12))
    assert STEPS[:7] == BY_HAND


@pytest.mark.parametrize("step", STEPS)
def test_the_table_of_a_configuration_is_the_expected_one(step: str, expected: Golden) -> None:
    inward, outward = table(step), said("reach", step, "--config-dir", str(FOLDER), "--from", "bookinfo/")
    expected(f"{step}.reach", f"TO BOOKINFO\n{inward}\nFROM BOOKINFO\n{outward}")


@pytest.mark.parametrize("step", BY_HAND)
def test_the_table_of_plain_manifests_is_the_expected_one(step: str, expected: Golden) -> None:
    expected(f"{step}.by-hand", by_hand(step))


@pytest.mark.parametrize("step", STEPS[1:])
def test_what_a_step_changes_is_what_is_written_down(step: str, expected: Golden) -> None:
    expected(f"{step}.changes", diff_text.text(change("bookinfo", step)))


@pytest.mark.parametrize("step", [STEPS[0], STEPS[6], STEPS[-1]])
def test_a_step_has_a_plan(step: str, tmp_path: Path) -> None:
    plan = said("plan", step, "--config-dir", str(FOLDER), "--out", str(tmp_path))
    assert "Application productpage" in plan
    assert (tmp_path / step / "plan.json").exists()


def test_a_token_is_asked_for_from_step_4_and_its_claim_from_step_5() -> None:
    shown = {step: rows(table(step)) for step in STEPS[1:5]}
    callers = {step: [source for source, end in found if end == PAGE] for step, found in shown.items()}
    assert callers["2-tls"] == callers["3-strict-mtls"]
    assert "anonymous" in callers["3-strict-mtls"]
    assert callers["4-jwt"] == callers["5-claims"] == ["istio-web/web[Deployment]", "user with token"]
    assert "claims[group] is readers" not in shown["4-jwt"]["user with token", PAGE]
    assert "claims[group] is readers" in shown["5-claims"]["user with token", PAGE]


def test_by_hand_strict_mutual_tls_shuts_out_the_neighbour_without_a_sidecar() -> None:
    before, after = (rows(by_hand(step)) for step in ("2-tls", "3-strict-mtls"))
    closed = {pair for pair in before if pair not in after}
    assert {source for source, _ in closed} == {"neighbour/batch[Deployment]", "0.0.0.0/0", "::/0"}


def test_by_hand_claims_bring_least_privilege_between_services() -> None:
    before, after = (rows(by_hand(step)) for step in ("4-jwt", "5-claims"))
    ratings = "bookinfo/ratings-v1[Deployment]"
    assert ("bookinfo/details-v1[Deployment]", ratings) in before
    assert {source for source, end in after if end == ratings} == {
        f"bookinfo/reviews-v{n}[Deployment]" for n in (1, 2, 3)
    }


def test_by_hand_egress_is_closed_for_tcp_at_step_6_and_for_udp_at_step_7() -> None:
    reviews = "bookinfo/reviews-v1[Deployment]", "0.0.0.0/0"
    shown = [rows(by_hand(step)).get(reviews) for step in ("5-claims", "6-egress", "7-network-policies")]
    assert shown == ["all ports", "UDP, SCTP", None]


def test_compiled_configurations_let_nothing_out_that_is_not_declared_from_the_first_step_on() -> None:
    for step in STEPS:
        outward = rows(said("reach", step, "--config-dir", str(FOLDER), "--from", "bookinfo/", "--to", "outside"))
        assert outward == {}


def test_shaping_traffic_changes_no_access() -> None:
    for step in STEPS[7:]:
        assert change("bookinfo", step).accesses == ()


def test_the_gate_refuses_permissive_mutual_tls_until_step_3() -> None:
    from partner_mesh.analysis.invariants import Facts, examined  # noqa: PLC0415 - heavy, and for this test alone

    found = {
        step: {each.identifier for each in examined(Facts(objects("bookinfo", step), date(2026, 11, 23)))}
        for step in STEPS[:3]
    }
    assert [("PM008-mtls-exception" in each) for each in found.values()] == [True, True, False]

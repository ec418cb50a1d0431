"""The walk of `examples/mesh-arena`: many small services with versions, in the manner of Bookinfo."""

from pathlib import Path

import pytest

from partner_mesh.report import diff_text
from tests.examples.steps import EXAMPLES, change, kept, rows, said, steps
from tests.golden import Golden

FOLDER = EXAMPLES / "mesh-arena"
STEPS = steps("mesh-arena")
BALL = "mesh-arena/ball-base[Deployment]"


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> Golden:
    return kept("mesh-arena", request)


def table(step: str) -> str:
    return said("reach", step, "--config-dir", str(FOLDER), "--to", "mesh-arena/", "--declared-ports")


@pytest.mark.parametrize("step", STEPS)
def test_the_table_is_the_expected_one(step: str, expected: Golden) -> None:
    expected(f"{step}.reach", table(step))


@pytest.mark.parametrize("step", STEPS[1:])
def test_what_a_step_changes_is_what_is_written_down(step: str, expected: Golden) -> None:
    expected(f"{step}.changes", diff_text.text(change("mesh-arena", step)))


def test_the_last_step_has_a_plan(tmp_path: Path) -> None:
    assert "Application ball" in said("plan", STEPS[-1], "--config-dir", str(FOLDER), "--out", str(tmp_path))


def test_least_privilege_takes_every_request_but_the_games_own() -> None:
    before, after = (rows(table(step)) for step in STEPS[1:3])
    players = [pair for pair in before if pair[0].startswith("mesh-arena/ai-") and pair[1] == BALL]
    assert len(players) == 4
    assert {before[pair] for pair in players} == {"TCP 8080"}
    assert {after[pair] for pair in players} == {"TCP 8080 GET,PUT * /hasControl,/shoot"}


def test_versions_change_who_answers_and_nobodys_access() -> None:
    for step in STEPS[3:]:
        assert change("mesh-arena", step).accesses == ()

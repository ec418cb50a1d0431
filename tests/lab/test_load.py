"""What the load cases do to a real mesh, in small: the numbers are the docs' business, that nothing is lost is ours."""

from pathlib import Path

import pytest

from lab import netns
from lab.cases import played
from lab.faults import CASES
from lab.ground import Ground
from lab.tools import Tools
from partner_mesh.config.loader import load_stack

pytestmark = pytest.mark.lab


def test_permitted_requests_survive_a_revocation_which_its_subjects_feel_on_open_connections_too(
    lab_tools: Tools,
) -> None:
    del lab_tools  # only that they are built
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    ground = Ground.open(load_stack("dev", Path()), lambda _: None)
    case = next(case for case in CASES if case.name == "changed")
    with ground.lab:
        outcome = played(case, ground, rate=40, requests=100)
    assert outcome.steady.requests >= 100
    assert outcome.steady.reasons == {}
    assert [(effect.what, effect.passed) for effect in outcome.effects] == [
        ("refused on fresh connections", True),
        ("refused on open connections", True),
    ]

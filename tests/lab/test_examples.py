"""Every example runs in the lab as it is: its objects are admitted, and requests fare as its files promise."""

from pathlib import Path

import pytest

from lab import netns, verdict
from lab.tools import Tools
from partner_mesh.config.loader import load_stack

pytestmark = pytest.mark.lab

EXAMPLES = Path(__file__).parents[2] / "examples"
STACKS = sorted(EXAMPLES.glob("*/Pulumi.*.yaml"))


@pytest.mark.parametrize("file", STACKS, ids=lambda file: f"{file.parent.name}/{file.stem.partition('.')[2]}")
def test_an_example_is_green_in_all_three_tiers(lab_tools: Tools, file: Path) -> None:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    del lab_tools  # only that they are built
    found = verdict.judged(load_stack(file.stem.partition(".")[2], file.parent), None, print)
    assert [each.text() for each in found if not each.passed] == []
    assert {each.tier for each in found} == {1, 2, 3}

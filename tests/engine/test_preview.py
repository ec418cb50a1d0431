"""The whole program of both environments, planned by the real engine with no cloud behind it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from components.program import deploy
from components.recording import record
from partner_mesh.config.loader import load_stack
from tests.engine.deployment import REPOSITORY, deployment

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_first_preview_is_complete_and_is_what_plan_says(stack: str, aws: Mapping[str, str], tmp_path: Path) -> None:
    """Every resource that `partner-mesh plan` shows would be created, by the same URN, and nothing else. No warning;
    the policy pack, which the engine runs on each of them, finds nothing.
    """
    files = [REPOSITORY / name for name in (f"Pulumi.{stack}.yaml", "partners", "policies")]
    program = deployment(tmp_path, stack, files, aws)
    outcome = program.preview(policy_pack=program.directory / "policies")
    configuration = load_stack(stack, REPOSITORY)
    planned = {one.urn for one in record(lambda: deploy(configuration), stack=stack, preview=True)}
    assert len(planned) > 100
    assert set(outcome.of("create")) == planned
    assert outcome.by_operation() == {"create": len(planned)}
    assert outcome.violations == []
    assert outcome.diagnostics == []

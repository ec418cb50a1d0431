"""Each feature of the platform before Istio's own validation (`istioctl validate`), one scenario after another."""

import subprocess
from pathlib import Path

import pytest

from lab.tools import Tools
from partner_mesh.model.serialize import dump_all
from partner_mesh.specs import compile_stack
from tests.specs.test_golden_platform import SCENARIOS

pytestmark = pytest.mark.lab

# istioctl validates nothing of the Gateway API's kinds.
ISTIO = ("networking.istio.io", "security.istio.io", "telemetry.istio.io")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_istioctl_accepts_every_object_of_a_feature(scenario: str, lab_tools: Tools, tmp_path: Path) -> None:
    compiled = compile_stack(SCENARIOS[scenario][0]())
    file = tmp_path / "objects.yaml"
    file.write_text(dump_all(m.document() for m in compiled if m.api_version.startswith(ISTIO)), encoding="utf-8")
    done = subprocess.run(
        [lab_tools.built("istioctl"), "validate", "-f", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

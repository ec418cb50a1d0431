"""Each feature of the platform before Istio's own validation and a real API server, one scenario after another."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import stack as stacks
from lab.cluster import Cluster
from lab.tools import Tools
from partner_mesh.model.serialize import dump_all
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled
from tests.specs.test_golden_platform import SCENARIOS

pytestmark = pytest.mark.lab

# istioctl validates nothing of the Gateway API's kinds.
ISTIO = ("networking.istio.io", "security.istio.io", "telemetry.istio.io")
# What only operators serve which do not run here.
OPERATORS = (
    "external-secrets.io", "monitoring.coreos.com", "projectcalico.org", "vpcresources.k8s.aws", "elbv2.k8s.aws",
    "ec2.partner-mesh.dev", "operator.tigera.io",
)  # fmt: skip


def compiled(scenario: str) -> Compiled:
    return compile_stack(SCENARIOS[scenario][0]())


@pytest.fixture(scope="module")
def cluster(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    listed = stacks.objects(compiled("gateway-api"))
    with Cluster(lab_tools, Path(tmp_path_factory.mktemp("features")), documents=listed) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_istioctl_accepts_every_object_of_a_feature(scenario: str, lab_tools: Tools, tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    listed = (m.document() for m in compiled(scenario) if m.api_version.startswith(ISTIO))
    file.write_text(dump_all(listed), encoding="utf-8")
    done = subprocess.run(
        [lab_tools.built("istioctl"), "validate", "-f", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_api_server_and_istiod_accept_every_object_of_a_feature(scenario: str, cluster: Cluster) -> None:
    """A dry run: the next scenario begins as this one did."""
    objects = [m.document() for m in compiled(scenario)]
    found = cluster.apply(objects, dry_run=True)
    assert found.refused == ()
    versions = {(d["kind"], d["metadata"]["name"]): d["apiVersion"] for d in objects}
    left = {
        versions[kind, name.rpartition("/")[2]] for kind, _, name in (each.partition(" ") for each in found.unserved)
    }
    assert {each for each in left if not each.startswith(OPERATORS)} == set()
    assert len(found.accepted) + len(found.unserved) == len(objects)

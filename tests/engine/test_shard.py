"""A platform and a stack of partners on it, with the engine's own references between stacks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from partner_mesh.config.loader import load_stack
from tests.engine.charts import definitions, kinds, package
from tests.engine.conftest import Eks, istio_definitions
from tests.engine.deployment import Deployment, assert_only, deployment
from tests.specs.aws.test_load_balancers import partner
from tests.specs.stacks import sections

pytestmark = pytest.mark.engine

OURS_IS_THE_CLUSTER = {
    "mesh": {"revision": "1-31-1", "managed": False},
    "calico": {"managed": False},
    "secrets": {"store": "none"},
    "charts": {"repository": "./charts"},
}
PLATFORM_OUTPUTS = {"stack": "organization/partner-mesh/platform"}  # a backend of files knows no other organisation


def write(folder: Path, stack: str, partners: Sequence[Mapping[str, Any]] = (), **changes: Any) -> Path:
    """A stack's file."""
    found = sections(partners=list(partners), **OURS_IS_THE_CLUSTER, **changes)
    config = {"aws:region": found.pop("region"), **{f"partner-mesh:{key}": value for key, value in found.items()}}
    path = folder / f"Pulumi.{stack}.yaml"
    path.write_text(yaml.safe_dump({"config": config}))
    return path


@pytest.fixture
def platform(eks: Eks, tmp_path: Path) -> Deployment:
    """A platform without partners on a cluster that has EKS' and Istio's kinds."""
    write(tmp_path, "platform", [partner("acme")])
    stack = load_stack("platform", tmp_path)
    file = write(tmp_path, "platform")
    package(tmp_path / "charts", stack, ())
    along = [*definitions("vpcresources.k8s.aws", kinds(stack)), *istio_definitions(eks.cluster.tools)]
    for definition in along:
        eks.cluster.api.apply(definition)
    eks.cluster.api.wait_established(along)
    return deployment(tmp_path / "made", "platform", [file, tmp_path / "charts"], eks.environment)


def test_a_shard_comes_and_goes_beside_its_platform_which_cannot_be_destroyed_by_accident(
    eks: Eks, platform: Deployment
) -> None:
    assert_only(platform.up(), "create")
    bare = eks.cluster.versions()

    write(platform.directory, "shard", [partner("acme")], shared=PLATFORM_OUTPUTS)
    shard = platform.beside("shard")
    first = shard.up()
    assert_only(first, "create")
    assert {urn.split("::")[2].partition("$")[0] for urn in first.steps} >= {
        "partner-mesh:partner:Partner",
        "partner-mesh:shard:ShardEdge",
    }
    assert_only(shard.up(), "same")
    one = eks.cluster.versions()
    assert one.items() >= bare.items()

    write(platform.directory, "shard", [partner("acme"), partner("hooli")], shared=PLATFORM_OUTPUTS)
    joined = shard.up()
    made = joined.of("create")
    assert joined.by_operation() == {"create": len(made), "same": len(first.steps)}
    assert all(urn.rpartition("::")[2].partition("/")[0] == "hooli" for urn in made)
    assert eks.cluster.versions().items() >= one.items()
    assert_only(platform.preview(), "same")

    assert "protected" in platform.refused_destroy()
    assert eks.cluster.versions().items() >= one.items()

    assert_only(shard.destroy(), "delete")
    assert eks.cluster.versions() == bare
    assert_only(platform.preview(), "same")

    write(platform.directory, "platform", cluster={**sections()["platform"]["cluster"], "deletionProtection": False})
    lifted = platform.up()
    assert set(lifted.by_operation()) == {"same", "update"}
    assert_only(platform.destroy(), "delete")

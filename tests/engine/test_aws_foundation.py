"""What stands at AWS, deployed by the real engine on the echoing provider: late values become known."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from components.program import deploy
from components.recording import record
from partner_mesh.config.loader import load_stack
from tests.engine.deployment import REPOSITORY, deployment

pytestmark = pytest.mark.engine


def test_the_foundation_comes_up_stays_as_it_is_and_goes(aws: Mapping[str, str], tmp_path: Path) -> None:
    """All of dev but what needs the cluster's API, which the echoing provider does not have."""
    program = deployment(tmp_path, "dev", [REPOSITORY / "Pulumi.dev.yaml", REPOSITORY / "partners"], aws)
    configuration = load_stack("dev", REPOSITORY)
    planned = {one.urn: one for one in record(lambda: deploy(configuration), stack="dev")}
    (cluster,) = [urn for urn, one in planned.items() if one.type == "pulumi:providers:kubernetes"]

    up = program.up(without=cluster)
    created = set(up.of("create"))
    assert {urn for urn, one in planned.items() if one.type.startswith("aws:")} <= created
    assert not [urn for urn in created if planned[urn].type.startswith("kubernetes:")]
    assert up.diagnostics == []

    again = program.up(without=cluster)
    assert again.by_operation() == {"same": len(again.steps)}
    assert created <= set(again.steps)

    outputs = program.outputs()
    assert str(outputs["vpcId"]).startswith("vpc-")
    assert str(outputs["webAclArn"]).startswith("arn:aws:wafv2:")

    gone = program.destroy()
    assert set(gone.of("delete")) == created

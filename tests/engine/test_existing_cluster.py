"""The life of a stack on a cluster that is somebody else's: a real API server with nothing but Istio's CRDs."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from components.program import deploy
from components.recording import record
from partner_mesh.config.loader import load_stack
from tests.engine.conftest import Cluster
from tests.engine.deployment import assert_only, deployment

pytestmark = pytest.mark.engine

STACK: Final = Path(__file__).parent / "stack"
JOINS: Final = STACK / "later" / "globex-telecom.yaml"


def test_a_stack_comes_up_stays_takes_a_partner_in_changes_it_lets_it_go_and_leaves_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Judged twice at each step: by the engine's own word, and by the resource versions of every object there is."""
    stack = deployment(tmp_path, "bare", [*STACK.glob("Pulumi.*.yaml"), STACK / "partners", cluster.kubeconfig], {})
    before = cluster.versions()

    up = stack.up()
    planned = {one.urn for one in record(lambda: deploy(load_stack("bare", stack.directory)), stack="bare")}
    assert set(up.steps) == planned
    assert_only(up, "create")
    assert not [urn for urn in planned if "aws:" in urn]
    settled = cluster.versions()
    assert len(settled) > len(before)

    again = stack.up()
    assert_only(again, "same")
    assert cluster.versions() == settled

    file = stack.directory / "partners" / JOINS.name
    shutil.copyfile(JOINS, file)
    joined = stack.up()
    made = set(joined.of("create"))
    assert joined.by_operation() == {"create": len(made), "same": len(planned)}
    assert made
    assert all(urn.rpartition("::")[2].partition("/")[0] == JOINS.stem for urn in made)
    with_partner = cluster.versions()
    assert with_partner.items() >= settled.items()  # nobody else's object was so much as written
    own = set(with_partner) - set(settled)
    assert own

    file.write_text(file.read_text().replace("203.0.113.64/28", "203.0.113.96/28").replace("8s", "6s"))
    changed = stack.up()
    written = set(changed.of("update"))
    assert changed.by_operation() == {"same": len(planned | made) - len(written), "update": len(written)}
    assert written < made
    versions = cluster.versions()
    assert set(versions) == set(with_partner)
    assert len(written) == len({one for one in own if versions[one] != with_partner[one]})
    assert versions.items() >= settled.items()

    file.unlink()
    left = stack.up()
    assert left.by_operation() == {"delete": len(made), "same": len(planned)}
    assert set(left.of("delete")) == made
    assert cluster.versions() == settled

    gone = stack.destroy()
    assert_only(gone, "delete")
    assert cluster.versions() == before

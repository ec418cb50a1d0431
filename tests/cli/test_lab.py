"""`partner-mesh lab` and `hairpin` where the lab cannot run, or nothing is to be run: said, and status 2."""

import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from partner_mesh.cli.main import app

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


@pytest.mark.parametrize("verb", [["test"], ["up"], ["fidelity"]])
def test_without_go_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    monkeypatch.setattr("shutil.which", lambda program, **_: None if program == "go" else f"/bin/{program}")
    result = run("lab", *verb, "dev", "--config-dir", str(ROOT))
    assert result.exit_code == 2
    assert "install Go" in result.output


def test_without_its_packages_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "lab" or name.startswith("lab.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h2", None)
    monkeypatch.setitem(sys.modules, "h2.config", None)
    result = run("lab", "test", "dev", "--config-dir", str(ROOT))
    assert (result.exit_code, "requirements-dev.txt" in result.output) == (2, True), result.output


@pytest.mark.parametrize("arguments", [["down"], ["status"], ["request", "GET", "/"]])
def test_without_a_running_lab_the_verb_that_starts_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = run("lab", *arguments)
    assert result.exit_code == 2
    assert "partner-mesh lab up STACK" in result.output


def test_a_tier_that_cannot_run_here_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program, **_: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    result = run("lab", "test", "dev", "--tier", "traffic", "--config-dir", str(ROOT))
    assert result.exit_code == 2
    assert "apt-get install -y iproute2 iptables nftables util-linux" in result.output


def test_objects_for_a_cluster_need_no_lab() -> None:
    result = run(
        "hairpin", "dev", "acme-mobile", "--objects", "--image", "mirror.example/curl", "--config-dir", str(ROOT)
    )
    assert result.exit_code == 0
    jobs = [d for d in yaml.safe_load_all(result.stdout) if d and d["kind"] == "Job"]
    assert [j["spec"]["template"]["spec"]["containers"][0]["image"] for j in jobs] == ["mirror.example/curl"]


def test_a_partner_that_nobody_is_has_no_loop() -> None:
    result = run("hairpin", "dev", "nobody", "--objects", "--config-dir", str(ROOT))
    assert (result.exit_code, "there is no partner nobody" in result.output) == (2, True)

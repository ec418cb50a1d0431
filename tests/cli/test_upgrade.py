"""The upgrade's verbs on a copy of dev's configuration: what they write, and what they refuse."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from partner_mesh.cli.main import app
from tests.golden import Golden

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "upgrade.md"
GENERATED = "<!-- partner-mesh upgrade walk dev --to 1-32-0 -->\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["upgrade", *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Pulumi.dev.yaml", tmp_path)
    shutil.copytree(ROOT / "partners" / "dev", tmp_path / "partners" / "dev")
    return tmp_path


def text(folder: Path) -> str:
    return (folder / "Pulumi.dev.yaml").read_bytes().decode()


def test_from_stable_to_promoted_and_back_leaves_the_file_byte_for_byte(folder: Path) -> None:
    at = ("--config-dir", str(folder))
    states, texts = [], [text(folder)]
    assert run("next", "dev", "--to", "1-32-0", *at).exit_code == 0
    for _ in range(20):
        states.append(json.loads(run("status", "dev", "--format", "json", *at).stdout)["state"])
        texts.append(text(folder))
        if states[-1] == "stable":
            break
        assert run("next", "dev", *at).exit_code == 0
    assert states[0] == "beside"
    assert states[-3:] == ["gateways", "promoted", "stable"]
    assert texts[-1] == texts[0].replace("revision: 1-31-1", "revision: 1-32-0")
    assert run("back", "dev", "--to", "1-31-1", *at).exit_code == 0
    for before in reversed(texts[:-1]):
        assert text(folder) == before
        run("back", "dev", *at)


def test_only_the_lines_of_the_step_change_and_comments_stay(folder: Path) -> None:
    file = folder / "Pulumi.dev.yaml"
    file.write_text(text(folder).replace("revision: 1-31-1", "revision:   1-31-1   # since spring"))
    before = text(folder).splitlines()

    run("next", "dev", "--to", "1-32-0", "--config-dir", str(folder))

    after = text(folder).splitlines()
    assert [line for line in after if line not in before] == ["      upgrade: {to: 1-32-0}"]
    assert [line for line in before if line not in after] == []


def test_a_dry_run_says_the_step_and_writes_nothing(folder: Path) -> None:
    before = text(folder)
    result = run("next", "dev", "--to", "1-32-0", "--dry-run", "--config-dir", str(folder))
    assert result.exit_code == 0
    assert "would begin" in result.stdout
    assert "wrote" not in result.stdout
    assert text(folder) == before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("next", "dev"), "say where to go with --to"),
        (("back", "dev"), "which old revision"),
        (("next", "dev", "--to", "1-35-0"), "more than 2 minors"),
        (("next", "dev", "--to", "1-30-0"), "older than"),
        (("walk", "dev", "--to", "1-31-1"), "runs already"),
        (("status", "dev", "--format", "xml"), "'xml' is not one of 'text', 'json'"),
        (("next", "nowhere"), "is not there"),
    ],
)
def test_what_is_no_step_is_refused_with_status_2(folder: Path, arguments: tuple[str, ...], why: str) -> None:
    before = text(folder)
    result = run(*arguments, "--config-dir", str(folder))
    assert result.exit_code == 2
    assert why in result.stderr
    assert "Traceback" not in result.output
    assert text(folder) == before


def test_another_target_while_one_is_under_way_is_refused(folder: Path) -> None:
    at = ("--config-dir", str(folder))
    run("next", "dev", "--to", "1-32-0", *at)
    assert run("next", "dev", "--to", "1-33-0", *at).exit_code == 2
    assert run("walk", "dev", "--to", "1-33-0", *at).exit_code == 2


def test_a_file_that_cannot_be_edited_in_place_is_left_alone(folder: Path) -> None:
    """The engine's file may hold the section as JSON text: nothing there can be edited with its comments."""
    file = folder / "Pulumi.dev.yaml"
    lines = text(folder).replace("mesh:\n      revision: 1-31-1", "mesh:\n      <<: &a {revision: 1-31-1}")
    file.write_text(lines)
    result = run("next", "dev", "--to", "1-32-0", "--config-dir", str(folder))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert file.read_text() == lines


def test_who_restarts_what_is_said(folder: Path) -> None:
    file, at = folder / "Pulumi.dev.yaml", ("--config-dir", str(folder))
    file.write_text(
        text(folder).replace("    charging: # direct", "    charging:\n      deployments: [charging-v1] # direct")
    )
    run("next", "dev", "--to", "1-32-0", *at)
    assert "restarts by itself: charging-v1" in run("next", "dev", *at).stdout
    assert "to restart by hand: the workloads of checkout" in run("next", "dev", *at).stdout


def test_an_illegal_transition_is_a_finding(folder: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    shutil.copy(folder / "Pulumi.dev.yaml", base)
    shutil.copytree(folder / "partners", base / "partners")
    check = ("check", "dev", "--base", str(base), "--config-dir", str(folder))
    assert run(*check).exit_code == 0
    run("next", "dev", "--to", "1-32-0", "--config-dir", str(folder))
    assert run(*check).exit_code == 0
    run("next", "dev", "--config-dir", str(folder))
    result = run(*check)
    assert result.exit_code == 1
    assert "upgrade and namespaces change together" in result.stderr


def test_the_page_about_upgrades_shows_the_walk_as_it_is(golden: Golden) -> None:
    written, _, shown = PAGE.read_text(encoding="utf-8").partition(GENERATED)
    walk = run("walk", "dev", "--to", "1-32-0", "--config-dir", str(ROOT)).stdout
    if golden.refresh:
        PAGE.write_text(written + GENERATED + walk, encoding="utf-8")
        return
    assert shown == walk, "run pytest tests/cli/test_upgrade.py --refresh-golden"

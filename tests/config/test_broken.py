"""Each rule refuses what it is there to refuse: all of it, at its place, and nothing else.

`broken/<rule>/<case>/` holds what differs from `valid/`: a stack's file, or a folder of partners. A comment
`# ✗ key | part of the message` stands on the line that the message must name; where no comment can stand, a file
`expected` says the same as `file:line: key | part of the message`.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from partner_mesh.cli.main import app
from partner_mesh.config.rules import RULES

HERE = Path(__file__).parent
BROKEN = HERE / "broken"
CASES = sorted(path.relative_to(BROKEN).as_posix() for path in BROKEN.glob("*/*"))
BASIC = {"document", "secret", "encrypted", "unknown-key", "missing-key", "value"}

Place = tuple[str, int, str]  # file's name, line, key


def folder(case: str, where: Path) -> Path:
    """The case laid over the valid configuration."""
    source = BROKEN / case
    if (source / "Pulumi.dev.yaml").exists():
        shutil.copytree(source, where, dirs_exist_ok=True)
    else:
        shutil.copy(HERE / "valid" / "Pulumi.dev.yaml", where)
        shutil.copytree(source / "partners", where / "partners")
    return where


def expected(case: str) -> list[tuple[Place, str]]:
    """Places and parts of messages, in order of place."""
    source, found = BROKEN / case, []
    for file in sorted(source.rglob("*.yaml")):
        for number, line in enumerate(file.read_text("utf-8", "replace").split("\n"), 1):
            for marker in re.split(r"(?:#| ) ?✗ ", line)[1:]:
                key, _, text = marker.partition("|")
                found.append(((file.name, number, key.strip()), text.strip()))
    if (source / "expected").exists():
        for line in (source / "expected").read_text().splitlines():
            place, _, text = line.partition("|")
            name, at, key = place.split(":", 2)
            found.append(((name, int(at), key.strip()), text.strip()))
    return sorted(found)


def validate(directory: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["validate", "dev", "--config-dir", str(directory), *options])


def _place(problem: dict[str, Any]) -> Place:
    return Path(problem["file"]).name, problem["line"], problem["key"]


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_refused_at_its_place(case: str, tmp_path: Path) -> None:
    result = validate(folder(case, tmp_path), "--format", "json")

    assert result.exit_code == 2, result.output
    problems = json.loads(result.stdout)["problems"]
    wanted = expected(case)
    problems.sort(key=_place)
    assert [_place(problem) for problem in problems] == [place for place, _ in wanted]
    for problem, (_, text) in zip(problems, wanted, strict=True):
        assert text in f"{problem['reason']}; {problem['remedy']}"
        assert problem["rule"] == case.partition("/")[0]
        assert problem["reason"]
        assert problem["remedy"]
        assert problem["column"] >= 1


@pytest.mark.parametrize("case", CASES)
def test_people_read_one_line_a_mistake_and_no_traceback(case: str, tmp_path: Path) -> None:
    result = validate(folder(case, tmp_path))

    assert result.exit_code == 2
    *lines, count = result.stderr.splitlines()
    assert len(lines) == len(expected(case))
    assert count.startswith(f"{len(lines)} mistake")
    assert all(re.match(r"\S+\.yaml:\d+: .+; .+", line) for line in lines)
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_every_rule_is_seen_refusing_something() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(RULES) | BASIC


def test_every_rule_says_what_it_is_for() -> None:
    assert all(rule.__doc__ for rule in RULES.values())


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    directory = folder("secret/values", tmp_path)

    output = validate(directory).output + validate(directory, "--format", "json").output

    assert not any(secret in output for secret in ("AKIA", "BEGIN", "MIIB", "abcdefghijklmnop"))


def test_what_is_valid_passes() -> None:
    result = validate(HERE / "valid")

    assert result.exit_code == 0
    assert "2 applications and 2 partners, no mistakes" in result.stdout

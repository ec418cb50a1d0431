"""A plain command line is read without typer, and exactly as typer reads it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from partner_mesh.cli import check, direct, reach
from partner_mesh.cli.main import app
from partner_mesh.cli.verbs import command_of

VERBS = {"reach": reach.reach, "check": check.check}
SHOP = Path(__file__).parents[2] / "bench" / "manifests" / "boutique"
WORDS = [
    "--manifests", "here", "--from", "a/b", "--to=c", "--port", "443", "--explain", "--grid", "--declared-ports",
    "--format", "json", "--format=html", "yaml", "--fail-on", "warning", "--live", "host:443", "--max-bytes", "7",
    "--context=", "--config-dir=x=y", "-", "--", "--help", "--grid=1", "--no-grid", "--man", "",
]  # fmt: skip
# Enough for most to be plain, beside lines of anything.
PLAIN = st.lists(
    st.sampled_from([
        ["--from", "a/b"], ["--to=c"], ["--port", "443"], ["--explain"], ["--format", "json"], ["here"],
        ["--fail-on", "warning"], ["--config-dir=x=y"], ["--manifests=there"], ["--artefact", "page"],
    ]),
    max_size=4, unique_by=lambda words: words[0],
).map(lambda parts: [word for part in parts for word in part])  # fmt: skip
LINES = st.one_of(PLAIN, st.lists(st.sampled_from(WORDS), max_size=5))


READ = {verb: command_of(name, verb) for name, verb in VERBS.items()}


def by_typer(verb: Any, line: list[str]) -> dict[str, Any]:
    """Every parameter of a verb as typer reads a command line. Raises what typer raises, also for help."""
    with READ[verb].make_context("verb", list(line)) as context:
        return dict(context.params)


@pytest.mark.parametrize("verb", list(VERBS.values()), ids=list(VERBS))
@given(line=LINES)
def test_what_is_read_is_what_typer_reads(verb: Any, line: list[str]) -> None:
    read = direct.parsed(verb, line)
    if read is not None:
        assert {**by_typer(verb, []), **read} == by_typer(verb, line)


@pytest.mark.parametrize(
    "line",
    [
        ["--help"], ["--no-such"], ["--format", "xml"], ["--format"], ["--grid=1"], ["a", "b"], ["--to", "--grid"],
        ["--grid", "--grid"], ["--", "a"], ["-"], ["--man", "x"], ["--manifests="],
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_typer(line: list[str]) -> None:
    assert direct.parsed(reach.reach, line) is None


def command(*line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, and the modules that it loaded on standard error."""
    program = (
        "import sys, atexit; from partner_mesh.cli import main\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(sorted(sys.modules.keys() & set("
        "'typer pydantic rich jinja2 kubernetes inspect dataclasses'.split())))))\n"
        "main.run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *line],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_a_folder_is_judged_without_typer_and_with_the_same_words() -> None:
    line = ["reach", "--manifests", str(SHOP), "--to", "storefront"]
    done, typers = command(*line), CliRunner().invoke(app, line)
    assert (done.returncode, done.stdout, done.stderr) == (0, typers.stdout, "")


@pytest.mark.parametrize(
    "line",
    [
        ["reach", "--manifests", "no-such-folder"],
        ["reach", "--manifests", str(SHOP), "--from", "nobody"],
        ["check", "--manifests", str(SHOP), "--format", "json"],
        ["check", "--manifests", str(SHOP), "--suppressions", "no-such-file"],
    ],
)
def test_refusals_and_findings_end_as_they_do_with_typer(line: list[str]) -> None:
    done, typers = command(*line), CliRunner().invoke(app, line)
    assert (done.returncode, done.stdout) == (typers.exit_code, typers.stdout)
    assert typers.exit_code in (1, 2)
    assert done.stderr.startswith(typers.stderr)


def test_whoever_completes_words_is_answered_by_typer() -> None:
    loaded = command("reach", "--manifests", str(SHOP), _PARTNER_MESH_COMPLETE="bash_complete").stderr
    assert "typer" in loaded

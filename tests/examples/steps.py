"""What an example's files say: its steps in order, the objects of each, and the texts that are kept of them."""

import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.resources import Loaded, of_documents
from partner_mesh.cli.main import app
from partner_mesh.cli.stack import documents
from tests.golden import Golden

EXAMPLES = Path(__file__).parents[2] / "examples"


def steps(example: str) -> list[str]:
    """The names of its stacks, by the number they begin with."""
    names = [
        file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in (EXAMPLES / example).glob("Pulumi.*.yaml")
    ]
    return sorted(names, key=lambda each: int(each.partition("-")[0]))


@cache
def objects(example: str, step: str) -> Loaded:
    """Every object of a step."""
    return of_documents(documents(step, EXAMPLES / example))


@cache
def change(example: str, step: str) -> Comparison:
    """A step against the one before."""
    names = steps(example)
    before = names[names.index(step) - 1]
    return compared(objects(example, before), objects(example, step), subject=step, against=before)


@cache
def said(*arguments: str) -> str:
    """What the command prints; it must end with status 0."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def rows(table: str) -> dict[tuple[str, str], str]:
    """(source, destination) → what is allowed, of a table as text."""
    found = re.findall(r"^(\S.*?) +-> (.*?) +(?:allowed|unknown) +(.*)$", table, re.MULTILINE)
    return {(source, destination): what for source, destination, what in found}


def kept(example: str, request: pytest.FixtureRequest) -> Golden:
    """The texts that are kept of an example, in its own folder."""
    return Golden(EXAMPLES / example / "expected", bool(request.config.getoption("--refresh-golden")), ".txt")

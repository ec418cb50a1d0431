"""`partner-mesh validate STACK`: is the configuration good, and if not, where."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli import stack as stacks
from partner_mesh.config.problems import as_json


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def validate(
    stack: Annotated[str, typer.Argument(help="The stack's name: dev for Pulumi.dev.yaml.")],
    config_dir: Annotated[Path, typer.Option(help="The folder with the stacks and their partners.")] = Path(),
    output: Annotated[Format, typer.Option("--format", help="For people or for programs.")] = Format.TEXT,
) -> None:
    """Read a stack's configuration and say everything that is wrong with it. Status 2 if anything is."""
    found = stacks.read(stack, config_dir, json=output is Format.JSON)
    if output is Format.JSON:
        typer.echo(as_json(()))
    else:
        typer.echo(f"{stack}: {len(found.applications)} applications and {len(found.partners)} partners, no mistakes")

"""`partner-mesh validate STACK`: is the configuration good, and if not, where."""

from pathlib import Path

import typer

from partner_mesh.cli import stack as stacks
from partner_mesh.cli.options import ConfigDir, Format, Output, StackName
from partner_mesh.config.problems import as_json


def validate(stack: StackName, config_dir: ConfigDir = Path(), output: Output = Format.TEXT) -> None:
    """Read a stack's configuration and say everything that is wrong with it. Status 2 if anything is."""
    found = stacks.read(stack, config_dir, json=output is Format.JSON)
    if output is Format.JSON:
        typer.echo(as_json(()))
    else:
        typer.echo(f"{stack}: {len(found.applications)} applications and {len(found.partners)} partners, no mistakes")

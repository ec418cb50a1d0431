"""What every verb begins with: a stack's configuration, or its mistakes on standard error and exit status 2."""

from pathlib import Path
from typing import Any

import typer

from partner_mesh.config.loader import load_stack
from partner_mesh.config.problems import ConfigurationError, Problem, as_json, as_text
from partner_mesh.config.stack import Stack


def read(stack: str, config_dir: Path, *, json: bool = False) -> Stack:
    """The stack; with mistakes they are printed, all of them, and the program ends with status 2."""
    try:
        return load_stack(stack, config_dir)
    except ConfigurationError as error:
        refuse(error.problems, json=json)
        raise typer.Exit(2) from None


def refuse(problems: tuple[Problem, ...], *, json: bool = False) -> None:
    """Print mistakes: for people on standard error, as JSON on standard output where a program reads."""
    if json:
        typer.echo(as_json(problems))
        return
    typer.echo(as_text(problems), err=True)
    count = len(problems)
    typer.echo(f"{count} mistake{'s' if count != 1 else ''} in the configuration", err=True)


def documents(stack: str, config_dir: Path) -> list[dict[str, Any]]:
    """Every object of the stack as plain documents: what is deployed, what runs beside it, and security groups."""
    # Compiling is not needed by the verbs that only read, and they should start at once.
    from partner_mesh.specs import compile_stack  # noqa: PLC0415

    compiled = compile_stack(read(stack, config_dir))
    return [
        *(manifest.document() for manifest in compiled.manifests),
        *(dict(document) for document in compiled.inventory),
        *(dict(document) for document in compiled.security_groups),
    ]

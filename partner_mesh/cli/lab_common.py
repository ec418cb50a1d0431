"""What the verbs of `partner-mesh lab` share: their arguments, how they tell what happens, how they end."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

StackName = Annotated[str, typer.Argument(metavar="STACK", help="The stack's name: dev for Pulumi.dev.yaml.")]
ConfigDir = Annotated[Path, typer.Option("--config-dir", help="The folder with the stacks and their partners.")]


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Format, typer.Option("--format", help="For people or for programs.")]


def progress(text: str) -> None:
    """To whoever waits, on standard error."""
    typer.echo(text, err=True)


@contextmanager
def faults() -> Iterator[None]:
    """What the lab cannot do here, said and done: exit status 2."""
    from lab import LabError  # noqa: PLC0415

    try:
        yield
    except LabError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None

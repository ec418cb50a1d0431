"""What the verbs of `partner-mesh lab` share: their arguments, how they tell what happens, how they end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

StackName = Annotated[str, typer.Argument(metavar="STACK", help="The stack's name: dev for Pulumi.dev.yaml.")]
ConfigDir = Annotated[Path, typer.Option("--config-dir", help="The folder with the stacks and their partners.")]


OURS = ("lab", "partner_mesh")


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Format, typer.Option("--format", help="For people or for programs.")]


def progress(text: str) -> None:
    """To whoever waits, on standard error."""
    typer.echo(text, err=True)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def faults() -> Iterator[None]:
    """What the lab cannot do here, said and done: exit status 2. Told to end, it stops its labs before it does."""
    from lab import LabError  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except LabError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        typer.echo(f"the lab needs {error.name}: install requirements-dev.txt, as make does", err=True)
        raise typer.Exit(2) from None

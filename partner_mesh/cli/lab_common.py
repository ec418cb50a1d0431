"""What the verbs of `partner-mesh lab` share: their arguments, how they tell what happens, how they end."""

import errno
import json
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import typer

from partner_mesh.cli.options import Format

OURS = ("lab", "partner_mesh")


def progress(text: str) -> None:
    """To whoever waits, on standard error."""
    typer.echo(text, err=True)


class Finding(Protocol):
    """Something the lab tried: whether it passed, in a sentence and as JSON."""

    @property
    def passed(self) -> bool: ...  # noqa: D102 - as the class says

    def text(self) -> str: ...  # noqa: D102

    def document(self) -> dict[str, Any]: ...  # noqa: D102


def conclude(stack: str, found: Sequence[Finding], output: Format) -> None:
    """Tell every finding and the count; exit status 1 where one failed."""
    failed = sum(not each.passed for each in found)
    if output is Format.JSON:
        typer.echo(json.dumps([each.document() for each in found], indent=1))
    else:
        for each in found:
            typer.echo(each.text())
        typer.echo(f"\n{stack}: {f'{failed} of {len(found)} failed' if failed else f'all {len(found)} passed'}")
    if failed:
        raise typer.Exit(1)


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
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        where = error.filename or tempfile.gettempdir()
        typer.echo(
            f"the lab has no room for its files in {where}: {error.strerror}; set TMPDIR, or make room", err=True
        )
        raise typer.Exit(2) from None
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        typer.echo(f"the lab needs {error.name}: install requirements-dev.txt, as make does", err=True)
        raise typer.Exit(2) from None

"""What several verbs ask a person for, said once; and how a verb refuses."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Refusal(Exception):  # noqa: N818 - it is about what was asked, not about a fault of the program
    """What was asked for cannot be done: one sentence for the person who asked, and exit status 2."""


class Format(StrEnum):
    """How an answer is written."""

    TEXT = "text"
    JSON = "json"


class PageFormat(StrEnum):
    """How an answer is written that people also read in a browser or a pull request."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


StackName = Annotated[str, typer.Argument(metavar="STACK", help="The stack: Pulumi.STACK.yaml.", show_default=False)]
AnyStack = Annotated[
    str | None, typer.Argument(metavar="[STACK]", help="The stack: Pulumi.STACK.yaml.", show_default=False)
]
ConfigDir = Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")]
Manifests = Annotated[Path | None, typer.Option("--manifests", help="A folder or file of YAML instead.")]
Context = Annotated[str | None, typer.Option("--context", help="A cluster of the kubeconfig instead.")]
Artefact = Annotated[str, typer.Option("--artefact", help="Where the full report lies, for a cut one.")]
MaxBytes = Annotated[int, typer.Option("--max-bytes", help="Cut markdown to so many bytes.")]
Output = Annotated[Format, typer.Option("--format", help="For people or for programs.")]
Page = Annotated[PageFormat, typer.Option("--format", help="For people, for programs, for pages.")]

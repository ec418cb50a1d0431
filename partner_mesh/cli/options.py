"""What several verbs ask a person for, said once; and how a verb refuses.

Options are declared here without typer, which takes longer to load than a small folder to judge: `cli/verbs.py` makes
typer's of them for whoever needs it, `cli/direct.py` reads a plain command line by them.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """An option as a verb's parameter is annotated with it."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    metavar: str
    help: str


class Ended(Exception):  # noqa: N818 - no error: what was asked for is done
    """The verb is done, with an exit status other than 0."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


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


StackName = Annotated[str, Argument("STACK", "The stack: Pulumi.STACK.yaml.")]
AnyStack = Annotated[str | None, Argument("[STACK]", "The stack: Pulumi.STACK.yaml.")]
ConfigDir = Annotated[Path, Option("--config-dir", "Where the stack's file lies.")]
Manifests = Annotated[Path | None, Option("--manifests", "A folder or file of YAML instead.")]
Context = Annotated[str | None, Option("--context", "A cluster of the kubeconfig instead.")]
Artefact = Annotated[str, Option("--artefact", "Where the full report lies, for a cut one.")]
MaxBytes = Annotated[int, Option("--max-bytes", "Cut markdown to so many bytes.")]
Output = Annotated[Format, Option("--format", "For people or for programs.")]
Page = Annotated[PageFormat, Option("--format", "For people, for programs, for pages.")]

"""The command as typer has it: its verbs, their options, help, and every complaint about a command line.

Verbs are imported when they are called: `reach` starts without loading what `plan` needs.
"""

import importlib
from types import FunctionType
from typing import Annotated, Any

import typer
from typer._click.core import Command, Context  # typer keeps its own click and exports neither name
from typer.core import TyperGroup

import partner_mesh
from partner_mesh.cli.direct import VERBS
from partner_mesh.cli.options import Argument, Ended, Option, Refusal


class _Verbs(TyperGroup):
    """The verbs as a group that imports on demand."""

    def list_commands(self, ctx: Context) -> list[str]:
        """In the order in which a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The verb's command, imported now."""
        if cmd_name not in VERBS:
            return None
        module, attribute = VERBS[cmd_name]
        found: Any = getattr(importlib.import_module(module), attribute)
        return command_of(cmd_name, found)

    def invoke(self, ctx: Context) -> Any:
        """The verb's work; what it refuses is one sentence that begins with the verb, and exit status 2."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            typer.echo(f"partner-mesh {ctx.invoked_subcommand}: {refusal}", err=True)
            raise typer.Exit(2) from None
        except Ended as ended:
            raise typer.Exit(ended.status) from None


app = typer.Typer(
    cls=_Verbs,
    name="partner-mesh",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Open a cluster to outside companies without trusting any of them.",
    epilog="Exit status: 0 good, 1 findings, 2 bad input. Run from the repository's root, or give --config-dir.",
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a click callback
    if wanted:
        typer.echo(partner_mesh.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),  # noqa: FBT001, FBT003 - typer's way to declare a flag
) -> None:
    """Open a cluster to outside companies without trusting any of them."""


def command_of(name: str, verb: Any) -> Command:
    """The command of a verb: of a function, or of a Typer of its own."""
    if isinstance(verb, typer.Typer):
        _translated(verb)
        command: Command = typer.main.get_group(verb)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(_in_typers_words(verb))
        command = typer.main.get_command(single)
    command.name = name
    return command


def _translated(app: typer.Typer) -> None:
    """Make typer's options of ours, in all verbs below."""
    for each in app.registered_commands:
        if isinstance(each.callback, FunctionType):
            each.callback = _in_typers_words(each.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _translated(group.typer_instance)


def _in_typers_words(verb: FunctionType) -> FunctionType:
    """The verb, with typer's options where its parameters are annotated with ours."""
    copied = FunctionType(verb.__code__, verb.__globals__, verb.__name__, verb.__defaults__, verb.__closure__)
    copied.__doc__, copied.__module__, copied.__kwdefaults__ = verb.__doc__, verb.__module__, verb.__kwdefaults__
    copied.__annotations__ = {name: _in_typers_word(each) for name, each in verb.__annotations__.items()}
    return copied


def _in_typers_word(annotation: Any) -> Any:
    match getattr(annotation, "__metadata__", ()):
        case (Option(flag, text),):
            return Annotated[annotation.__origin__, typer.Option(flag, help=text)]
        case (Argument(metavar, text),):
            return Annotated[annotation.__origin__, typer.Argument(metavar=metavar, help=text, show_default=False)]
    return annotation

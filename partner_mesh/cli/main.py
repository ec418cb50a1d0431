"""The command's entry: a table of verbs, and the promise that nobody outside sees a traceback.

Verbs are imported when they are called: `reach` starts without loading what `plan` needs. Exit status: 0 good,
1 findings, 2 bad input.
"""

import importlib
import os
import sys
import traceback
from typing import Any, Final

import typer
from typer._click.core import Command, Context  # typer keeps its own click and exports neither name
from typer.core import TyperGroup

import partner_mesh
from partner_mesh.cli.garbage import collect_rarely
from partner_mesh.cli.options import Refusal

# Verb → module and the name in it: a function, or a Typer of its own for verbs with verbs below them.
VERBS: Final[dict[str, tuple[str, str]]] = {
    "validate": ("partner_mesh.cli.validate", "validate"),
    "plan": ("partner_mesh.cli.plan", "plan"),
    "render": ("partner_mesh.cli.render", "render"),
    "reach": ("partner_mesh.cli.reach", "reach"),
    "check": ("partner_mesh.cli.check", "check"),
    "diff": ("partner_mesh.cli.diff", "diff"),
    "picture": ("partner_mesh.cli.picture", "picture"),
    "upgrade": ("partner_mesh.cli.upgrade", "upgrade"),
    "cost": ("partner_mesh.cli.cost", "cost"),
    "onboard": ("partner_mesh.cli.onboard", "onboard"),
    "lab": ("partner_mesh.cli.lab", "lab"),
    "hairpin": ("partner_mesh.cli.hairpin", "hairpin"),
}


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
        if isinstance(found, typer.Typer):
            command: Command = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(cmd_name)(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Context) -> Any:
        """The verb's work; what it refuses is one sentence that begins with the verb, and exit status 2."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            typer.echo(f"partner-mesh {ctx.invoked_subcommand}: {refusal}", err=True)
            raise typer.Exit(2) from None


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


def run() -> None:
    """Run the command. A fault of ours is one sentence and exit status 70, with its traceback only on request."""
    collect_rarely()
    try:
        app()
    except BrokenPipeError:  # `partner-mesh render dev | head`: nobody reads on, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the last line of defence before a person
        if os.environ.get("PARTNER_MESH_TRACEBACK"):
            traceback.print_exc()
        sys.stderr.write(
            f"partner-mesh: a fault in partner-mesh itself ({type(error).__name__}); "
            "run again with PARTNER_MESH_TRACEBACK=1 and report what it prints\n"
        )
        sys.exit(70)


if __name__ == "__main__":
    run()

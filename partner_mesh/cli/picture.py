"""`partner-mesh picture`: one partner's paths, to look at or to paste into a document."""

from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli.stack import documents


def picture(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="The stack: Pulumi.STACK.yaml.")],
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's name.")],
    config_dir: Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")] = Path(),
    format: Annotated[str, typer.Option("--format", help="svg or mermaid.")] = "svg",  # noqa: A002 - the option's name
) -> None:
    """Draw what a partner may call, who may call it, and which objects let them pass."""
    # The analyser is not needed to show the help.
    from partner_mesh.analysis.resources import of_documents  # noqa: PLC0415
    from partner_mesh.analysis.table import Table  # noqa: PLC0415
    from partner_mesh.report.picture import mermaid, partners, svg  # noqa: PLC0415
    from partner_mesh.report.picture import picture as drawn  # noqa: PLC0415

    if format not in ("svg", "mermaid"):
        typer.echo(f"partner-mesh picture: --format {format}: svg or mermaid", err=True)
        raise typer.Exit(2)
    journeys = Table(of_documents(documents(stack, config_dir))).journeys
    known = partners(journeys)
    if partner not in known:
        names = ", ".join(known) or "no partner at all"
        typer.echo(f"partner-mesh picture: {partner}: no such partner in {stack}; there is {names}", err=True)
        raise typer.Exit(2)
    found = drawn(journeys, partner)
    typer.echo(svg(found) if format == "svg" else mermaid(found), nl=False)

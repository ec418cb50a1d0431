"""`partner-mesh picture`: one partner's paths, to look at or to paste into a document."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli.options import ConfigDir, Refusal, StackName
from partner_mesh.cli.stack import documents


class Drawing(StrEnum):
    """How a picture is written."""

    SVG = "svg"
    MERMAID = "mermaid"


def picture(
    stack: StackName,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's name.")],
    config_dir: ConfigDir = Path(),
    output: Annotated[Drawing, typer.Option("--format", help="To look at, or to paste.")] = Drawing.SVG,
) -> None:
    """Draw what a partner may call, who may call it, and which objects let them pass."""
    # The analyser is not needed to show the help.
    from partner_mesh.analysis.resources import of_documents  # noqa: PLC0415
    from partner_mesh.analysis.table import Table  # noqa: PLC0415
    from partner_mesh.report.picture import mermaid, partners, svg  # noqa: PLC0415
    from partner_mesh.report.picture import picture as drawn  # noqa: PLC0415

    journeys = Table(of_documents(documents(stack, config_dir))).journeys
    known = partners(journeys)
    if partner not in known:
        names = ", ".join(known) or "no partner at all"
        raise Refusal(f"{partner}: no such partner in {stack}; there is {names}")
    found = drawn(journeys, partner)
    typer.echo(svg(found) if output is Drawing.SVG else mermaid(found), nl=False)

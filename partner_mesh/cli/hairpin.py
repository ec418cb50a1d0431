"""`partner-mesh hairpin STACK [PARTNER]`: out by our egress gateway as we, in by our ingress as the partner."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli import stack as stacks
from partner_mesh.cli.lab_common import conclude, faults, progress
from partner_mesh.cli.options import ConfigDir, Format, Output, StackName

IMAGE = "curlimages/curl:8.16.0"


def hairpin(  # noqa: PLR0917  # each is an option of the command
    stack: StackName,
    partner: Annotated[
        str | None, typer.Argument(help="One partner; default: all with `hairpin: true`.", show_default=False)
    ] = None,
    objects: Annotated[  # noqa: FBT002  # a flag of the command
        bool, typer.Option("--objects", help="Print the objects for a real cluster as YAML, and start nothing.")
    ] = False,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--egress-range", help="Where the egress gateway's pods have addresses; default: the VPC."),
    ] = None,
    image: Annotated[str, typer.Option(help="The Job's image: a shell and curl.")] = IMAGE,
    config_dir: ConfigDir = Path(),
    output: Output = Format.TEXT,
) -> None:
    """The loopback test of each partner with `hairpin: true`: what must work, what must not. Status 1 if one fails."""
    config = stacks.read(stack, config_dir, json=output is Format.JSON)
    with faults():
        from lab import hairpin as loopback  # noqa: PLC0415  # needs Go and wheels; other verbs must start without
        from lab import looped  # noqa: PLC0415

        wanted = loopback.partners(config, partner)
        if objects:
            sys.stdout.write(looped.objects(config, wanted, ranges, image))
            return
        found = looped.findings(config, partner, progress)
    conclude(stack, found, output)

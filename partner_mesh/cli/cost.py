"""`partner-mesh cost STACK`: what the stack costs a month before any traffic, and which line dominates."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from partner_mesh.cli.stack import read
from partner_mesh.specs import prices
from partner_mesh.specs.cost import LEFT_OUT, Line, monthly


def cost(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="The stack: Pulumi.STACK.yaml.")],
    config_dir: Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")] = Path(),
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002 - the option's name
) -> None:
    """What the stack costs a month before any traffic, and which line dominates."""
    if format not in ("text", "json"):
        typer.echo(f"partner-mesh cost: --format {format}: text or json", err=True)
        raise typer.Exit(2)
    try:
        lines = monthly(read(stack, config_dir))
    except ValueError as error:
        typer.echo(f"partner-mesh cost: {error}", err=True)
        raise typer.Exit(2) from None
    least, most = sum(line.least for line in lines), sum(line.most for line in lines)
    if format == "json":
        typer.echo(json.dumps(_document(stack, lines, least, most), indent=2))
    elif not lines:
        typer.echo(f"{stack}: the cluster is somebody else's; this stack makes no AWS resource")
    else:
        _table(stack, lines, least, most)


def _document(stack: str, lines: tuple[Line, ...], least: float, most: float) -> dict[str, object]:
    return {
        "stack": stack,
        "currency": "USD",
        "asOf": prices.AS_OF,
        "monthly": {"least": round(least, 2), "most": round(most, 2)},
        "lines": [
            {
                "component": line.component,
                "item": line.item,
                "least": round(line.least, 2),
                "most": round(line.most, 2),
                "confirmed": line.confirmed,
            }
            for line in lines
        ],
        "leftOut": LEFT_OUT,
    }


def _table(stack: str, lines: tuple[Line, ...], least: float, most: float) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "item"):
        table.add_column(heading)
    for heading in ("least", "most", "share"):
        table.add_column(heading, justify="right")
    for line in lines:
        mark = "" if line.confirmed else "~"
        share = f"{100 * line.least / least:.0f} %"
        table.add_row(line.component, line.item, f"{mark}{line.least:,.2f}", f"{mark}{line.most:,.2f}", share)
    console = Console(soft_wrap=True)
    console.print(table)
    top = max(lines, key=lambda line: line.least)
    console.print(
        f"\n{stack}: {least:,.0f} to {most:,.0f} USD a month (prices as of {prices.AS_OF}; ~ unconfirmed); "
        f"{top.item} dominates with {100 * top.least / least:.0f} %\nleft out: {LEFT_OUT}",
        highlight=False,
    )

"""`partner-mesh cost STACK`: what the stack costs a month before any traffic, and which line dominates."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from partner_mesh.cli.options import ConfigDir, Format, Output, Refusal, StackName
from partner_mesh.cli.stack import read
from partner_mesh.specs import prices
from partner_mesh.specs.cost import LEFT_OUT, Line, monthly


def cost(stack: StackName, config_dir: ConfigDir = Path(), output: Output = Format.TEXT) -> None:
    """What the stack costs a month before any traffic, and which line dominates."""
    try:
        lines = monthly(read(stack, config_dir, json=output is Format.JSON))
    except ValueError as error:
        raise Refusal(str(error)) from None
    least, most = sum(line.least for line in lines), sum(line.most for line in lines)
    if output is Format.JSON:
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

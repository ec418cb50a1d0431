"""`partner-mesh reach`: who can talk to whom, of a stack, of any folder of YAML, or of a live cluster."""

import importlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from partner_mesh.analysis.resources import Loaded, load, of_documents
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.sets import PROTOCOLS, PortSet
from partner_mesh.analysis.table import Table, UnknownNameError, declared, narrowed
from partner_mesh.report import reach_explain, reach_json, reach_markdown, reach_text

FORMATS: Final = ("text", "json", "markdown", "html")
_PORT: Final = re.compile(r"(?:(?P<protocol>[a-z]+)[/ :]?)?(?P<first>\d+)?(?:-(?P<last>\d+))?", re.IGNORECASE)


class _Mistake(Exception):  # noqa: N818 - it is the person's, not the program's
    """What was asked for cannot be answered; the text is for the person who asked."""


def reach(  # noqa: PLR0917 - typer makes options of arguments
    stack: Annotated[str | None, typer.Argument(metavar="[STACK]", help="The stack: Pulumi.STACK.yaml.")] = None,
    manifests: Annotated[Path | None, typer.Option("--manifests", help="A folder or file of YAML instead.")] = None,
    context: Annotated[str | None, typer.Option("--context", help="A cluster of the kubeconfig instead.")] = None,
    config_dir: Annotated[Path, typer.Option("--config-dir", help="Where the stack's file lies.")] = Path(),
    source: Annotated[str, typer.Option("--from", help="A workload, namespace/, partner, address or outside.")] = "",
    destination: Annotated[str, typer.Option("--to", help="A workload, namespace/, host, address or outside.")] = "",
    port: Annotated[str, typer.Option("--port", help="443, 8000-8080, udp/53 or sctp; several with commas.")] = "",
    declared_ports: Annotated[bool, typer.Option("--declared-ports", help="Only ports that are declared.")] = False,  # noqa: FBT002 - a flag
    format: Annotated[str, typer.Option("--format", help="text, json, markdown or html.")] = "text",  # noqa: A002 - the option's name
    explain: Annotated[bool, typer.Option("--explain", help="Walk the layers, with file and line.")] = False,  # noqa: FBT002 - a flag
    grid: Annotated[bool, typer.Option("--grid", help="A sign for each pair.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show who can talk to whom, and which object decides."""
    try:
        if format not in FORMATS:
            raise _Mistake(f"--format {format}: {', '.join(FORMATS)}")
        if explain and not (source and destination):
            raise _Mistake("--explain answers one question: give --from and --to")
        if explain and format not in ("text", "json"):
            raise _Mistake(f"--explain is text or json, not {format}")
        ports = _ports(port)
        table = Table(_objects(stack, manifests, context, config_dir))
        results = table.results(source, destination, ports)
        if declared_ports:
            results = narrowed(results, declared(table.world))
    except (_Mistake, UnknownNameError) as error:
        typer.echo(f"partner-mesh reach: {error}", err=True)
        raise typer.Exit(2) from None
    if explain:
        sys.stdout.writelines(_explained(table, results, ports, manifests, format))
    elif grid and format == "text":
        sys.stdout.writelines(_lines(reach_text.grid(results, colour=sys.stdout.isatty())))
    else:
        # Of one question the refusal is the answer; of a whole stack it is the rule, and only counted.
        sys.stdout.writelines(
            _shown(results, format, str(stack or manifests or context), denied=bool(source and destination))
        )


def _ports(text: str) -> PortSet:
    """The ports of `--port`; all of them without it. A number alone means TCP."""
    if not text:
        return PortSet.ALL
    found = PortSet.NONE
    for part in text.split(","):
        match = _PORT.fullmatch(part.strip())
        protocol = (match["protocol"] or "tcp").upper() if match else ""
        if match is None or protocol not in PROTOCOLS or not part.strip():
            raise _Mistake(f"--port {part}: write 443, 8000-8080, udp/53 or sctp")
        first, last = int(match["first"] or 1), int(match["last"] or match["first"] or 65535)
        if not 1 <= first <= last <= 65535:
            raise _Mistake(f"--port {part}: ports are 1 to 65535, the lower one first")
        found |= PortSet.range(protocol, first, last)
    return found


def _objects(stack: str | None, manifests: Path | None, context: str | None, config_dir: Path) -> Loaded:
    """The objects of the one source that was named."""
    if sum(each is not None for each in (stack, manifests, context)) != 1:
        raise _Mistake("name one of STACK, --manifests DIR and --context NAME")
    if manifests is not None:
        try:
            loaded = load(manifests)
        except FileNotFoundError as error:
            raise _Mistake(str(error)) from None
        if not loaded.resources:
            notes = "".join(f"\n  {note}" for note in loaded.notes)
            raise _Mistake(f"{manifests}: no Kubernetes object in any .yaml, .yml or .json file{notes}")
        return loaded
    if context is not None:
        # The Kubernetes client takes a second to load, and only this option needs it.
        from partner_mesh.cli import cluster  # noqa: PLC0415

        try:
            return of_documents(cluster.documents(context))
        except cluster.ClusterError as error:
            raise _Mistake(str(error)) from None
    # Reading configuration loads pydantic, which other people's manifests do not need.
    from partner_mesh.cli.stack import documents  # noqa: PLC0415

    return of_documents(documents(stack or "", config_dir))


def _shown(results: Results, format: str, subject: str, *, denied: bool) -> Iterable[str]:  # noqa: A002 - the option's name
    if format == "json":
        return reach_json.chunks(results)
    if format == "markdown":
        return _lines(reach_markdown.lines(results, denied=denied))
    if format == "html":
        # The page is large and nobody else needs it.
        html = importlib.import_module("partner_mesh.report.html")
        return (str(html.page(results, f"{subject}: who can talk to whom")),)
    return _lines(reach_text.lines(results, denied=denied))


def _explained(
    table: Table,
    results: Results,
    ports: PortSet,
    root: Path | None,
    format: str,  # noqa: A002 - the option's name
) -> Iterable[str]:
    if format == "json":
        document = reach_explain.document(table, results, ports, root)
        return (json.dumps(document, indent=1, ensure_ascii=False), "\n")
    return _lines(reach_explain.lines(table, results, ports, root))


def _lines(lines: Iterable[str]) -> Iterable[str]:
    return (f"{line}\n" for line in lines)

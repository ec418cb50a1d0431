"""`partner-mesh reach`: who can talk to whom, of a stack, of any folder of YAML, or of a live cluster."""

import importlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from partner_mesh.analysis.results import Results
from partner_mesh.analysis.sets import PROTOCOLS, PortSet
from partner_mesh.analysis.table import Table, UnknownNameError, declared, narrowed
from partner_mesh.cli import objects
from partner_mesh.cli.options import AnyStack, ConfigDir, Context, Manifests, Option, Page, PageFormat, Refusal
from partner_mesh.report import reach_explain, reach_json, reach_markdown, reach_text

_PORT: Final = re.compile(r"(?:(?P<protocol>[a-z]+)[/ :]?)?(?P<first>\d+)?(?:-(?P<last>\d+))?", re.IGNORECASE)


def reach(  # noqa: PLR0917 - typer makes options of arguments
    stack: AnyStack = None,
    manifests: Manifests = None,
    context: Context = None,
    config_dir: ConfigDir = Path(),
    source: Annotated[str, Option("--from", "A workload, namespace/, partner, address or outside.")] = "",
    destination: Annotated[str, Option("--to", "A workload, namespace/, host, address or outside.")] = "",
    port: Annotated[str, Option("--port", "443, 8000-8080, udp/53 or sctp; several with commas.")] = "",
    declared_ports: Annotated[bool, Option("--declared-ports", "Only ports that are declared.")] = False,  # noqa: FBT002 - a flag
    output: Page = PageFormat.TEXT,
    explain: Annotated[bool, Option("--explain", "Walk the layers, with file and line.")] = False,  # noqa: FBT002 - a flag
    grid: Annotated[bool, Option("--grid", "A sign for each pair.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show who can talk to whom, and which object decides."""
    if explain and not (source and destination):
        raise Refusal("--explain answers one question: give --from and --to")
    if explain and output not in (PageFormat.TEXT, PageFormat.JSON):
        raise Refusal(f"--explain is text or json, not {output}")
    ports = _ports(port)
    table = Table(objects.asked(stack, manifests, context, config_dir))
    try:
        results = table.results(source, destination, ports)
    except UnknownNameError as error:
        raise Refusal(str(error)) from None
    if declared_ports:
        results = narrowed(results, declared(table.world))
    if explain:
        sys.stdout.writelines(_explained(table, results, ports, manifests, output))
    elif grid and output is PageFormat.TEXT:
        sys.stdout.writelines(_lines(reach_text.grid(results, colour=sys.stdout.isatty())))
    else:
        # Of one question the refusal is the answer; of a whole stack it is the rule, and only counted.
        sys.stdout.writelines(
            _shown(results, output, str(stack or manifests or context), denied=bool(source and destination))
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
            raise Refusal(f"--port {part}: write 443, 8000-8080, udp/53 or sctp")
        first, last = int(match["first"] or 1), int(match["last"] or match["first"] or 65535)
        if not 1 <= first <= last <= 65535:
            raise Refusal(f"--port {part}: ports are 1 to 65535, the lower one first")
        found |= PortSet.range(protocol, first, last)
    return found


def _shown(results: Results, output: PageFormat, subject: str, *, denied: bool) -> Iterable[str]:
    if output is PageFormat.JSON:
        return reach_json.chunks(results)
    if output is PageFormat.MARKDOWN:
        return _lines(reach_markdown.lines(results, denied=denied))
    if output is PageFormat.HTML:
        # The page is large and nobody else needs it.
        html = importlib.import_module("partner_mesh.report.html")
        return (str(html.page(results, f"{subject}: who can talk to whom")),)
    return _lines(reach_text.lines(results, denied=denied))


def _explained(table: Table, results: Results, ports: PortSet, root: Path | None, output: PageFormat) -> Iterable[str]:
    if output is PageFormat.JSON:
        document = reach_explain.document(table, results, ports, root)
        return (json.dumps(document, indent=1, ensure_ascii=False), "\n")
    return _lines(reach_explain.lines(table, results, ports, root))


def _lines(lines: Iterable[str]) -> Iterable[str]:
    return (f"{line}\n" for line in lines)

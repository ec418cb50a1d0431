"""The whole judgement of a stack: what `lab test` runs, tier by tier, as one list of findings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import LabError, home, netns, tiers, traffic
from lab import stack as stacks
from lab.cluster import Cluster
from lab.edited import Edits
from lab.overlay import overlay, touched
from lab.scenarios import findings
from lab.tiers import Finding
from lab.tools import Tools, tools
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled

TIERS = ("validate", "apply", "traffic")
Report = Callable[[str], None]


def judged(stack: Stack, tier: str | None, report: Report, edited: Path | None = None) -> list[Finding]:
    """Every tier, or the one named, of what the stack compiles to or of a folder with its objects edited.

    Raises LabError where that tier cannot run on this machine, and for a folder that holds no such objects.
    """
    wanted = TIERS if tier is None else (tier,)
    refusal = netns.refusal() if "traffic" in wanted else None
    if refusal is not None and tier == "traffic":
        raise LabError(f"lab: the data plane cannot run here: {refusal}")
    compiled = compile_stack(stack)
    edits = Edits.none() if edited is None else Edits.of(edited, stack, compiled)
    for sentence in edits.sentences():
        report(sentence)
    kit = tools(report)
    found = _without_proxies(kit, compiled, edits, wanted, report)
    if refusal is not None:
        found.append(Finding(3, passed=False, sentence=f"The data plane cannot run here: {refusal}."))
    elif "traffic" in wanted:
        report("tier 3: starting the data plane")
        found += _traffic(stack, edits.over(stacks.documents(kit, compiled)), report)
    return found


def _without_proxies(
    kit: Tools, compiled: Compiled, edits: Edits, wanted: tuple[str, ...], report: Report
) -> list[Finding]:
    found: list[Finding] = []
    objects = edits.over(stacks.objects(compiled))
    if "validate" in wanted:
        report(f"tier 1: istioctl reads {len(objects)} objects")
        found += tiers.offline(kit, objects)
    if not {"validate", "apply"} & set(wanted):
        return found
    named = " and ".join(str(number) for number, each in enumerate(TIERS[:2], 1) if each in wanted)
    report(f"tier{'s' if len(wanted) > 1 else ''} {named}: starting an API server with istiod's webhook")
    with home.temporary() as folder, Cluster(kit, folder, documents=objects) as cluster:
        if "validate" in wanted:
            found += tiers.charts(kit, compiled.charts, cluster)
        if "apply" in wanted:
            report(f"tier 2: applying {len(objects)} objects twice")
            found += tiers.admitted(objects, cluster)
    return found


def overlaid(stack: Stack, report: Report) -> Finding:
    """What the lab changes of a stack's documents, its charts rendered; nothing is started."""
    return adapted(stacks.documents(tools(report), compile_stack(stack)))


def adapted(documents: list[dict[str, Any]]) -> Finding:
    """What the lab changes of the documents that it is given, as a sentence, with each change below it."""
    touches = touched(documents, overlay(documents))
    fields = [touch for touch in touches if touch.path]
    objects = {(touch.kind, touch.name) for touch in fields}
    lines = [
        f"{touch.kind} {touch.name}{f' {touch.path}' if touch.path else ''}: {touch.reason or 'not in its table'}"
        for touch in touches
    ]
    return Finding(
        3,
        passed=all(touch.reason for touch in touches),
        sentence=(
            f"The lab changes {len(fields)} fields in {len(objects)} of {len(documents)} objects and adds "
            f"{len(touches) - len(fields)} of a cluster's own; the rest is byte for byte what is deployed."
        ),
        details=tuple(dict.fromkeys(lines)),
    )


def _traffic(stack: Stack, documents: list[dict[str, Any]], report: Report) -> list[Finding]:
    told = adapted(documents)
    try:
        return [
            replace(told, details=()) if told.passed else told,
            *findings(traffic.results(stack, documents, report)),
        ]
    except LabError as error:  # the lab does not start with these objects: that is a finding about them
        first, *rest = str(error).splitlines()
        return [Finding(3, passed=False, sentence=f"The data plane does not start: {first}", details=tuple(rest))]

"""The whole judgement of a stack: what `lab test` runs, tier by tier, as one list of findings."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import LabError, netns, tiers, traffic
from lab import stack as stacks
from lab.cluster import Cluster
from lab.scenarios import findings
from lab.tiers import Finding
from lab.tools import Tools, tools
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled

TIERS = ("validate", "apply", "traffic")
Report = Callable[[str], None]


def judged(stack: Stack, tier: str | None, report: Report) -> list[Finding]:
    """Every tier, or the one named. Raises LabError where that one cannot run on this machine."""
    wanted = TIERS if tier is None else (tier,)
    refusal = netns.refusal() if "traffic" in wanted else None
    if refusal is not None and tier == "traffic":
        raise LabError(f"lab: the data plane cannot run here: {refusal}")
    kit = tools(report)
    compiled = compile_stack(stack)
    found = _without_proxies(kit, compiled, wanted, report)
    if refusal is not None:
        found.append(Finding(3, passed=False, sentence=f"The data plane cannot run here: {refusal}."))
    elif "traffic" in wanted:
        report("tier 3: starting the data plane")
        found += _traffic(kit, stack, compiled, report)
    return found


def _without_proxies(kit: Tools, compiled: Compiled, wanted: tuple[str, ...], report: Report) -> list[Finding]:
    found: list[Finding] = []
    objects = stacks.objects(compiled)
    if "validate" in wanted:
        report(f"tier 1: istioctl reads {len(objects)} objects")
        found += tiers.offline(kit, objects)
    if not {"validate", "apply"} & set(wanted):
        return found
    report(f"tier{'s 1 and 2' if len(wanted) > 1 else ''}: starting an API server with istiod's webhook")
    folder = tempfile.TemporaryDirectory(prefix="partner-mesh-lab-")
    with folder as name, Cluster(kit, Path(name), documents=objects) as cluster:
        if "validate" in wanted:
            found += tiers.charts(kit, compiled.charts, cluster)
        if "apply" in wanted:
            report(f"tier 2: applying {len(objects)} objects twice")
            found += tiers.admitted(objects, cluster)
    return found


def _traffic(kit: Tools, stack: Stack, compiled: Compiled, report: Report) -> list[Finding]:
    try:
        return list(findings(traffic.results(stack, stacks.documents(kit, compiled), report)))
    except LabError as error:  # the lab does not start with these objects: that is a finding about them
        first, *rest = str(error).splitlines()
        return [Finding(3, passed=False, sentence=f"The data plane does not start: {first}", details=tuple(rest))]

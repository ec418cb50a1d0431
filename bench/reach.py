"""Who can talk to whom, for N partners and M workloads: compiled once, then analysed in a process of its own.

The clock runs from the start of that process over reading the objects as JSON to the last verdict. `pairs` are the
ordered pairs that the table answers; writing each of them out is another matter, and another column. The rows `without`
leave every NetworkPolicy out: then the layers that look closer are asked for every pair of workloads.
"""

import copy
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.measured import measure
from bench.partners import PLATFORM, names_and_ranges, two_way_partner
from partner_mesh.cli.garbage import collect_rarely

SIZES = ((10, 50, True), (100, 100, True), (100, 500, True), (100, 500, False), (1000, 1000, True))
GOALS = {(100, 500): 1.0, (1000, 1000): 10.0}  # seconds
POLICIES = frozenset({"NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier"})


def documents(partners: int, workloads: int) -> list[dict[str, Any]]:
    """A compiled stack: applications in namespaces of their own, each called by the one before it, and partners
    spread over them in both directions.
    """
    # Only the parent compiles: what is measured imports neither pydantic nor the renderers.
    from partner_mesh.config.stack import Stack
    from partner_mesh.specs import compile_stack

    platform = copy.deepcopy(PLATFORM)
    platform["cluster"]["nodeGroups"]["billing"]["size"]["max"] = 450
    applications: dict[str, Any] = {}
    for index in range(workloads):
        applications[f"app{index}"] = {"namespace": f"app{index}", "nodeGroup": "billing", "ports": {"http": 8080}}
        if index:
            applications[f"app{index}"]["callers"] = [f"app{index - 1}"]
    files = []
    for number, (name, source) in enumerate(names_and_ranges(partners)):
        file = two_way_partner(name, source)
        home = f"app{number % workloads}"
        for route in file["inbound"]["routes"]:
            route["to"] = f"{home}:http"
            route.pop("version", None)
        file["outbound"]["from"] = [home]
        files.append(file)
    stack = Stack.model_validate({
        "name": "bench", "region": "eu-central-1", "platform": platform, "applications": applications,
        "partners": files,
    })  # fmt: skip
    compiled = compile_stack(stack)
    return [
        *(manifest.document() for manifest in compiled.manifests),
        *map(dict, compiled.inventory),
        *map(dict, compiled.security_groups),
    ]


def analyse(file: str, *, write: bool) -> None:
    """Read objects, answer everything; print how much that was, or with `write` the whole table as JSON."""
    collect_rarely()  # as the command does, before it imports a verb
    from partner_mesh.analysis.resources import of_documents
    from partner_mesh.analysis.table import Table

    results = Table(of_documents(json.loads(Path(file).read_text(encoding="utf-8")))).results()
    if write:
        from partner_mesh.report import reach_json

        sys.stdout.writelines(reach_json.chunks(results))
        return
    pairs = sum(mask.bit_count() for row in results.rows for mask, _ in row)
    print(json.dumps([pairs, len(results.journeys)]))


def main() -> None:
    """Print the table."""
    print(f"{'partners':>8} {'workloads':>9} {'policies':>8} {'objects':>8} {'pairs':>10} {'journeys':>8}"
          f" {'seconds':>8} {'goal':>5} {'MiB':>6} {'µs/pair':>8} {'written, s':>10} {'MB':>6}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        for partners, workloads, policies in SIZES:
            source, answer = Path(name) / "objects.json", Path(name) / "answer.json"
            made = documents(partners, workloads)
            if not policies:
                made = [each for each in made if each["kind"] not in POLICIES]
            source.write_text(json.dumps(made, default=str), encoding="utf-8")
            command = [sys.executable, "-m", "bench.reach", str(source)]
            run = measure(command, repeat=3, keep=answer)
            pairs, journeys = json.loads(answer.read_text(encoding="utf-8"))
            written = measure([*command, "--write"], repeat=1)
            goal = GOALS.get((partners, workloads))
            with_or_without, each = "with" if policies else "without", run.seconds / pairs * 1e6
            print(f"{partners:>8} {workloads:>9} {with_or_without:>8} {len(made):>8} {pairs:>10} {journeys:>8}"
                  f" {run.seconds:>8.2f} {goal if goal else '':>5} {run.mebibytes:>6.0f} {each:>8.1f}"
                  f" {written.seconds:>10.2f} {written.output / 1e6:>6.0f}")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        analyse(sys.argv[1], write="--write" in sys.argv)
    else:
        main()

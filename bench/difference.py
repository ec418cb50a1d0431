"""What one partner of a thousand changes: two sets of compiled objects compared, access in sentences included.

The clock runs from the start of the process; reading both sides as JSON has a column of its own, for it grows with the
stack where the comparison grows with the change.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measured import measure
from partner_mesh.cli.garbage import collect_rarely

PARTNERS = 1000
GOAL = 3.0  # seconds


def changed(partner: dict[str, Any], how: str) -> dict[str, Any]:
    """A partner file after a change of one kind."""
    inbound, outbound = dict(partner["inbound"]), dict(partner["outbound"])
    match how:
        case "one more route":
            route = {"methods": ["GET"], "path": "/v1/refunds", "to": "charging:http"}
            inbound["routes"] = [*inbound["routes"], route]
        case "one more source range":
            inbound["sourceRanges"] = [*inbound["sourceRanges"], "203.0.113.0/29"]
        case _:
            outbound["methods"] = ["GET", "POST"]
    return {**partner, "inbound": inbound, "outbound": outbound}


CHANGES = ("one more route", "one more source range", "one more method outwards")


def analyse(before: str, after: str) -> None:
    """Compare two files of objects; print the seconds of reading and of comparing, and how much there is to tell."""
    from partner_mesh.analysis.comparison import compared
    from partner_mesh.analysis.resources import of_documents

    collect_rarely()
    began = time.perf_counter()
    sides = [of_documents(json.loads(Path(each).read_text(encoding="utf-8"))) for each in (before, after)]
    read = time.perf_counter()
    found = compared(sides[0], sides[1])
    print(json.dumps([read - began, time.perf_counter() - read, len(found.objects.touched), len(found.accesses)]))


def main() -> None:
    """Print the table."""
    from bench.partners import names_and_ranges, stack_of, two_way_partner
    from partner_mesh.specs import compile_stack

    files = [two_way_partner(name, source) for name, source in names_and_ranges(PARTNERS)]

    def write(target: Path, partners: list[dict[str, Any]]) -> None:
        compiled = compile_stack(stack_of(partners))
        made = [
            *(manifest.document() for manifest in compiled.manifests),
            *map(dict, compiled.inventory),
            *map(dict, compiled.security_groups),
        ]
        target.write_text(json.dumps(made, default=str), encoding="utf-8")

    print(f"{f'change of one partner in {PARTNERS}':<32} {'objects':>7} {'accesses':>8} {'read, s':>8}"
          f" {'compare, s':>10} {'goal':>5} {'whole, s':>8} {'MiB':>5}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        before, after, answer = Path(name) / "before.json", Path(name) / "after.json", Path(name) / "answer.json"
        write(before, files)
        for how in CHANGES:
            write(after, [*files[:-1], changed(files[-1], how)])
            command = [sys.executable, "-m", "bench.difference", str(before), str(after)]
            run = measure(command, repeat=3, keep=answer)
            read, compare, objects, accesses = json.loads(answer.read_text(encoding="utf-8"))
            print(f"{how:<32} {objects:>7} {accesses:>8} {read:>8.2f} {compare:>10.2f} {GOAL:>5} {run.seconds:>8.2f}"
                  f" {run.mebibytes:>5.0f}")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        analyse(*sys.argv[1:3])
    else:
        main()

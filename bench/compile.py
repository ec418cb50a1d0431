"""Compile and serialise N two-way partners, beside `helm template` of a chart that emits the same objects.

The chart is made from our own output for one partner, its name and addresses replaced by template expressions, and its
rendering is compared with ours object by object before anything is timed: the same work, or no comparison.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from bench.helm import helm
from bench.measured import Measured, measure
from bench.partners import names_and_ranges, stack_of, two_way_partner
from partner_mesh.cli.garbage import collect_rarely
from partner_mesh.model.serialize import dump, dump_all
from partner_mesh.specs import compile_stack

SIZES = (10, 100, 1000)
_NAME, _RANGE = "benchpartnername", "198.51.100.77/32"


def documents(partners: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """The objects of the partners alone: what the chart also emits."""
    compiled = compile_stack(stack_of([two_way_partner(name, source) for name, source in partners]))
    return [m.document() for manifests in compiled.partners.values() for m in manifests]


def write_chart(folder: Path) -> None:
    """A chart that ranges over partners and emits what we emit for each."""
    body = dump_all(documents([(_NAME, _RANGE)]))
    body = body.replace(_NAME, "{{ $p.name }}").replace(_RANGE, "{{ $p.range }}")
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: partners\nversion: 0.1.0\n")
    (folder / "templates" / "partners.yaml").write_text("{{- range $p := .Values.partners }}\n" + body + "{{- end }}\n")


def write_values(target: Path, count: int) -> None:
    """The chart's values for `count` partners."""
    target.write_text(dump({"partners": [{"name": n, "range": r} for n, r in names_and_ranges(count)]}))


def same_objects(left: str, right: str) -> bool:
    """Whether two streams of YAML documents hold the same objects, in whatever order."""
    return _canonical(left) == _canonical(right)


def _canonical(text: str) -> list[str]:
    found = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return sorted(json.dumps(document, sort_keys=True) for document in found if document)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_chart(folder / "chart")
        rows: list[tuple[int, int, Measured, Measured]] = []
        for count in SIZES:
            values, ours_out, helm_out = folder / f"{count}.yaml", folder / "ours", folder / "helm"
            write_values(values, count)
            ours = measure([sys.executable, "-m", "bench.compile", str(count)], keep=ours_out)
            theirs = measure([str(helm()), "template", "x", str(folder / "chart"), "-f", str(values)], keep=helm_out)
            if not same_objects(ours_out.read_text(), helm_out.read_text()):
                sys.exit("the chart does not emit what we emit: the comparison would mean nothing")
            objects = ours_out.read_text().count("\n---\n") + 1
            rows.append((count, objects, ours, theirs))
    print("Compile and serialise two-way partners (best of 3, process start included)\n")
    print("partners objects   seconds      MiB  growth |  helm s  helm MiB  growth | ours/helm")
    for i, (count, objects, ours, theirs) in enumerate(rows):
        before = rows[i - 1] if i else None
        growth = [
            f"{m.seconds / b.seconds:6.1f}×" if b else "       "
            for m, b in ((ours, before and before[2]), (theirs, before and before[3]))
        ]
        print(
            f"{count:8d} {objects:7d} {ours.seconds:9.2f} {ours.mebibytes:8.0f} {growth[0]} |"
            f" {theirs.seconds:7.2f} {theirs.mebibytes:9.0f} {growth[1]} | {ours.seconds / theirs.seconds:8.2f}×"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        collect_rarely()  # as the command does
        sys.stdout.write(dump_all(documents(names_and_ranges(int(sys.argv[1])))))
    else:
        main()

"""A shop of twelve services in three configurations: AuthorizationPolicies, NetworkPolicies, Sidecars with a gateway.

The size and the kinds of objects are those of the online boutique, on which np-guard's network-config-analyzer takes
9.4 s for its Istio connectivity scheme: one process, three configurations. So it is here: from the start of one process
over reading the YAML of each configuration to the last verdict of the last table.
"""

import json
import sys
from pathlib import Path

from bench.measured import measure

SHOP = Path(__file__).parent / "manifests" / "boutique"
CONFIGURATIONS = ("authorization", "network-policies", "egress")
GOAL = 0.5  # seconds, for all three


def analyse(names: list[str]) -> None:
    """Read and answer each configuration; print how many connections are allowed, denied and unknown."""
    from partner_mesh.analysis.resources import Loaded, load
    from partner_mesh.analysis.table import Table

    counts = {}
    for name in names:
        read = [load(SHOP / "services.yaml"), load(SHOP / name)]
        loaded = Loaded(
            tuple(resource for each in read for resource in each.resources),
            tuple(note for each in read for note in each.notes),
        )
        found = Table(loaded).results().count()
        counts[name] = {verdict.value: number for verdict, number in found.items()}
    print(json.dumps(counts))


def main() -> None:
    """Print the table."""
    print(f"{'configurations':<46} {'seconds':>8} {'goal':>5} {'MiB':>5}")
    command = [sys.executable, "-m", "bench.boutique"]
    for names in (*([each] for each in CONFIGURATIONS), list(CONFIGURATIONS)):
        run = measure([*command, *names], repeat=5)
        goal = GOAL if len(names) > 1 else ""
        print(f"{', '.join(names):<46} {run.seconds:>8.2f} {goal:>5} {run.mebibytes:>5.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        analyse(sys.argv[1:])
    else:
        main()

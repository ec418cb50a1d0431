"""Bytes, seconds and mebibytes of real Envoys with 10 to 1,000 partners: `python -m bench scale` (needs the lab).

The same measurement as `partner-mesh lab scale`, over the benchmark's own stack.
"""

import sys

from bench.partners import stack
from lab.scale import SHAPES, measured
from lab.scale_report import table


def main() -> None:
    """Measure every shape, tell how it goes on standard error, print the table."""
    sizes = [measured(stack(1), shape, lambda text: print(text, file=sys.stderr)) for shape in SHAPES]
    print(table(sizes))

"""Few combinations in which every value of one dimension meets every value of every other at least once."""

import itertools
import random
from collections.abc import Sequence
from typing import Any, Final

CANDIDATES: Final = 20

Row = tuple[Any, ...]


def pairwise(dimensions: Sequence[Sequence[Any]], chance: random.Random) -> list[Row]:
    """Rows of one value a dimension. Greedy, so not the fewest; the same for the same `chance`."""
    sizes = [len(values) for values in dimensions]
    open_pairs = {
        (a, i, b, j)
        for a, b in itertools.combinations(range(len(sizes)), 2)
        for i, j in itertools.product(range(sizes[a]), range(sizes[b]))
    }
    waiting = sorted(open_pairs)
    chance.shuffle(waiting)
    rows: list[Row] = []
    while waiting:
        wanted = waiting.pop()
        if wanted not in open_pairs:
            continue
        tried = [_candidate(sizes, wanted, chance) for _ in range(CANDIDATES)]
        best = max(tried, key=lambda row: len(open_pairs & _pairs(row)))
        open_pairs -= _pairs(best)
        rows.append(tuple(values[index] for values, index in zip(dimensions, best, strict=True)))
    return rows


def _candidate(sizes: Sequence[int], wanted: tuple[int, int, int, int], chance: random.Random) -> tuple[int, ...]:
    row = [chance.randrange(size) for size in sizes]
    first, i, second, j = wanted
    row[first], row[second] = i, j
    return tuple(row)


def _pairs(row: tuple[int, ...]) -> set[tuple[int, int, int, int]]:
    return {(a, row[a], b, row[b]) for a, b in itertools.combinations(range(len(row)), 2)}

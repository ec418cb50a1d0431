"""Automata under construction: with silent moves and several ways at once, made deterministic at the end."""

from collections.abc import Iterable
from functools import lru_cache

from partner_mesh.analysis.automaton import LAST, Automaton, Ranges, Row, merged, minimal, spans


class Fragments:
    """A nondeterministic automaton under construction: states, silent moves, moves on ranges."""

    def __init__(self) -> None:
        self.silent: list[list[int]] = []
        self.moves: list[list[tuple[int, int, int]]] = []

    def state(self) -> int:
        """A new state."""
        self.silent.append([])
        self.moves.append([])
        return len(self.silent) - 1

    def move(self, source: int, ranges: Ranges, target: int) -> None:
        """A move on any character of some ranges."""
        self.moves[source].extend((low, high, target) for low, high in ranges)

    def skip(self, source: int, target: int) -> None:
        """A move without a character."""
        self.silent[source].append(target)

    def embed(self, automaton: Automaton) -> tuple[int, tuple[int, ...]]:
        """A copy of a deterministic automaton: its start and its accepting states. Dead states are left out."""
        alive = automaton.live()
        copies = {state: self.state() for state in sorted(alive | {0})}
        for state in sorted(alive):
            for low, high, target in spans(automaton.rows[state]):
                if target in alive:
                    self.move(copies[state], ((low, high),), copies[target])
        return copies[0], tuple(copies[state] for state in sorted(automaton.accepting))

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """The states reached without a character."""
        seen = set(states)
        pending = list(seen)
        while pending:
            for target in self.silent[pending.pop()]:
                if target not in seen:
                    seen.add(target)
                    pending.append(target)
        return frozenset(seen)

    def determined(self, start: int, final: Iterable[int], limit: int = 4096) -> Automaton:
        """The subset construction. Raises OverflowError beyond `limit` states."""
        wanted = frozenset(final)
        initial = self.closure([start])
        number = {initial: 0}
        order = [initial]
        rows: list[Row] = []
        for subset in order:  # grows while it is read
            moves = [move for state in subset for move in self.moves[state]]
            cuts = sorted({0, *(m[0] for m in moves), *(m[1] + 1 for m in moves if m[1] < LAST)})
            row: list[tuple[int, int]] = []
            for cut in cuts:
                target = self.closure(t for low, high, t in moves if low <= cut <= high)
                if target not in number:
                    if len(number) >= limit:
                        raise OverflowError("pattern needs too many states")
                    number[target] = len(number)
                    order.append(target)
                row.append((cut, number[target]))
            rows.append(merged(row))
        return minimal(rows, [number[subset] for subset in order if subset & wanted])


@lru_cache(maxsize=4096)
def concatenation(*parts: Automaton) -> Automaton:
    """Words of the parts, one after the other."""
    fragments = Fragments()
    start = here = fragments.state()
    for part in parts:
        first, final = fragments.embed(part)
        fragments.skip(here, first)
        here = fragments.state()
        for state in final:
            fragments.skip(state, here)
    return fragments.determined(start, [here])

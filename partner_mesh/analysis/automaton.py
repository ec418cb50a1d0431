"""Regular languages as minimal automata: the exact set algebra below every string pattern Istio has.

Exact, prefix, suffix, path template and RE2 patterns are all regular, and so are their unions, intersections and
differences; a minimal deterministic automaton with a fixed numbering makes two equal languages equal objects. Nothing
here knows of HTTP: `strings.py` does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from partner_mesh.model.record import dataclass, field

LAST = 0x10FFFF  # alphabet: all code points, in ranges
Ranges = tuple[tuple[int, int], ...]  # inclusive, ascending, disjoint
Row = tuple[tuple[int, int], ...]  # (first code point, target) ascending; each holds until the next; the first is 0


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A complete, minimal, canonically numbered automaton. State 0 starts. Equal languages are equal values."""

    rows: tuple[Row, ...]
    accepting: frozenset[int]
    _hash: int = field(init=False, repr=False, compare=False, default=0)  # these are keys of caches: hashed once

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.rows, self.accepting)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Automaton) or self._hash != other._hash:
            return False
        return self.rows == other.rows and self.accepting == other.accepting

    def step(self, state: int, char: int) -> int:
        """The state after one more character (a code point)."""
        row = self.rows[state]
        target = row[0][1]
        for first, candidate in row:
            if first > char:
                break
            target = candidate
        return target

    def after(self, word: str, state: int = 0) -> int:
        """The state after a word."""
        rows = self.rows
        for char in word:
            code = ord(char)
            for first, target in rows[state]:  # `step`, without a call for each character
                if first > code:
                    break
                after = target
            state = after
        return state

    def accepts(self, word: str) -> bool:
        """Whether the word belongs to the language."""
        return self.after(word) in self.accepting

    @property
    def empty(self) -> bool:
        """Whether no word belongs to it."""
        return not self.accepting

    def residual(self, word: str) -> "Automaton":
        """The words that complete `word` into one of ours."""
        return minimal(self.rows, self.accepting, self.after(word))

    def shortest(self) -> str | None:
        """A shortest word, the first in code point order among printable ones; None for the empty language."""
        seen = {0: ""}
        frontier = [0]
        while frontier:
            for state in frontier:
                if state in self.accepting:
                    return seen[state]
            reached: list[int] = []
            for state in frontier:
                for low, high, target in spans(self.rows[state]):
                    if target not in seen:
                        seen[target] = seen[state] + chr(_printable(low, high))
                        reached.append(target)
            frontier = reached
        return None

    def live(self) -> frozenset[int]:
        """The states from which some word is accepted."""
        sources: dict[int, list[int]] = {}
        for state, row in enumerate(self.rows):
            for _, target in row:
                sources.setdefault(target, []).append(state)
        alive = set(self.accepting)
        pending = list(self.accepting)
        while pending:
            for state in sources.get(pending.pop(), ()):
                if state not in alive:
                    alive.add(state)
                    pending.append(state)
        return frozenset(alive)

    def words(self, limit: int) -> tuple[str, ...] | None:
        """All words in order, or None if there are more than `limit` (infinitely many included)."""
        if any(len(self.rows[state]) == 1 and self.rows[state][0][1] == state for state in self.accepting):
            return None  # every word that begins so is one: most languages that are not finite have such a state
        alive = self.live()
        found: list[str] = []
        pending: list[tuple[int, str]] = [(0, "")] if 0 in alive else []
        while pending:
            state, word = pending.pop()
            if len(word) > len(self.rows):
                return None  # longer than the number of states: there is a cycle
            if state in self.accepting:
                found.append(word)
            for low, high, target in spans(self.rows[state]):
                if target in alive:
                    if high - low + len(found) + len(pending) >= limit:
                        return None
                    pending.extend((target, word + chr(char)) for char in range(low, high + 1))
            if len(found) > limit:
                return None
        return tuple(sorted(found))


def spans(row: Row) -> Iterator[tuple[int, int, int]]:
    """(first, last, target) of each range of a row."""
    for index, (first, target) in enumerate(row):
        yield first, (row[index + 1][0] - 1 if index + 1 < len(row) else LAST), target


def _printable(low: int, high: int) -> int:
    """A code point of the range that a person can read: a letter or digit, else printable, else whatever there is."""
    for first, last in ((97, 122), (48, 57), (33, 126)):
        if low <= last and high >= first:
            return max(low, first)
    return low


def minimal(rows: Sequence[Row], accepting: Iterable[int], start: int = 0) -> Automaton:
    """The minimal automaton of what is accepted from `start`, numbered breadth first."""
    final = frozenset(accepting)
    block = _from_the_end(rows, final, start)
    if block is None:
        block = _refined(rows, final, start)
    quotient: dict[int, Row] = {}
    for state, name in block.items():
        if name not in quotient:
            quotient[name] = merged([(first, block[target]) for first, target in rows[state]])
    return numbered(quotient, {block[state] for state in block if state in final}, block[start])


def _from_the_end(rows: Sequence[Row], final: frozenset[int], start: int) -> dict[int, int] | None:
    """State → class in one pass from the last states to the first; None where there are cycles besides self-loops.

    Nearly all patterns are such chains and trees. A state joins a class that goes where it goes; one with a self-loop
    may also be one of its own successors in disguise.
    """
    order = _finished(rows, start)
    if order is None:
        return None
    block: dict[int, int] = {}
    known: dict[tuple[bool, Row], int] = {}
    shape: list[tuple[bool, Row]] = []  # of each class, with -1 for the class itself
    for state in order:
        accepts = state in final
        row = merged([(first, -1 if target == state else block[target]) for first, target in rows[state]])
        found = None
        for _, successor in row:
            if successor >= 0 and shape[successor] == (
                accepts, merged([(first, -1 if target in (-1, successor) else target) for first, target in row])
            ):  # fmt: skip
                found = successor
                break
        if found is None:
            found = known.setdefault((accepts, row), len(shape))
            if found == len(shape):
                shape.append((accepts, row))
        block[state] = found
    return block


def _finished(rows: Sequence[Row], start: int) -> list[int] | None:
    """Reachable states, each after all its successors; None where a cycle makes that impossible."""
    done: dict[int, bool] = {start: False}
    order: list[int] = []
    path: list[tuple[int, Iterator[tuple[int, int]]]] = [(start, iter(rows[start]))]
    while path:
        state, successors = path[-1]
        for _, target in successors:
            if target == state:
                continue
            finished = done.get(target)
            if finished is None:
                done[target] = False
                path.append((target, iter(rows[target])))
                break
            if not finished:
                return None
        else:
            done[state] = True
            order.append(state)
            path.pop()
    return order


def _refined(rows: Sequence[Row], final: frozenset[int], start: int) -> dict[int, int]:
    """State → class by Moore's partition refinement."""
    reachable = [start]
    seen = {start}
    for state in reachable:  # grows while it is read
        for _, target in rows[state]:
            if target not in seen:
                seen.add(target)
                reachable.append(target)
    block = {state: int(state in final) for state in reachable}
    count = len(set(block.values()))
    while True:
        names: dict[tuple[int, Row], int] = {}
        block = {
            state: names.setdefault((block[state], merged([(f, block[t]) for f, t in rows[state]])), len(names))
            for state in reachable
        }
        if len(names) == count:
            return block
        count = len(names)


def numbered(rows: dict[int, Row], accepting: set[int], start: int) -> Automaton:
    """The canonical numbering of an automaton that is minimal already."""
    number = {start: 0}
    order = [start]
    for state in order:  # grows while it is read
        for _, target in rows[state]:
            if target not in number:
                number[target] = len(number)
                order.append(target)
    return Automaton(
        tuple(tuple((first, number[target]) for first, target in rows[state]) for state in order),
        frozenset(number[state] for state in order if state in accepting),
    )


def merged(pairs: Iterable[tuple[int, int]]) -> Row:
    """A row of these ranges, neighbours that lead to one state put together."""
    row: list[tuple[int, int]] = []
    for first, target in pairs:
        if not row or row[-1][1] != target:
            row.append((first, target))
    return tuple(row)


def product(left: Automaton, right: Automaton, accept: Callable[[bool, bool], bool]) -> Automaton:
    """Both automata at once; `accept` decides from what each of them says of a word."""
    number = {(0, 0): 0}
    order = [(0, 0)]
    rows: list[Row] = []
    for a, b in order:  # grows while it is read
        row: list[tuple[int, int]] = []
        for first, pair in _zipped(left.rows[a], right.rows[b]):
            if pair not in number:
                number[pair] = len(number)
                order.append(pair)
            row.append((first, number[pair]))
        rows.append(merged(row))
    final = [number[a, b] for a, b in order if accept(a in left.accepting, b in right.accepting)]
    return minimal(rows, final)


def _zipped(left: Row, right: Row) -> Iterator[tuple[int, tuple[int, int]]]:
    i = j = 0
    while True:
        yield max(left[i][0], right[j][0]), (left[i][1], right[j][1])
        next_left = left[i + 1][0] if i + 1 < len(left) else LAST + 1
        next_right = right[j + 1][0] if j + 1 < len(right) else LAST + 1
        if next_left == next_right == LAST + 1:
            return
        i += next_left <= next_right
        j += next_right <= next_left


@lru_cache(maxsize=65536)
def intersection(left: Automaton, right: Automaton) -> Automaton:
    """The words of both."""
    return product(left, right, lambda a, b: a and b)


@lru_cache(maxsize=65536)
def union(left: Automaton, right: Automaton) -> Automaton:
    """The words of either."""
    return product(left, right, lambda a, b: a or b)


@lru_cache(maxsize=65536)
def difference(left: Automaton, right: Automaton) -> Automaton:
    """The words of the left only."""
    return product(left, right, lambda a, b: a and not b)


@lru_cache(maxsize=65536)
def complement(language: Automaton) -> Automaton:
    """Every word but these and the empty one.

    What a minimal automaton refuses is accepted by the same states turned around. The start must then refuse the empty
    word: where nothing leads back to it, and no other state goes where it goes, it may do so by itself.
    """
    rows = language.rows
    final = frozenset(range(len(rows))) - language.accepting
    if 0 not in final:
        return Automaton(rows, final)
    alone = all(target for row in rows for _, target in row)
    if alone and not any(row == rows[0] and state not in final for state, row in enumerate(rows) if state):
        return Automaton(rows, final - {0})
    return difference(difference(EVERYTHING, language), chain("", accept_word=True))


EMPTY = Automaton((((0, 0),),), frozenset())
EVERYTHING = Automaton((((0, 0),),), frozenset({0}))


def chain(word: str, *, accept_word: bool, then: str = "", accept_beyond: bool = False) -> Automaton:
    """`word` itself if `accept_word`; with `accept_beyond`, everything that begins with `word + then`.

    Built without refinement, for there are thousands of these: every state has its own remaining length, so the
    automaton is minimal as it stands.
    """
    if accept_beyond and not then:
        text, final, loop = word, {len(word)}, True
    else:
        text, final, loop = word + then, ({len(word)} if accept_word else set()), accept_beyond
        if accept_beyond:
            final.add(len(text))
    dead = len(text) + 1
    rows: dict[int, Row] = {dead: ((0, dead),)}
    for index, char in enumerate(text):
        code = ord(char)
        row: list[tuple[int, int]] = [] if code == 0 else [(0, dead)]
        row.append((code, index + 1))
        if code < LAST:
            row.append((code + 1, dead))
        rows[index] = tuple(row)
    rows[len(text)] = ((0, len(text)),) if loop else ((0, dead),)
    return numbered(rows, final, 0) if final else EMPTY

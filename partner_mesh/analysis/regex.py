"""RE2 patterns, as Istio hands them to Envoy, compiled to automata.

Envoy matches the whole string (`safe_regex` is a full match), so anchors at the ends mean nothing and elsewhere
nothing can match. Everything in RE2 that is regular and that people write is read; what is not raises `Unmodelled`,
which becomes an `unknown` verdict with the pattern as its reason.
"""

from functools import lru_cache
from typing import Final

from partner_mesh.analysis.automaton import LAST, Automaton, Ranges
from partner_mesh.analysis.fragments import Fragments
from partner_mesh.model.record import dataclass

REPEAT_LIMIT: Final = 64  # a{1000} would cost a thousand states: such patterns are reported, not modelled

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_DIGITS: Final[Ranges] = ((48, 57),)
_WORD: Final[Ranges] = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Final[Ranges] = ((9, 10), (12, 13), (32, 32))
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_POSIX: Final[dict[str, Ranges]] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "digit": _DIGITS,
    "lower": ((97, 122),),
    "upper": ((65, 90),),
    "space": ((9, 13), (32, 32)),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
    "graph": ((33, 126),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
}
ANY_BUT_NEWLINE: Final[Ranges] = ((0, 9), (11, LAST))


class Unmodelled(ValueError):  # noqa: N818  # what it says of a pattern
    """A pattern whose meaning this analyser does not claim to know."""


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group's place in the pattern, both parentheses excluded."""

    first: int
    last: int


@lru_cache(maxsize=16384)
def full_match(pattern: str) -> Automaton:
    """The strings that the whole of `pattern` matches. Raises `Unmodelled`."""
    try:
        return _Parser(pattern).automaton()
    except (OverflowError, RecursionError) as error:
        raise Unmodelled(f"regex {pattern!r} is too large to model") from error


def negated(ranges: Ranges) -> Ranges:
    """Everything else."""
    found: list[tuple[int, int]] = []
    low = 0
    for first, last in sorted(ranges):
        if first > low:
            found.append((low, first - 1))
        low = max(low, last + 1)
    if low <= LAST:
        found.append((low, LAST))
    return tuple(found)


def folded(ranges: Ranges) -> Ranges:
    """With the other case of every ASCII letter."""
    more = list(ranges)
    for low, high in ranges:
        for base, shift in ((65, 32), (97, -32)):
            first, last = max(low, base), min(high, base + 25)
            if first <= last:
                more.append((first + shift, last + shift))
    return negated(negated(tuple(more)))


class _Parser:
    """Recursive descent straight into fragments: an expression is (start, end) of a piece of the automaton."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.parts = Fragments()
        self.fold = False
        self.dot_all = False

    def automaton(self) -> Automaton:
        start, end = self.alternatives()
        if self.at < len(self.pattern):
            raise Unmodelled(f"regex {self.pattern!r} has an unbalanced parenthesis")
        return self.parts.determined(start, [end])

    def peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise Unmodelled(f"regex {self.pattern!r} ends too early")
        self.at += 1
        return char

    def alternatives(self) -> tuple[int, int]:
        fold, dot_all = self.fold, self.dot_all
        start, end = self.parts.state(), self.parts.state()
        while True:
            first, last = self.sequence()
            self.parts.skip(start, first)
            self.parts.skip(last, end)
            if self.peek() != "|":
                self.fold, self.dot_all = fold, dot_all
                return start, end
            self.at += 1

    def sequence(self) -> tuple[int, int]:
        start = here = self.parts.state()
        while self.peek() and self.peek() not in "|)":
            first, last = self.repeated()
            self.parts.skip(here, first)
            here = last
        return start, here

    def repeated(self) -> tuple[int, int]:
        began = self.at
        fold, dot_all = self.fold, self.dot_all
        piece = self.atom()
        ended = self.at
        while True:
            low, high = self.quantifier()
            if low < 0:
                return piece
            if self.pattern[began:ended] in ("^", "$"):
                raise Unmodelled(f"regex {self.pattern!r} repeats an anchor")
            after = self.at
            piece = self.copies(piece, (began, ended), (low, high), (fold, dot_all))
            self.at = after
            ended = after

    def quantifier(self) -> tuple[int, int]:
        """(least, most) with most -1 for no bound; (-1, -1) where there is none. Laziness changes no full match."""
        char = self.peek()
        bounds = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(char, (-1, -1))
        if char == "{":
            close = self.pattern.find("}", self.at)
            body = self.pattern[self.at + 1 : close] if close > 0 else ""
            low, comma, high = body.partition(",")
            if not low.isdigit() or (high and not high.isdigit()):
                return -1, -1  # RE2 reads such a brace literally: atom() does
            bounds = int(low), int(high) if high else (-1 if comma else int(low))
            if max(bounds) > REPEAT_LIMIT:
                raise Unmodelled(f"regex {self.pattern!r} repeats more than {REPEAT_LIMIT} times")
            self.at = close
        elif bounds == (-1, -1):
            return bounds
        self.at += 1
        if self.peek() == "?":
            self.at += 1
        return bounds

    def copies(
        self, piece: tuple[int, int], text: tuple[int, int], bounds: tuple[int, int], flags: tuple[bool, bool]
    ) -> tuple[int, int]:
        """The piece again and again: each further copy is parsed anew from its text."""
        low, high = bounds
        start = here = self.parts.state()
        pieces = [piece]

        def another() -> tuple[int, int]:
            if pieces:
                return pieces.pop()
            parser = _Parser(self.pattern[: text[1]])
            parser.parts, parser.at = self.parts, text[0]
            parser.fold, parser.dot_all = flags
            result = parser.repeated()
            if parser.at != text[1]:
                raise Unmodelled(f"regex {self.pattern!r} is not understood near position {text[0]}")
            return result

        for _ in range(low):
            first, last = another()
            self.parts.skip(here, first)
            here = last
        end = self.parts.state()
        if high < 0:
            first, last = another()
            loop = self.parts.state()
            self.parts.skip(here, loop)
            self.parts.skip(loop, first)
            self.parts.skip(last, loop)
            self.parts.skip(loop, end)
            return start, end
        self.parts.skip(here, end)
        for _ in range(high - low):
            first, last = another()
            self.parts.skip(here, first)
            here = last
            self.parts.skip(here, end)
        return start, end

    def atom(self) -> tuple[int, int]:
        char = self.take()
        if char == "(":
            return self.group()
        if char in "^$":
            return self.anchor(char)
        if char == "[":
            return self.ranges(self.bracket())
        if char == ".":
            return self.ranges(((0, LAST),) if self.dot_all else ANY_BUT_NEWLINE)
        if char == "\\":
            return self.escape()
        if char in "*+?":
            raise Unmodelled(f"regex {self.pattern!r} repeats nothing")
        return self.ranges(((ord(char), ord(char)),))

    def anchor(self, char: str) -> tuple[int, int]:
        """At the pattern's own ends an anchor says what a full match says anyway."""
        before, after = self.pattern[: self.at - 1], self.pattern[self.at :]
        redundant = not before.strip("(") if char == "^" else not after.strip(")")
        if not redundant:
            raise Unmodelled(f"regex {self.pattern!r} has an anchor inside")
        here = self.parts.state()
        return here, here

    def group(self) -> tuple[int, int]:
        if self.peek() == "?":
            self.at += 1
            if self.pattern.startswith(("P<", "<"), self.at) and not self.pattern.startswith(("<=", "<!"), self.at):
                self.at = self.pattern.find(">", self.at) + 1
                if self.at == 0:
                    raise Unmodelled(f"regex {self.pattern!r} has a group name without end")
            elif not self.flags():
                here = self.parts.state()
                return here, here
        piece = self.alternatives()
        if self.peek() != ")":
            raise Unmodelled(f"regex {self.pattern!r} has an unbalanced parenthesis")
        self.at += 1
        return piece

    def flags(self) -> bool:
        """Reads `i:` or `i)`; whether a group's content follows."""
        sign = True
        while (char := self.take()) not in ":)":
            if char == "-":
                sign = False
            elif char == "i":
                self.fold = sign
            elif char == "s":
                self.dot_all = sign
            elif char != "U":
                raise Unmodelled(f"regex {self.pattern!r} uses (?{char}), which is not modelled")
        return char == ":"

    def escape(self) -> tuple[int, int]:
        char = self.take()
        if char == "Q":
            close = self.pattern.find("\\E", self.at)
            text = self.pattern[self.at : close if close >= 0 else len(self.pattern)]
            self.at = close + 2 if close >= 0 else len(self.pattern)
            start = here = self.parts.state()
            for each in text:
                first, last = self.ranges(((ord(each), ord(each)),))
                self.parts.skip(here, first)
                here = last
            return start, here
        return self.ranges(self.escaped(char))

    def escaped(self, char: str) -> Ranges:
        if char.lower() in _CLASSES:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else negated(ranges)
        if char in _ESCAPES:
            return ((ord(_ESCAPES[char]),) * 2,)
        if char == "x":
            if self.peek() == "{":
                close = self.pattern.find("}", self.at)
                digits, self.at = self.pattern[self.at + 1 : close], close + 1
            else:
                digits, self.at = self.pattern[self.at : self.at + 2], self.at + 2
            try:
                return ((int(digits, 16),) * 2,)
            except ValueError as error:
                raise Unmodelled(f"regex {self.pattern!r} has a broken \\x escape") from error
        if char.isalnum():
            raise Unmodelled(f"regex {self.pattern!r} uses \\{char}, which is not modelled")
        return ((ord(char),) * 2,)

    def bracket(self) -> Ranges:
        negative = self.peek() == "^"
        self.at += negative
        found: list[tuple[int, int]] = []
        first = True
        while (char := self.take()) != "]" or first:
            first = False
            if char == "[" and self.peek() == ":":
                close = self.pattern.find(":]", self.at)
                name = self.pattern[self.at + 1 : close]
                ranges = _POSIX.get(name.lstrip("^"))
                if close < 0 or ranges is None:
                    raise Unmodelled(f"regex {self.pattern!r} has an unknown character class")
                found.extend(negated(ranges) if name.startswith("^") else ranges)
                self.at = close + 2
                continue
            low = self.escaped(self.take()) if char == "\\" else ((ord(char),) * 2,)
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                char = self.take()
                high = self.escaped(self.take()) if char == "\\" else ((ord(char),) * 2,)
                if len(low) != 1 or len(high) != 1 or low[0][0] > high[0][1]:
                    raise Unmodelled(f"regex {self.pattern!r} has a broken range")
                low = ((low[0][0], high[0][1]),)
            found.extend(low)
        ranges = tuple(found)
        if self.fold:  # before the negation: (?i)[^a] excludes both cases
            ranges = folded(ranges)
        return negated(ranges) if negative else negated(negated(ranges))

    def ranges(self, ranges: Ranges) -> tuple[int, int]:
        start, end = self.parts.state(), self.parts.state()
        self.parts.move(start, folded(ranges) if self.fold else ranges, end)
        return start, end

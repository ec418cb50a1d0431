"""Calico's selector expressions, read into the tree that `selectors.py` evaluates.

The grammar follows libcalico-go's `selector/parser`: `||` binds weakest, then `&&`, then `!`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from partner_mesh.analysis.selectors import (
    And,
    Everything,
    Exists,
    Global,
    In,
    Not,
    Or,
    Selector,
    SelectorError,
    Text,
)

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<string>"[^"]*"|'[^']*')
      | (?P<function>(?:all|global)\(\s*\))
      | has\(\s*(?P<has>[A-Za-z0-9_./-]+)\s*\)
      | (?P<symbol>==|!=|&&|\|\||[!(){},])
      | (?P<word>[A-Za-z0-9_./-]+)
    )""",
    re.VERBOSE,
)
_OPERATOR: Final = re.compile(r"\s*(contains|starts\s*with|ends\s*with|not\s*in|in)")


@lru_cache(maxsize=4096)
def calico_selector(text: str) -> Selector:
    """A Calico selector expression; empty selects everything. Raises SelectorError with what was expected."""
    parser = _Parser(text)
    if parser.peek()[0] == "end":
        return Everything()
    selector = parser.alternatives()
    if parser.peek()[0] != "end":
        raise SelectorError(f"unexpected {parser.peek()[1]!r} in selector {text!r}")
    return selector


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokens())
        self.at = 0

    def _tokens(self) -> Iterator[tuple[str, str]]:
        place, after_label = 0, False
        text = self.text.rstrip()
        while place < len(text):
            # Right after a label, `in` and its like are operators; elsewhere they may be labels themselves.
            match = _OPERATOR.match(text, place) if after_label else None
            if match:
                yield "operator", re.sub(r"\s", "", match[1])
                after_label = False
            else:
                match = _TOKEN.match(text, place)
                if match is None:
                    raise SelectorError(f"unexpected {text[place:].strip()[:10]!r} in selector {self.text!r}")
                kind = match.lastgroup or ""
                value = match[kind]
                yield kind, value[1:-1] if kind == "string" else value
                after_label = kind == "word"
            place = match.end()
        yield "end", "the end"

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at]

    def next(self) -> tuple[str, str]:
        token = self.tokens[self.at]
        self.at += token[0] != "end"
        return token

    def take(self, symbol: str) -> bool:
        if self.peek() == ("symbol", symbol):
            self.at += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.take(symbol):
            raise SelectorError(f"expected {symbol} before {self.peek()[1]!r} in selector {self.text!r}")

    def alternatives(self) -> Selector:
        parts = [self.conjunction()]
        while self.take("||"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self) -> Selector:
        parts = [self.operation()]
        while self.take("&&"):
            parts.append(self.operation())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def operation(self) -> Selector:
        if self.take("!"):
            return Not(self.operation())
        if self.take("("):
            inner = self.alternatives()
            self.expect(")")
            return inner
        kind, value = self.next()
        if kind == "function":
            return Everything() if value.startswith("all") else Global()
        if kind == "has":
            return Exists(value)
        if kind == "word":
            return self.comparison(value)
        raise SelectorError(f"unexpected {value!r} in selector {self.text!r}")

    def comparison(self, key: str) -> Selector:
        kind, operator = self.next()
        if kind == "symbol" and operator in ("==", "!="):
            equal = In(key, (self.string(),))
            return equal if operator == "==" else Not(equal)
        if kind == "operator" and operator in ("in", "notin"):
            values = self.values()
            return In(key, values) if operator == "in" else Not(In(key, values))
        if kind == "operator":
            return Text(key, operator, self.string())
        raise SelectorError(f"expected an operator after {key} in selector {self.text!r}")

    def string(self) -> str:
        kind, value = self.next()
        if kind != "string":
            raise SelectorError(f"expected a quoted string before {value!r} in selector {self.text!r}")
        return value

    def values(self) -> tuple[str, ...]:
        self.expect("{")
        found: list[str] = []
        while self.peek()[0] == "string":
            found.append(self.next()[1])
            if not self.take(","):
                break
        self.expect("}")
        return tuple(found)

"""A regular language written as a regular expression, for people: nothing reads it back."""

from partner_mesh.analysis import automaton as fa
from partner_mesh.analysis.automaton import Automaton
from partner_mesh.analysis.regex import negated


def expression(language: Automaton) -> str:
    """A regular expression of the language, by eliminating states from the last to the first."""
    alive = sorted(language.live())
    arrows: dict[tuple[int, int], str] = {}
    for state in alive:
        ranges: dict[int, list[tuple[int, int]]] = {}
        for low, high, target in fa.spans(language.rows[state]):
            if target in alive:
                ranges.setdefault(target, []).append((low, high))
        for target, listed in ranges.items():
            arrows[state, target] = _class(listed)
    start, end = -1, -2
    arrows[start, 0] = ""
    for state in sorted(language.accepting):
        arrows[state, end] = ""
    for state in sorted(alive, reverse=True):
        loop = arrows.pop((state, state), None)
        again = f"{_atomic(loop)}*" if loop else ""
        into = [(a, text) for (a, b), text in arrows.items() if b == state]
        out = [(b, text) for (a, b), text in arrows.items() if a == state]
        for a, first in into:
            for b, last in out:
                path = f"{_grouped(first)}{again}{_grouped(last)}"
                arrows[a, b] = f"{arrows[a, b]}|{path}" if (a, b) in arrows else path
        arrows = {pair: text for pair, text in arrows.items() if state not in pair}
    return arrows.get((start, end), "")


def _class(ranges: list[tuple[int, int]]) -> str:
    if ranges == [(0, fa.LAST)]:
        return "."
    listed = "".join(_shown(low) if low == high else f"{_shown(low)}-{_shown(high)}" for low, high in ranges)
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return listed
    if ranges[-1][1] == fa.LAST:
        return "[^" + _class(list(negated(tuple(ranges)))).strip("[]") + "]"
    return f"[{listed}]"


def _shown(char: int) -> str:
    text = chr(char)
    if (text.isalnum() and text.isascii()) or text in "/_~%&':;,@=<>#!\"`":
        return text
    return f"\\{text}" if text.isascii() and text.isprintable() else f"\\x{{{char:X}}}"


def _grouped(text: str) -> str:
    return f"(?:{text})" if "|" in text else text


def _atomic(text: str) -> str:
    single = len(text) == 1 or (text.startswith("[") and text.find("]") == len(text) - 1)
    return text if single else f"(?:{text})"

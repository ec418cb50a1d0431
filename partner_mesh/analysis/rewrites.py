"""What a route does to a request's path and authority, and backwards: which requests become ones of a given set.

A policy at the workload judges the path after the rewrite; a partner sends the path before it. Both are compared
in the client's terms, so everything here is a pre-image.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol

from partner_mesh.analysis import automaton as fa
from partner_mesh.analysis import strings
from partner_mesh.analysis.automaton import Automaton
from partner_mesh.analysis.fragments import Fragments, concatenation
from partner_mesh.analysis.http import HttpSet, Requests, of
from partner_mesh.analysis.regex import Unmodelled, full_match
from partner_mesh.analysis.strings import StringSet
from partner_mesh.model.record import dataclass


class PathRewrite(Protocol):
    """A function on paths, known by its pre-images."""

    def before(self, paths: StringSet) -> StringSet:
        """The paths that become one of `paths`. Raises `regex.Unmodelled` where it cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No rewrite."""

    def before(self, paths: StringSet) -> StringSet:
        """See `PathRewrite`."""
        return paths


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole path is replaced (`rewrite.uri` with an exact or regex match)."""

    path: str

    def before(self, paths: StringSet) -> StringSet:
        """See `PathRewrite`."""
        return StringSet.ALL if self.path in paths else StringSet.NONE


@dataclass(frozen=True, slots=True)
class Prefix:
    """A matched prefix is replaced (`rewrite.uri` with a prefix match)."""

    old: str
    new: str

    def before(self, paths: StringSet) -> StringSet:
        """See `PathRewrite`."""
        rest = paths.automaton().residual(self.new)
        if not rest.accepting:
            return StringSet.NONE
        return strings.of_language(concatenation(fa.chain(self.old, accept_word=True), rest))


@dataclass(frozen=True, slots=True)
class Substitution:
    """`rewrite.uriRegexRewrite`: RE2's replacement of every match in the path.

    Modelled for patterns that are literals and groups in a row and take the path from its beginning, which are those
    that people write; a path that does not match stays as it is.
    """

    match: str
    replacement: str
    domain: StringSet  # the paths that the route matches: no other is ever rewritten

    def before(self, paths: StringSet) -> StringSet:
        """See `PathRewrite`; of the domain only."""
        text = self.match.removeprefix("^")
        # A match takes the whole path where every path of the domain is one: then no anchor is needed.
        whole = self.domain <= strings.regex(text[:-1] if text.endswith("$") and text[-2:] != "\\$" else text)
        found = _substituted(self.match, self.replacement, paths.automaton(), whole=whole)
        return strings.of_language(found) & self.domain


_REFERENCE: Final = re.compile(r"\\(\d|\\)")


@lru_cache(maxsize=4096)
def _substituted(match: str, replacement: str, wanted: Automaton, *, whole: bool) -> Automaton:
    parts = _sequence(match, whole=whole)
    pieces, order = _pieces(replacement)
    groups = [index for index, part in enumerate(parts, 1) if part.group and not part.rest]
    numbered = {number + 1: index for number, index in enumerate(groups)}
    if order != sorted(set(order)) or any(number not in numbered for number in order):
        raise Unmodelled(f"rewrite {replacement!r} repeats or reorders what {match!r} captures")
    kept = [numbered[number] for number in order]
    if parts and parts[-1].rest:
        kept, pieces = [*kept, len(parts)], [*pieces, ""]
    _unambiguous(match, parts)
    fragments = Fragments()
    start = fragments.state()
    matched = concatenation(*(part.language for part in parts))
    # States of the transducer: which part is being read, the part's own state, the state of the rewritten path.
    ends = _read(fragments, start, parts, kept=kept, pieces=pieces, wanted=wanted)
    rewritten = fragments.determined(start, ends)
    unmatched = fa.difference(wanted, matched)  # left as they are
    return fa.union(rewritten, unmatched)


@dataclass(frozen=True, slots=True)
class _Part:
    language: Automaton
    group: bool
    rest: bool = False  # what an unanchored pattern does not reach: it stays


def _read(
    fragments: Fragments, start: int, parts: list[_Part], *, kept: list[int], pieces: list[str], wanted: Automaton
) -> list[int]:
    """Reads the original path part by part while `wanted` reads what becomes of it; the states where both accept."""
    frontier: list[tuple[int, int]] = [(start, wanted.after(pieces[0]))]  # (where we are, where `wanted` is)
    written = 1
    for index, part in enumerate(parts, 1):
        keeps = index in kept
        after: dict[int, int] = {}
        for place, state in frontier:
            known: dict[tuple[int, int], int] = {(0, state): place_of(fragments, place)}
            pending = [(0, state)]
            alive = part.language.live()
            while pending:
                own, outer = pending.pop()
                here = known[own, outer]
                if own in part.language.accepting:
                    beyond = wanted.after(pieces[written], outer) if keeps else outer
                    after.setdefault(beyond, fragments.state())
                    fragments.skip(here, after[beyond])
                for low, high, target in fa.spans(part.language.rows[own]):
                    if target not in alive:
                        continue
                    for first, last, to in _steps(wanted, outer, low, high) if keeps else [(low, high, outer)]:
                        pair = target, to
                        if pair not in known:
                            known[pair] = fragments.state()
                            pending.append(pair)
                        fragments.move(here, ((first, last),), known[pair])
        frontier = [(place, state) for state, place in after.items()]
        written += keeps
    return [place for place, state in frontier if state in wanted.accepting]


def place_of(fragments: Fragments, place: int) -> int:
    """A fresh state behind `place`: two readings must not share the states of one part."""
    fresh = fragments.state()
    fragments.skip(place, fresh)
    return fresh


def _steps(automaton: Automaton, state: int, low: int, high: int) -> list[tuple[int, int, int]]:
    return [
        (max(first, low), min(last, high), target)
        for first, last, target in fa.spans(automaton.rows[state])
        if first <= high and last >= low
    ]


def _sequence(pattern: str, *, whole: bool) -> list[_Part]:
    """A pattern as literals and groups in a row; `whole` says that it takes every path it meets from end to end.

    Raises `Unmodelled` for any other.
    """
    text = pattern.removeprefix("^")
    anchored_end = text.endswith("$") and not text.endswith("\\$")
    text = text[:-1] if anchored_end else text
    if not pattern.startswith("^") and not whole:
        raise Unmodelled(f"rewrite of {pattern!r} may match anywhere in the path")
    parts: list[_Part] = []
    at = 0
    opening = [index for index, char in _outside_brackets(text) if char == "("]
    while at < len(text):
        if at in opening:
            end = _closing(text, at)
            inner = text[at + 1 : end]
            nested = [i for i in opening if at < i < end and not text.startswith("(?:", i)]
            if nested or text[end + 1 : end + 2] in ("*", "+", "?", "{"):
                raise Unmodelled(f"rewrite of {pattern!r} has nested or repeated groups")
            grouped = not inner.startswith("?")
            parts.append(_Part(full_match(inner if grouped else text[at : end + 1]), grouped))
            at = end + 1
        else:
            end = next((index for index in opening if index > at), len(text))
            parts.append(_Part(full_match(text[at:end]), group=False))
            at = end
    if not anchored_end and not whole and not (parts and parts[-1].language == full_match(".*")):
        parts.append(_Part(full_match(".*"), group=True, rest=True))
    return parts


def _outside_brackets(text: str) -> list[tuple[int, str]]:
    """The characters that are neither escaped nor part of a character class, with their places."""
    found: list[tuple[int, str]] = []
    at, bracket = 0, False
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if bracket:
            bracket = text[at] != "]"
        elif text[at] == "[":
            bracket = True
            at += 2 if text[at + 1 : at + 2] == "]" else 1
            continue
        else:
            found.append((at, text[at]))
        at += 1
    return found


def _closing(text: str, opening: int) -> int:
    depth = 0
    for index, char in _outside_brackets(text):
        if index >= opening:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return index
    raise Unmodelled(f"rewrite of {text!r} has an unbalanced parenthesis")


def _unambiguous(pattern: str, parts: list[_Part]) -> None:
    """A path must fall into the parts in one way: no part but the last may run on into the next one's beginning."""
    for part, following in pairwise(parts):
        if part.language.words(1) is not None:
            continue  # a literal
        longer = _continues(part.language)
        first = {(low, high) for low, high, target in fa.spans(following.language.rows[0])
                 if target in following.language.live()}  # fmt: skip
        if 0 in following.language.accepting or any(a <= d and c <= b for a, b in longer for c, d in first):
            raise Unmodelled(f"rewrite of {pattern!r} can split a path in more than one way")


def _continues(language: Automaton) -> set[tuple[int, int]]:
    alive = language.live()
    return {
        (low, high)
        for state in language.accepting
        for low, high, target in fa.spans(language.rows[state])
        if target in alive
    }


def _pieces(replacement: str) -> tuple[list[str], list[int]]:
    """The literal text around references, and the groups referred to: one more text than references."""
    pieces, order, at = [""], [], 0
    for reference in _REFERENCE.finditer(replacement):
        pieces[-1] += replacement[at : reference.start()]
        at = reference.end()
        if reference[1] == "\\":
            pieces[-1] += "\\"
        elif reference[1] == "0":
            raise Unmodelled(f"rewrite {replacement!r} repeats the whole match")
        else:
            order.append(int(reference[1]))
            pieces.append("")
    pieces[-1] += replacement[at:]
    return pieces, order


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a route changes. `authority` is "" where the Host header stays."""

    path: PathRewrite = Unchanged()
    authority: str = ""

    def before(self, after: HttpSet) -> HttpSet:
        """The requests, as the client sends them, that become one of `after`."""
        if self == Rewrite():
            return after
        boxes: list[Requests] = []
        for box in after.boxes:
            hosts = box.hosts
            if self.authority:
                hosts = StringSet.ALL if self.authority.lower() in hosts else StringSet.NONE
            boxes.append(Requests(hosts, box.methods, self.path.before(box.paths), box.conditions))
        return of(boxes)

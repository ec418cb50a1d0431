"""Sets of strings with exact algebra: what an Istio string pattern, or any combination of them, matches.

Finite sets of literals, by far the most frequent, are kept as such; anything else is a minimal automaton. Both forms
are canonical, so equal sets are equal values and emptiness is a field.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar, Final

from partner_mesh.analysis import automaton as fa
from partner_mesh.analysis.automaton import Automaton
from partner_mesh.analysis.expression import expression
from partner_mesh.analysis.fragments import Fragments, concatenation
from partner_mesh.analysis.regex import full_match
from partner_mesh.model.record import dataclass

WORD_LIMIT: Final = 64  # languages of at most this many words are kept as literals


@dataclass(frozen=True, slots=True)
class StringSet:
    """Literals, or an automaton for everything that is not a short list of them. Exactly one is in use."""

    literals: frozenset[str] = frozenset()
    language: Automaton | None = None

    NONE: ClassVar["StringSet"]
    ALL: ClassVar["StringSet"]  # every string that is not empty: a method, a host or a path always says something

    def __bool__(self) -> bool:
        return self.language is not None or bool(self.literals)

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        return word in self.literals if self.language is None else self.language.accepts(word)

    def __and__(self, other: "StringSet") -> "StringSet":
        if self is other or other is StringSet.ALL or other == self:
            return self
        if self is StringSet.ALL:
            return other
        if self.language is None:
            return _literals(word for word in self.literals if word in other)
        if other.language is None:
            return _literals(word for word in other.literals if word in self)
        return of_language(fa.intersection(self.language, other.language))

    def __or__(self, other: "StringSet") -> "StringSet":
        if not other or self == other:
            return self
        if not self:
            return other
        if self.language is None and other.language is None:
            return StringSet(self.literals | other.literals)
        return of_language(fa.union(self.automaton(), other.automaton()))

    def __sub__(self, other: "StringSet") -> "StringSet":
        if not self or not other:
            return self
        if other in (self, StringSet.ALL):
            return StringSet.NONE
        if self.language is None:
            return _literals(word for word in self.literals if word not in other)
        if self == StringSet.ALL:
            return of_language(fa.complement(other.automaton()))
        return of_language(fa.difference(self.language, other.automaton()))

    def __le__(self, other: "StringSet") -> bool:
        """Whether every string of this set is in the other."""
        if self.language is not None and other.language is None:
            return False  # kept as an automaton because it is more than a short list
        if self.language is not None and (word := _shortest(self.language)) is not None and word not in other:
            return False
        return not self - other

    def automaton(self) -> Automaton:
        """The set as an automaton, whichever way it is kept."""
        return self.language if self.language is not None else _trie(self.literals)

    def example(self) -> str | None:
        """A shortest member."""
        if self.language is not None:
            return self.language.shortest()
        return min(self.literals, key=lambda word: (len(word), word), default=None)

    def patterns(self) -> tuple[str, ...]:
        """The set as people write it: `/a`, `/a*`, `*.b`, `/a/{*}`, `/a/{**}`; an entry `!p` takes `p` out again.

        What has none of these shapes is shown as `~regex`, by way of state elimination.
        """
        return patterns(self)


@lru_cache(maxsize=65536)
def _shortest(language: Automaton) -> str | None:
    return language.shortest()


def _literals(words: Iterable[str]) -> StringSet:
    return StringSet(frozenset(words))


@lru_cache(maxsize=65536)
def of_language(language: Automaton) -> StringSet:
    """The canonical form of an automaton's language. The empty string never counts: see `StringSet.ALL`."""
    if 0 in language.accepting:
        language = fa.intersection(language, _NON_EMPTY)
    words = language.words(WORD_LIMIT)
    return StringSet(language=language) if words is None else StringSet(frozenset(words))


_NON_EMPTY: Final = fa.difference(fa.EVERYTHING, fa.chain("", accept_word=True))
StringSet.NONE = StringSet()
StringSet.ALL = StringSet(language=_NON_EMPTY)


@lru_cache(maxsize=1024)
def _trie(words: frozenset[str]) -> Automaton:
    """The minimal automaton of a finite set."""
    fragments = Fragments()
    root = fragments.state()
    children: dict[tuple[int, str], int] = {}
    final: list[int] = []
    for word in sorted(words):
        state = root
        for char in word:
            if (state, char) not in children:
                children[state, char] = fragments.state()
                fragments.move(state, ((ord(char), ord(char)),), children[state, char])
            state = children[state, char]
        final.append(state)
    return fragments.determined(root, final, limit=1_000_000)


# What Istio's patterns mean ---------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def exact(word: str) -> StringSet:
    """One string."""
    return StringSet(frozenset([word])) if word else StringSet.NONE


@lru_cache(maxsize=65536)
def prefix(word: str) -> StringSet:
    """`abc*`: also `abc` itself (Envoy's prefix match)."""
    return of_language(fa.chain(word, accept_word=False, accept_beyond=True))


@lru_cache(maxsize=65536)
def suffix(word: str) -> StringSet:
    """`*abc`: also `abc` itself (Envoy's suffix match)."""
    return of_language(concatenation(fa.EVERYTHING, fa.chain(word, accept_word=True)))


@lru_cache(maxsize=65536)
def host_with_any_port(host: str) -> StringSet:
    """`host` and `host:…`, the two forms of one Host header."""
    return StringSet(language=fa.chain(host, accept_word=True, then=":", accept_beyond=True)) if host else StringSet.ALL


@lru_cache(maxsize=65536)
def authorization_pattern(value: str) -> StringSet:
    """A value of an AuthorizationPolicy's list: `*` is presence (istio `authz/matcher/string.go`)."""
    if value == "*":
        return StringSet.ALL
    if value.startswith("*"):
        return suffix(value[1:])
    if value.endswith("*"):
        return prefix(value[:-1])
    return exact(value)


@lru_cache(maxsize=65536)
def host_pattern(host: str) -> StringSet:
    """The Host headers of a Gateway's or VirtualService's host: `*`, `*.suffix` or exact, with a port or without."""
    if host == "*":
        return StringSet.ALL
    if host.startswith("*"):
        return of_language(
            concatenation(fa.EVERYTHING, fa.chain(host[1:], accept_word=True, then=":", accept_beyond=True))
        )
    return host_with_any_port(host)


# Envoy's uri template: one `*` is one or more characters of a segment, `**` zero or more characters, slashes too
# (envoy `uri_template_internal.cc`: [kLiteral]+ and [kLiteral/]*, where kLiteral is every pchar but `*`).
_SEGMENT_CHARS: Final = r"a-zA-Z0-9\-._~%!$&'()+,;:@="
SEGMENT: Final = full_match(f"[{_SEGMENT_CHARS}]+")
REST: Final = full_match(f"[{_SEGMENT_CHARS}/]*")


def is_template(path: str) -> bool:
    """Whether a path of a policy is a template."""
    return "{*}" in path or "{**}" in path


@lru_cache(maxsize=65536)
def path_template(path: str) -> StringSet:
    """An AuthorizationPolicy path with `{*}` (one segment, never empty) or `{**}` (any rest, also none)."""
    parts: list[Automaton] = []
    text = path.replace("{**}", "\0\0").replace("{*}", "\0")
    while text:
        literal, found, text = text.partition("\0")
        if literal:
            parts.append(fa.chain(literal, accept_word=True))
        if found:
            parts.append(REST if text.startswith("\0") else SEGMENT)
            text = text.removeprefix("\0")
    return of_language(concatenation(*parts))


def authorization_path(value: str) -> StringSet:
    """A value of `paths`: a template, or a pattern like all others."""
    return path_template(value) if is_template(value) else authorization_pattern(value)


@lru_cache(maxsize=65536)
def regex(pattern: str) -> StringSet:
    """The strings that an RE2 pattern matches in full. Raises `regex.Unmodelled`."""
    return of_language(full_match(pattern))


@lru_cache(maxsize=65536)
def ignoring_case(pattern: str) -> StringSet:
    """A literal in any mixture of upper and lower case."""
    return regex("(?i)" + "".join(f"\\{char}" if not char.isalnum() and char.isascii() else char for char in pattern))


# Back to what people write ----------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def patterns(strings: StringSet) -> tuple[str, ...]:
    """See `StringSet.patterns`."""
    if strings == StringSet.ALL:
        return ("*",)
    if strings.language is None:
        return tuple(sorted(strings.literals))
    found = _unfolded(strings.language)
    if found is not None:
        return found
    return _with_exceptions(strings) or (f"~{expression(strings.language)}",)


def _unfolded(language: Automaton) -> tuple[str, ...] | None:
    """A union of literals, prefixes, one suffix and templates, read off the automaton; None if it is none."""
    if any(target == 0 for _, target in language.rows[0]):  # only then can it begin with anything
        word = language.shortest()
        if word is not None and suffix(word).language == language:
            return (f"*{word}",)
    alive = language.live()
    tails: dict[int, str] = {}
    found: list[str] = []
    pending = [(0, "", False)]
    while pending:
        state, text, in_segment = pending.pop()
        if len(found) + len(pending) > WORD_LIMIT or len(text) > 4 * len(language.rows) + 64:
            return None
        if state not in tails:
            tails[state] = _tail(language, state)
        if tails[state] and not in_segment:
            found.append(text + tails[state])
            continue
        if state in language.accepting:
            found.append(text)
        moves = [(low, high, target) for low, high, target in fa.spans(language.rows[state]) if target in alive]
        if in_segment:
            moves = [move for move in moves if move[2] != state]
        elif (target := _segment_step(language, state, moves)) is not None:
            pending.append((target, text + "{*}", True))
            moves = [move for move in moves if move[2] != target]
        for low, high, target in moves:
            if target == state or high - low > 9:
                return None
            pending.extend((target, text + chr(char), False) for char in range(low, high + 1))
    return tuple(sorted(found)) if "{*}" not in "".join(found) or _reads_back(found, language) else None


def _reads_back(found: Iterable[str], language: Automaton) -> bool:
    """Whether the patterns mean the language: reading a segment off an automaton is a guess until it is tried."""
    total = StringSet.NONE
    for pattern in found:
        total = total | (
            prefix(pattern[:-1]) if pattern.endswith("*") and not is_template(pattern) else path_template(pattern)
        )
    return total.automaton() == language


def _tail(language: Automaton, state: int) -> str:
    row = language.rows[state]
    if row == ((0, state),) and state in language.accepting:
        return "*"
    if state in language.accepting and len(row) > 1:
        rest = fa.minimal(language.rows, language.accepting, state)
        if rest == REST:
            return "{**}"
    return ""


def _segment_step(language: Automaton, state: int, moves: list[tuple[int, int, int]]) -> int | None:
    """Where every character of a path segment leads to one state that keeps reading them: that state."""
    target = language.step(state, ord("a"))
    if language.step(target, ord("a")) != target or (target == state and state not in language.accepting):
        return None
    return None if {(low, high) for low, high, to in moves if to == target} != _SEGMENT_SPANS else target


_SEGMENT_SPANS: Final = frozenset(
    (low, high) for low, high, target in fa.spans(SEGMENT.rows[0]) if target in SEGMENT.live()
)


def _with_exceptions(strings: StringSet) -> tuple[str, ...] | None:
    """`p*` without some patterns: the longest common beginning, less what is missing there."""
    language = strings.automaton()
    alive = language.live()
    text, state = "", 0
    while state not in language.accepting:
        moves = [(low, high, target) for low, high, target in fa.spans(language.rows[state]) if target in alive]
        if len(moves) != 1 or moves[0][0] != moves[0][1]:
            break
        text, state = text + chr(moves[0][0]), moves[0][2]
    whole = prefix(text)
    missing = whole - strings
    if not missing:
        return None
    lacking = tuple(sorted(missing.literals)) if missing.language is None else _unfolded(missing.language)
    return (f"{text}*", *(f"!{each}" for each in lacking)) if lacking else None

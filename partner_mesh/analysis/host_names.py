"""The names that a set of Host headers can contain."""

from functools import lru_cache

from partner_mesh.analysis.automaton import Automaton
from partner_mesh.analysis.strings import StringSet


@lru_cache(maxsize=65536)
def bare_hosts(hosts: StringSet) -> tuple[str, ...] | None:
    """The host names, ports aside, that a set can contain; None where it is not a short list of names.

    A name carries at most one colon (IPv6 literals in brackets are not told apart from others of their kind).
    """
    if hosts.language is None:
        return tuple(sorted({word.partition(":")[0] for word in hosts.literals}))
    name = _one_host(hosts.language)
    if name is not None:
        return (name,)
    again = hosts.language.step(0, ord("a"))
    if again in hosts.language.accepting and hosts.language.step(again, ord("a")) == again:
        return None  # `a`, `aa`, `aaa`, …: everything but some hosts is asked about often, and is no short list
    names = {each.partition(":")[0] for each in hosts.patterns()}
    plain = all("*" not in each and each[:1] not in ("!", "~", "") for each in names)
    return tuple(sorted(names)) if plain else None


def _one_host(language: Automaton) -> str | None:
    """The name of which a language holds nothing but forms with a port or without."""
    text, state = "", 0
    while len(text) <= len(language.rows):
        row = language.rows[state]
        if len(row) != 3 or row[0][1] != row[2][1] or row[1][0] + 1 != row[2][0]:
            return None
        dead, char = row[0][1], chr(row[1][0])
        if language.rows[dead] != ((0, dead),) or dead in language.accepting:
            return None
        if char == ":":
            return text or None
        if state in language.accepting:
            return None
        text, state = text + char, row[1][1]
    return None

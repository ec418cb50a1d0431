"""String sets are exact: every operation agrees with membership, word by word."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.analysis import strings
from partner_mesh.analysis.regex import Unmodelled, full_match
from partner_mesh.analysis.strings import StringSet

SMALL = "ab/:."
Named = tuple[StringSet, re.Pattern[str]]
words = st.text(SMALL, max_size=6)
filled = st.text(SMALL, min_size=1, max_size=4)
_TEMPLATES = ("/a/{*}", "/{*}/b", "/{**}", "/a/{**}", "/{*}/{*}", "/a.{*}")
_SEGMENT = r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]+"


def _template_regex(template: str) -> str:
    return re.escape(template).replace(r"\{\*\*\}", f"(?:{_SEGMENT}|/)*").replace(r"\{\*\}", _SEGMENT)


sets_and_oracles = st.one_of(
    filled.map(lambda w: (strings.exact(w), re.compile(re.escape(w)))),
    filled.map(lambda w: (strings.prefix(w), re.compile(f"{re.escape(w)}.*"))),
    filled.map(lambda w: (strings.suffix(w), re.compile(f".*{re.escape(w)}"))),
    st.just((strings.authorization_pattern("*"), re.compile(".+"))),
    filled.map(lambda w: (strings.host_with_any_port(w), re.compile(f"{re.escape(w)}(?::.*)?"))),
    st.sampled_from(_TEMPLATES).map(lambda t: (strings.path_template(t), re.compile(_template_regex(t)))),
)


@given(sets_and_oracles, sets_and_oracles, words)
def test_algebra_agrees_with_membership(one: Named, two: Named, word: str) -> None:
    (left, left_oracle), (right, right_oracle) = one, two
    in_left, in_right = bool(word and left_oracle.fullmatch(word)), bool(word and right_oracle.fullmatch(word))
    assert (word in left) == in_left
    assert (word in (left & right)) == (in_left and in_right)
    assert (word in (left | right)) == (in_left or in_right)
    assert (word in (left - right)) == (in_left and not in_right)


@given(sets_and_oracles, sets_and_oracles, sets_and_oracles)
def test_equal_sets_are_equal_values(one: Named, two: Named, three: Named) -> None:
    a, b, c = one[0], two[0], three[0]
    assert (a | b) - c == (a - c) | (b - c)
    assert a - (b | c) == (a - b) & (a - c)
    assert (a & b) | (a - b) == a
    assert not a - a


@given(sets_and_oracles, sets_and_oracles)
def test_an_example_is_a_member_and_there_is_one_unless_empty(one: Named, two: Named) -> None:
    difference = one[0] - two[0]
    example = difference.example()
    assert (example is None) == (not difference)
    assert example is None or example in difference


@given(sets_and_oracles, sets_and_oracles, words)
@settings(max_examples=150)
def test_what_is_printed_means_the_set(one: Named, two: Named, word: str) -> None:
    """Read back with the meaning the patterns are documented to have."""
    for shown in (one[0] | two[0], one[0] - two[0], one[0] & two[0]):
        assert (word in _read(shown.patterns())) == (word in shown)


def _read(patterns: tuple[str, ...]) -> StringSet:
    total = StringSet.NONE
    for pattern in patterns:
        negative = pattern.startswith("!") and len(pattern) > 1
        body = pattern[1:] if negative else pattern
        if body.startswith("~"):
            read = strings.regex("(?s)" + body[1:])
        elif strings.is_template(body):
            read = strings.path_template(body)
        else:
            read = strings.authorization_pattern(body)
        total = total - read if negative else total | read
    return total


@pytest.mark.parametrize(
    ("given_set", "shown"),
    [
        (strings.prefix("/api"), ("/api*",)),
        (strings.prefix("/api") - strings.prefix("/api/admin"), ("/api*", "!/api/admin*")),
        (StringSet.ALL - strings.exact("GET"), ("*", "!GET")),
        (strings.path_template("/v1/{*}/x/{**}"), ("/v1/{*}/x/{**}",)),
        (strings.exact("/v/") | strings.path_template("/v/{*}"), ("/v/", "/v/{*}")),
        (strings.path_template("/v1/{*}") & strings.regex("/v1/[^/]+"), ("/v1/{*}",)),
        (strings.suffix(".example.com"), ("*.example.com",)),
        (strings.exact("b") | strings.exact("a"), ("a", "b")),
        (strings.prefix("/a") & strings.exact("/b"), ()),
    ],
)
def test_sets_are_shown_as_people_write_them(given_set: StringSet, shown: tuple[str, ...]) -> None:
    assert given_set.patterns() == shown


_REGEXES = (
    "a|b", "(a|b)+/?", "a{2,3}", "[^/]+", "[a/]*b?", r"/a\.b", "(?i)AB", "(?:ab)*", "(?P<x>a)b", "^/a$", r"\Qa.\Eb",
    r"[[:alpha:]]+", r"a{2}b{0,1}", "a+?b", r"\x61b", ".*", "a(?i:B)a", "[a-a.]{1,}",
)  # fmt: skip


@pytest.mark.parametrize("pattern", _REGEXES)
@given(word=words)
@settings(max_examples=60)
def test_re2_patterns_mean_what_they_mean(pattern: str, word: str) -> None:
    python = pattern.replace(r"\Qa.\E", r"a\.").replace("[[:alpha:]]", "[a-zA-Z]")
    assert full_match(pattern).accepts(word) == bool(re.fullmatch(python, word))


@pytest.mark.parametrize("pattern", ["a^b", r"\bword", "(?m)^a$", "(a", "a{1,1000}", r"\p{L}", "(?=a)b", "**"])
def test_patterns_outside_the_model_are_refused(pattern: str) -> None:
    with pytest.raises(Unmodelled):
        full_match(pattern)


@pytest.mark.parametrize(
    ("template", "path", "inside"),
    [
        ("/v1/{*}", "/v1/a", True),
        ("/v1/{*}", "/v1/", False),
        ("/v1/{*}", "/v1/a/b", False),
        ("/v1/{**}", "/v1/", True),
        ("/v1/{**}", "/v1", False),
        ("/v1/{**}", "/v1/a/b", True),
        ("/v1/{*}", "/v1/a=b", True),
        ("/v1/{*}", "/v1/a*b", False),  # every pchar but the star
    ],
)
def test_path_templates_follow_envoy(template: str, path: str, inside: bool) -> None:
    assert (path in strings.path_template(template)) == inside

"""Pre-images of rewrites agree with doing the rewrite."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.analysis import strings
from partner_mesh.analysis.http import HttpSet, Requests, of
from partner_mesh.analysis.regex import Unmodelled
from partner_mesh.analysis.rewrites import PathRewrite, Prefix, Rewrite, Substitution, Unchanged, Whole
from partner_mesh.analysis.strings import StringSet

paths = st.lists(st.sampled_from(["a", "b", "v1", "x.y", ""]), min_size=1, max_size=4).map(lambda p: "/" + "/".join(p))
wanted = st.sampled_from([
    strings.exact("/a"), strings.prefix("/a"), strings.path_template("/{*}/b"), strings.path_template("/v1/{**}"),
    strings.prefix("/") - strings.prefix("/a"), strings.exact("/v1/a/b") | strings.exact("/"),
])  # fmt: skip


@given(wanted, paths)
def test_a_replaced_prefix(after: StringSet, rest: str) -> None:
    rewrite = Prefix("/old", "/a")
    assert ("/old" + rest in rewrite.before(after)) == ("/a" + rest in after)


@given(wanted)
def test_a_replaced_path(after: StringSet) -> None:
    assert bool(Whole("/a").before(after)) == ("/a" in after)


_ALL = strings.prefix("/")


@pytest.mark.parametrize(
    ("match", "replacement"),
    [
        ("^/v1/([^/]+)$", r"/\1"),
        ("^/v1/([^/]+)/(.*)$", r"/\1/v1/\2"),
        ("^/v1", ""),
        ("^/([^/]+)/b$", r"/a/\1"),
        ("^/(?:a|b)/(.*)$", r"/v1/\1"),
        (r"^/x\.y(/?)(.*)$", r"/\2"),
    ],
)
@given(after=wanted, path=paths)
def test_substitutions_agree_with_doing_them(match: str, replacement: str, after: StringSet, path: str) -> None:
    if match == r"^/x\.y(/?)(.*)$":
        with pytest.raises(Unmodelled, match="more than one way"):
            Substitution(match, replacement, _ALL).before(after)
        return
    rewritten = re.sub(match, replacement, path, count=1)
    assert (path in Substitution(match, replacement, _ALL).before(after)) == (rewritten in after)


@pytest.mark.parametrize(
    ("match", "replacement"),
    [
        ("/v1", "/"),
        (r"^/(a)(b)$", r"/\2\1"),
        (r"^/(a)$", r"/\1\1"),
        (r"^/((a)b)$", r"/\1"),
        (r"^/(a*)(a*)$", r"/\1-\2"),
    ],
)
def test_what_cannot_be_turned_round_is_refused(match: str, replacement: str) -> None:
    with pytest.raises(Unmodelled):
        Substitution(match, replacement, _ALL).before(_ALL)


def test_a_pattern_without_anchors_takes_the_whole_of_what_its_route_matches() -> None:
    pattern = "/v1/callbacks/([a-z]+)"
    rewrite = Substitution(pattern, r"/callbacks/\1", strings.regex(pattern))
    assert rewrite.before(strings.path_template("/callbacks/{*}")) == strings.regex("/v1/callbacks/[a-z]+")


def test_a_replaced_authority_turns_every_host_into_one() -> None:
    rewrite = Rewrite(Unchanged(), "partner.example")
    inside = of([Requests(hosts=strings.exact("partner.example"), methods=strings.exact("GET"))])
    assert rewrite.before(inside).document() == [{"hosts": ["*"], "methods": ["GET"], "paths": ["*"]}]
    assert rewrite.before(of([Requests(hosts=strings.exact("other.example"))])) == HttpSet.NONE


def test_rewrites_have_one_shape() -> None:
    assert isinstance(Unchanged(), object)
    rewrites: list[PathRewrite] = [Unchanged(), Whole("/"), Prefix("/", "/"), Substitution("^/", "/", _ALL)]
    assert all(each.before(StringSet.NONE) == StringSet.NONE for each in rewrites)

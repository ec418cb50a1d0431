"""Paths as people write them: which of two is the more specific, and whether one request could mean both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.model.path import PathTemplate

SEGMENTS = st.lists(st.sampled_from(["a", "b", "{*}"]), max_size=3)
TEMPLATES = st.builds(
    lambda segments, rest: PathTemplate("/" + "/".join([*segments, *rest])), SEGMENTS, st.sampled_from([(), ("{**}",)])
)
PATHS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(lambda segments: "/" + "/".join(segments))


@given(TEMPLATES, TEMPLATES, PATHS)
def test_templates_that_one_path_matches_meet(left: PathTemplate, right: PathTemplate, path: str) -> None:
    if left.matches(path) and right.matches(path):
        assert left.meets(right)
        assert right.meets(left)


@pytest.mark.parametrize(
    ("left", "right"), [("/a", "/b"), ("/a/{*}", "/a"), ("/a/{*}", "/b/{**}"), ("/a/{*}/c", "/a/b/d"), ("/a", "/a/b")]
)
def test_templates_of_which_no_path_matches_both_do_not(left: str, right: str) -> None:
    assert not PathTemplate(left).meets(PathTemplate(right))


def test_the_most_specific_comes_first() -> None:
    paths = ["/{**}", "/a/{**}", "/{*}", "/a/{*}", "/a/b/{*}", "/a", "/a/b"]
    ordered = sorted(map(PathTemplate, paths), key=lambda each: each.specificity)
    assert [each.text for each in ordered] == ["/a/b", "/a", "/a/b/{*}", "/a/{*}", "/{*}", "/a/{**}", "/{**}"]

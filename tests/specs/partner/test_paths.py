"""A path means the same in the route, after its rewrite, and in the policy behind it."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.routing import image
from partner_mesh.specs.virtual_service import rewrite, uri
from tests.specs.partner.strategies import PATHS, concrete, rewrites


def routed(match: dict[str, str], change: dict[str, Any] | None, path: str) -> str | None:
    """What Envoy makes of a path: None where the route does not match. `safe_regex` is a full match."""
    pattern = re.escape(match["exact"]) if "exact" in match else match["regex"]
    if re.fullmatch(pattern, path) is None:
        return None
    if change is None:
        return path
    if "uri" in change:
        return str(change["uri"])
    substitution = change["uriRegexRewrite"]
    return re.sub(substitution["match"], substitution["rewrite"], path)


@settings(deadline=None)
@given(st.data())
def test_a_routed_request_is_admitted_behind_the_rewrite(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS))
    target = data.draw(rewrites(path))
    request = data.draw(concrete(path))
    arrived = routed(uri(path), rewrite(path, target) if target else None, request)
    assert arrived is not None
    assert PathTemplate(image(path, target)).matches(arrived)


@settings(deadline=None)
@given(st.data())
def test_nothing_is_admitted_behind_the_rewrite_that_no_request_leads_to(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS))
    target = data.draw(rewrites(path))
    admitted = data.draw(concrete(image(path, target)))
    found = re.fullmatch(PathTemplate(image(path, target)).regex(), admitted)
    assert found is not None
    values = [*found.groups(), *("x" for _ in PathTemplate(path).wildcards)]
    parts = iter(values)
    request = re.sub(r"\{\*{1,2}\}", lambda _: next(parts), path)
    assert routed(uri(path), rewrite(path, target) if target else None, request) == admitted


@settings(deadline=None)
@given(st.data())
def test_a_request_that_no_template_matches_is_not_routed(data: st.DataObject) -> None:
    path, other = data.draw(st.sampled_from(PATHS)), data.draw(concrete(data.draw(st.sampled_from(PATHS))))
    assert (routed(uri(path), None, other) is not None) == PathTemplate(path).matches(other)


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("/v1/status", None, "/v1/status"),
        ("/v1/{*}", "/{*}", "/{*}"),
        ("/v1/{*}/x/{**}", "/{*}/{**}", "/{*}/{**}"),
        ("/v1/{*}/x/{*}", "/first/{*}", "/first/{*}"),
        ("/v1/{**}", "/all", "/all"),
    ],
)
def test_the_image_of_a_path(path: str, target: str | None, expected: str) -> None:
    assert image(path, target) == expected


@pytest.mark.parametrize(("path", "target"), [("/v1/{*}", "/{**}"), ("/v1", "/{*}"), ("/v1/{*}/{**}", "/{**}")])
def test_a_rewrite_that_no_policy_could_express_is_refused(path: str, target: str) -> None:
    with pytest.raises(ValueError, match="wildcards"):
        image(path, target)

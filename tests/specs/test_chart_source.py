"""Charts from a mirror, and in versions of one's own."""

from typing import Any

import pytest

from partner_mesh.config.problems import ConfigurationError
from partner_mesh.model import ChartRelease
from partner_mesh.specs import compile_stack
from tests.specs.stacks import loaded

ISTIOS = {"base", "istiod", "cni", "gateway"}
MIRROR = "https://mirror.example.com/charts"


def charts(**changes: Any) -> dict[str, ChartRelease]:
    return {release.chart: release for release in compile_stack(loaded(**changes)).charts}


def test_a_mirror_stands_in_for_every_publisher() -> None:
    found = charts(charts={"repository": MIRROR})
    assert set(found) > ISTIOS
    assert {release.repository for release in found.values()} == {MIRROR}


def test_what_the_mesh_says_of_istios_charts_wins_over_the_mirror() -> None:
    own = "oci://registry.example.com/istio"
    found = charts(charts={"repository": MIRROR}, mesh={"revision": "1-31-1", "charts": own})
    assert {name for name, release in found.items() if release.repository == own} == ISTIOS
    assert {name for name, release in found.items() if release.repository == MIRROR} == set(found) - ISTIOS


def test_a_version_of_ones_own_changes_that_chart_alone() -> None:
    before, after = charts(), charts(charts={"versions": {"external-secrets": "2.9.9"}})
    assert after["external-secrets"].version == "2.9.9"
    assert [name for name in before if before[name] != after[name]] == ["external-secrets"]


@pytest.mark.parametrize("place", ["charts", "file:///charts", "https://", "ftp://host/charts", "./with space", ""])
def test_what_is_no_place_for_charts_is_refused_with_the_right_forms(place: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no place for charts.*\./charts"):
        loaded(charts={"repository": place})


@pytest.mark.parametrize("place", ["./charts", "/srv/charts", "../charts", "http://127.0.0.1:8879", "oci://host/a"])
def test_a_repository_a_registry_and_a_folder_are_places_for_charts(place: str) -> None:
    assert loaded(charts={"repository": place}).platform.charts.repository == place


def test_a_chart_whose_version_has_a_key_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="istiod"):
        loaded(charts={"versions": {"istiod": "1.31.2"}})

"""What each state of an upgrade compiles to: which releases, whose tag, which revision a namespace carries."""

from typing import Any

import pytest

from partner_mesh.specs import Compiled, compile_stack
from tests.specs.stacks import loaded

OLD, NEW = "1-31-1", "1-32-0"
NAMESPACES = ["charging", "checkout"]


def compiled(**upgrade: Any) -> Compiled:
    """The stack in a state of the upgrade; without keys only the new control plane stands beside."""
    return compile_stack(loaded(mesh={"revision": OLD, "upgrade": {"to": NEW, **upgrade}}))


def revision(found: Compiled, namespace: str) -> str:
    [label] = [m.labels["istio.io/rev"] for m in found if m.kind == "Namespace" and m.name == namespace]
    return label


def releases(found: Compiled) -> dict[str, str]:
    return {chart.name: chart.version for chart in found.charts if "istio" in chart.repository}


def tags(found: Compiled) -> dict[str, list[str]]:
    return {chart.name: chart.values["revisionTags"] for chart in found.charts if chart.chart == "istiod"}


@pytest.mark.parametrize(
    ("upgrade", "charging", "gateway", "versions", "holder"),
    [
        # state → istio.io/rev of a namespace and of a gateway's; base, cni and gateway releases; who has the tag
        ({}, "stable", OLD, ("1.32.0", "1.31.1", "1.31.1"), OLD),
        ({"namespaces": ["charging"]}, NEW, OLD, ("1.32.0", "1.31.1", "1.31.1"), OLD),
        ({"namespaces": NAMESPACES}, NEW, OLD, ("1.32.0", "1.31.1", "1.31.1"), OLD),
        ({"namespaces": NAMESPACES, "gateways": True}, NEW, NEW, ("1.32.0", "1.31.1", "1.32.0"), OLD),
        ({"namespaces": NAMESPACES, "gateways": True, "promoted": True}, NEW, NEW, ("1.32.0", "1.32.0", "1.32.0"), NEW),
    ],
)
def test_a_state_compiles_to(
    upgrade: dict[str, Any], charging: str, gateway: str, versions: tuple[str, str, str], holder: str
) -> None:
    found = compiled(**upgrade)
    assert revision(found, "charging") == charging
    assert revision(found, "istio-partners") == gateway
    by_name = releases(found)
    assert (by_name["istio-base"], by_name["istio-cni"], by_name["partners"]) == versions
    assert tags(found) == {f"istiod-{r}": ["stable"] if r == holder else [] for r in (OLD, NEW)}


def test_at_rest_there_is_one_control_plane_and_applications_carry_the_tag() -> None:
    """Gateways carry the revision itself: finishing an upgrade, which moves the tag's meaning, must not roll them."""
    found = compile_stack(loaded(mesh={"revision": OLD}))
    assert tags(found) == {f"istiod-{OLD}": ["stable"]}
    carried = {m.name: m.labels["istio.io/rev"] for m in found if m.kind == "Namespace" and "istio.io/rev" in m.labels}
    assert {name: carried.get(name) for name in NAMESPACES} == dict.fromkeys(NAMESPACES, "stable")
    assert {carried[f"istio-{gateway}"] for gateway in ("web", "partners", "egress")} == {OLD}


def test_nobody_carries_the_label_that_overrides_the_revision() -> None:
    assert not [m for m in compiled() if m.kind == "Namespace" and "istio-injection" in m.labels]


@pytest.mark.parametrize("promoted", [False, True])
def test_who_gives_the_tag_away_comes_first(promoted: bool) -> None:
    """Helm refuses an object that belongs to another release."""
    found = compiled(namespaces=NAMESPACES, gateways=True, promoted=promoted)
    loser, holder = (OLD, NEW) if promoted else (NEW, OLD)
    names = [chart.name for chart in found.charts]
    assert names.index(f"istiod-{loser}") < names.index(f"istiod-{holder}")
    [chart] = [chart for chart in found.charts if chart.name == f"istiod-{holder}"]
    assert f"istiod-{loser}" in chart.after


def test_a_release_comes_after_those_that_it_names() -> None:
    charts = compiled(namespaces=NAMESPACES).charts
    for index, chart in enumerate(charts):
        assert set(chart.after) <= {earlier.name for earlier in charts[:index]}


@pytest.mark.parametrize("before", [{}, {"namespaces": ["charging"]}])
def test_moving_one_namespace_changes_nothing_but_its_label(before: dict[str, Any]) -> None:
    moved = [*before.get("namespaces", []), "checkout"]
    first = {m.key: m.document() for m in compiled(**before)}
    second = {m.key: m.document() for m in compiled(namespaces=moved)}
    changed = {key for key in first | second if first.get(key) != second.get(key)}
    assert changed == {("", "Namespace", "", "checkout")}
    assert compiled(**before).charts == compiled(namespaces=moved).charts

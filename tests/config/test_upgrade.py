"""The upgrade's states and steps: every walk stays legal, every shortcut is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.config.mesh import Mesh, Upgrade
from partner_mesh.config.upgrade import (
    State,
    back,
    begin,
    faults,
    forward,
    gateway_revision,
    reinstate,
    revision_of,
    sidecar_namespaces,
    state,
    transition_faults,
)

NAMESPACES = ("charging", "checkout", "fraud")
STABLE = Mesh.model_validate({"revision": "1-31-1"})


def at(**upgrade: object) -> Mesh:
    return STABLE.model_copy(update={"upgrade": Upgrade.model_validate({"to": "1-32-0", **upgrade})})


MOVED = {"namespaces": NAMESPACES}
WALK = [
    STABLE,
    at(),
    at(namespaces=("charging",)),
    at(namespaces=("charging", "checkout")),
    at(**MOVED),
    at(**MOVED, gateways=True),
    at(**MOVED, gateways=True, promoted=True),
    Mesh.model_validate({"revision": "1-32-0"}),
]
STATES = [
    State.STABLE,
    State.BESIDE,
    State.MOVING,
    State.MOVING,
    State.MOVED,
    State.GATEWAYS,
    State.PROMOTED,
    State.STABLE,
]


def test_the_walk_from_stable_to_the_new_stable() -> None:
    mesh, seen = begin(STABLE, "1-32-0").mesh, [STABLE]
    while True:
        seen.append(mesh)
        step = forward(mesh, NAMESPACES)
        if step is None:
            break
        mesh = step.mesh
    assert seen == WALK
    assert [state(mesh, NAMESPACES) for mesh in seen] == STATES


def test_every_state_of_the_walk_is_legal_and_so_is_every_step_both_ways() -> None:
    for before, after in itertools.pairwise(WALK):
        assert not list(faults(after, NAMESPACES))
        assert not list(transition_faults(before, after, NAMESPACES))
        assert not list(transition_faults(after, before, NAMESPACES))


@pytest.mark.parametrize("index", range(1, len(WALK) - 1))
def test_back_undoes_forward(index: int) -> None:
    step = back(WALK[index])
    assert step is not None
    assert step.mesh == WALK[index - 1]


def test_back_from_the_new_stable_installs_the_old_beside() -> None:
    assert reinstate(WALK[-1], "1-31-1", NAMESPACES).mesh == WALK[-2]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (0, 4, "upgrade and namespaces change together"),
        (1, 5, "namespaces and gateways change together"),
        (4, 6, "gateways and promoted change together"),
        (0, 7, "without an upgrade to it"),
        (4, 7, "is retired while it is in use"),
        (5, 7, "is retired while it is in use"),
    ],
)
def test_shortcuts_are_refused(before: int, after: int, why: str) -> None:
    [(reason, remedy)] = transition_faults(WALK[before], WALK[after], NAMESPACES)
    assert why in reason
    assert remedy


def test_the_target_stays_while_an_upgrade_is_under_way() -> None:
    [(reason, _)] = transition_faults(at(), STABLE.model_copy(update={"upgrade": Upgrade(to="1-32-1")}), NAMESPACES)
    assert "target changes" in reason


@pytest.mark.parametrize(
    ("upgrade", "key", "why"),
    [
        ({"to": "1-31-1"}, "upgrade.to", "runs already"),
        ({"to": "1-30-2"}, "upgrade.to", "older"),
        ({"to": "1-34-0"}, "upgrade.to", "more than 2 minors"),
        ({"to": "2-31-1"}, "upgrade.to", "more than 2 minors"),
        ({"namespaces": ("nobody",)}, "upgrade.namespaces.0", "no application with a sidecar runs"),
        ({"namespaces": ("fraud", "fraud")}, "upgrade.namespaces.1", "stands twice"),
        ({"namespaces": ("fraud",), "gateways": True}, "upgrade.gateways", "after every namespace"),
        ({**MOVED, "promoted": True}, "upgrade.promoted", "after the gateways"),
    ],
)
def test_illegal_states_are_named(upgrade: dict[str, object], key: str, why: str) -> None:
    [(where, reason, remedy)] = faults(at(**upgrade), NAMESPACES)
    assert where == key
    assert why in reason
    assert remedy


def test_namespaces_without_sidecars_are_nothing_to_move() -> None:
    mesh = Mesh.model_validate(
        {"revision": "1-31-1", "dataPlane": "ambient", "namespaces": {"fraud": {"dataPlane": "ambient"}}}
    )
    assert sidecar_namespaces(mesh, NAMESPACES) == ("charging", "checkout")
    moved = mesh.model_copy(update={"upgrade": Upgrade.model_validate({"to": "1-32-0", "namespaces": ["fraud"]})})
    [(key, reason, _)] = faults(moved, sidecar_namespaces(moved, NAMESPACES))
    assert key == "upgrade.namespaces.0"
    assert "sidecar" in reason


@given(st.lists(st.booleans(), max_size=30))
def test_any_walk_stays_legal_and_moves_one_thing_at_a_time(directions: list[bool]) -> None:
    mesh = begin(STABLE, "1-33-0").mesh
    for onward in directions:
        step = forward(mesh, NAMESPACES) if onward else back(mesh)
        if step is None:
            break
        assert not list(faults(step.mesh, NAMESPACES))
        assert not list(transition_faults(mesh, step.mesh, NAMESPACES))
        moved = {n for n in NAMESPACES if revision_of(mesh, n) != revision_of(step.mesh, n)}
        gateways = gateway_revision(mesh) != gateway_revision(step.mesh)
        restarts = set(step.restarts)
        assert moved == restarts - {"gateways"}
        assert gateways == ("gateways" in restarts)
        mesh = step.mesh

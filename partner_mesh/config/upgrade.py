"""The canary upgrade of Istio as a state machine: where a mesh stands, which steps are legal, what each one changes.

    stable ──to──► beside ──namespaces──► moving ──last──► moved ──► gateways ──► promoted ──► stable (new revision)

Every arrow goes back as well. Nothing here does I/O: the command edits files, the loader and the gate ask for faults.
Sources: istio.io canary upgrades (a revision upgrade may cross two minors, in-place one), `config/support.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from partner_mesh.config.mesh import Mesh, Upgrade

MOST_MINORS = 2


class State(Enum):
    """Where an upgrade stands; the value is how a person says it."""

    STABLE = "stable"
    BESIDE = "new control plane beside the old"
    MOVING = "namespaces are moving"
    MOVED = "every namespace has moved"
    GATEWAYS = "gateways have moved"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class Step:
    """One legal change of `mesh`: its name, what it changes in sentences, and what must be restarted for it."""

    name: str
    mesh: Mesh
    changes: tuple[str, ...]
    restarts: tuple[str, ...] = ()  # namespaces whose workloads must restart


def minor(revision: str) -> tuple[int, int]:
    """Major and minor of a revision as `1-31-1`."""
    major, second, _ = revision.split("-")
    return int(major), int(second)


def number(revision: str) -> tuple[int, ...]:
    """A revision as a comparable number."""
    return tuple(int(part) for part in revision.split("-"))


def state(mesh: Mesh, namespaces: Sequence[str]) -> State:
    """Where the mesh stands, given the namespaces that hold sidecars."""
    upgrade = mesh.upgrade
    if upgrade is None:
        return State.STABLE
    if upgrade.promoted:
        return State.PROMOTED
    if upgrade.gateways:
        return State.GATEWAYS
    if not upgrade.namespaces:
        return State.BESIDE if namespaces else State.MOVED
    return State.MOVED if set(namespaces) <= set(upgrade.namespaces) else State.MOVING


def revision_of(mesh: Mesh, namespace: str) -> str:
    """The revision that a namespace's sidecars run."""
    upgrade = mesh.upgrade
    return upgrade.to if upgrade is not None and namespace in upgrade.namespaces else mesh.revision


def gateway_revision(mesh: Mesh) -> str:
    """The revision that gateways run."""
    return mesh.upgrade.to if mesh.upgrade is not None and mesh.upgrade.gateways else mesh.revision


def sidecar_namespaces(mesh: Mesh, namespaces: Sequence[str]) -> tuple[str, ...]:
    """The namespaces that an upgrade moves: those in ambient mode hold no sidecar, and ztunnel goes with the tag."""
    return tuple(
        name
        for name in namespaces
        if (settings := mesh.namespaces.get(name)) is None or settings.data_plane != "ambient"
    )


def faults(mesh: Mesh, namespaces: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What makes a state illegal by itself: (key below `mesh`, reason, remedy)."""
    upgrade = mesh.upgrade
    if upgrade is None:
        return
    old, new = number(mesh.revision), number(upgrade.to)
    if new == old:
        yield (
            "upgrade.to",
            f"{upgrade.to} is the revision that runs already",
            "name the revision to go to, or remove upgrade",
        )
    elif new < old:
        yield (
            "upgrade.to",
            f"{upgrade.to} is older than {mesh.revision}",
            "an upgrade goes forward; to return, step back with `partner-mesh upgrade back`",
        )
    elif (
        minor(upgrade.to)[0] != minor(mesh.revision)[0] or minor(upgrade.to)[1] - minor(mesh.revision)[1] > MOST_MINORS
    ):
        yield (
            "upgrade.to",
            f"{upgrade.to} is more than {MOST_MINORS} minors after {mesh.revision}",
            f"go by way of {minor(mesh.revision)[0]}-{minor(mesh.revision)[1] + MOST_MINORS}",
        )
    for index, name in enumerate(upgrade.namespaces):
        if name not in namespaces:
            reason = f"no application with a sidecar runs in {name!r}"
            yield f"upgrade.namespaces.{index}", reason, "name a namespace of applications"
        if name in upgrade.namespaces[:index]:
            yield f"upgrade.namespaces.{index}", f"{name!r} stands twice", "remove one"
    waiting = [name for name in namespaces if name not in upgrade.namespaces]
    if upgrade.gateways and waiting:
        yield (
            "upgrade.gateways",
            f"gateways move after every namespace; {', '.join(waiting)} not yet",
            "move those namespaces first",
        )
    if upgrade.promoted and not upgrade.gateways:
        yield "upgrade.promoted", "promotion comes after the gateways", "set gateways: true in a step of its own first"


def _with(mesh: Mesh, upgrade: Upgrade | None, revision: str | None = None) -> Mesh:
    return mesh.model_copy(update={"upgrade": upgrade, "revision": revision or mesh.revision})


def _version(revision: str) -> str:
    return revision.replace("-", ".")


def _agents(mesh: Mesh, revision: str) -> str:
    """The node agents, of which a cluster has one release each, follow the tag."""
    which = "istio-cni, ztunnel and waypoints go" if mesh.data_plane == "ambient" else "istio-cni goes"
    return f"{which} to {_version(revision)}: the node agent restarts, no workload does"


def begin(mesh: Mesh, to: str) -> Step:
    """From stable: a second control plane beside the first. Nothing uses it yet."""
    return Step(
        "begin",
        _with(mesh, Upgrade(to=to)),
        (
            f"istiod {to} is installed beside {mesh.revision}; no proxy asks it yet",
            f"istio-base goes to {_version(to)}: the new CRDs, which the old control plane reads as well",
        ),
    )


def forward(mesh: Mesh, namespaces: Sequence[str]) -> Step | None:
    """The next step; None from stable, which needs to be told where to (`begin`)."""
    upgrade = mesh.upgrade
    if upgrade is None:
        return None
    waiting = [name for name in namespaces if name not in upgrade.namespaces]
    if waiting:
        name = waiting[0]
        return Step(
            f"move {name}",
            _with(mesh, upgrade.model_copy(update={"namespaces": (*upgrade.namespaces, name)})),
            (
                f"namespace {name} is labelled istio.io/rev={upgrade.to}",
                f"workloads in {name} restart with the new proxy",
            ),
            (name,),
        )
    if not upgrade.gateways:
        return Step(
            "move gateways",
            _with(mesh, upgrade.model_copy(update={"gateways": True})),
            (
                f"gateway releases go to {_version(upgrade.to)} in place: Services and load balancers stay",
                "gateway Deployments roll, one pod more before one pod less, and logins beside them",
            ),
            ("gateways",),
        )
    if not upgrade.promoted:
        return Step(
            "promote",
            _with(mesh, upgrade.model_copy(update={"promoted": True})),
            (
                f"the tag {mesh.tag!r} and the default revision point to {upgrade.to}",
                _agents(mesh, upgrade.to),
            ),
        )
    return Step(
        "finish",
        _with(mesh, None, upgrade.to),
        (
            f"istiod {mesh.revision} is removed",
            f"namespaces carry the tag {mesh.tag!r} again: same proxies, no restart",
        ),
    )


def back(mesh: Mesh) -> Step | None:
    """The step back; None from stable, which has nothing to return from (begin an upgrade instead)."""
    upgrade = mesh.upgrade
    if upgrade is None:
        return None
    if upgrade.promoted:
        return Step(
            "demote",
            _with(mesh, upgrade.model_copy(update={"promoted": False})),
            (
                f"the tag {mesh.tag!r} and the default revision point to {mesh.revision} again",
                _agents(mesh, mesh.revision),
            ),
        )
    if upgrade.gateways:
        return Step(
            "move gateways back",
            _with(mesh, upgrade.model_copy(update={"gateways": False})),
            (f"gateway releases go back to {_version(mesh.revision)} in place, and their Deployments roll",),
            ("gateways",),
        )
    if upgrade.namespaces:
        name = upgrade.namespaces[-1]
        return Step(
            f"move {name} back",
            _with(mesh, upgrade.model_copy(update={"namespaces": upgrade.namespaces[:-1]})),
            (f"namespace {name} is labelled with the tag {mesh.tag!r} again", f"workloads in {name} restart"),
            (name,),
        )
    return Step(
        "abandon",
        _with(mesh, None),
        (f"istiod {upgrade.to} is removed; nothing used it", f"istio-base goes back to {_version(mesh.revision)}"),
    )


def reinstate(mesh: Mesh, old: str, namespaces: Sequence[str]) -> Step:
    """Back from stable, after the old control plane was removed: install it again, beside, with nothing moved yet."""
    upgrade = Upgrade(to=mesh.revision, namespaces=tuple(namespaces), gateways=True, promoted=True)
    return Step(
        "reinstate",
        _with(mesh, upgrade, old),
        (
            f"istiod {old} is installed again; nothing uses it yet",
            f"namespaces carry {mesh.revision} instead of the tag {mesh.tag!r}: same proxies, no restart",
        ),
    )


def _stage(mesh: Mesh) -> tuple[bool, frozenset[str], bool, bool]:
    upgrade = mesh.upgrade
    if upgrade is None:
        return False, frozenset(), False, False
    return True, frozenset(upgrade.namespaces), upgrade.gateways, upgrade.promoted


def transition_faults(before: Mesh, after: Mesh, namespaces: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Why `after` may not follow `before` (deployed, or the pull request's base): (reason, remedy), none if it may.

    Legal: no change; one kind of step forward or back; several namespaces in one step, forward or back.
    """
    if (before.revision, before.upgrade) == (after.revision, after.upgrade):
        return
    if before.revision != after.revision:
        yield from _revision_faults(before, after, namespaces)
        return
    if before.upgrade is not None and after.upgrade is not None and before.upgrade.to != after.upgrade.to:
        yield (
            f"the target changes from {before.upgrade.to} to {after.upgrade.to} while an upgrade is under way",
            "step back to stable first",
        )
        return
    changed = [
        name
        for name, was, now in zip(
            ("upgrade", "namespaces", "gateways", "promoted"), _stage(before), _stage(after), strict=True
        )
        if was != now
    ]
    if len(changed) > 1:
        yield (
            f"{' and '.join(changed)} change together",
            "make each its own step: `partner-mesh upgrade next` or `back` does",
        )


def _revision_faults(before: Mesh, after: Mesh, namespaces: Sequence[str]) -> Iterator[tuple[str, str]]:
    if before.upgrade is None and after == reinstate(before, after.revision, namespaces).mesh:
        return
    if after.upgrade is not None:
        yield "the revision changes and an upgrade is declared at once", "finish one, then begin the other"
        return
    expected = before.upgrade
    if expected is None or after.revision != expected.to:
        yield (
            f"the revision goes from {before.revision} to {after.revision} without an upgrade to it",
            f"begin with `partner-mesh upgrade next --to {after.revision}`: workloads move first, the old goes last",
        )
    elif state(before, namespaces) is not State.PROMOTED:
        yield (
            f"{before.revision} is retired while it is in use: {state(before, namespaces).value}",
            "promote first; then the old control plane may go",
        )

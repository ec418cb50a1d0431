"""What happens to a mesh while partners call: the table of cases, each with what it brings about and within what bound.

The data plane does the refusing: the packet filter is brought up to date only after the effects were seen, so that no
packet filter helps the mesh.
"""

import time
from collections.abc import Callable
from typing import Final

from lab import rollover
from lab.cases import Case, Effect, Happening
from lab.drive import Load, pause, streams
from lab.ground import Ground
from lab.load import Stream
from lab.operations import API_SERVER
from lab.rotation import Rotation

DOWN: Final = 5.0  # seconds a killed program stays dead
# What is not the mesh's own time: istiod's debounce (100 ms after the last event), pushing, a busy machine.
PROPAGATION: Final = 1.0
# The longest pause between two tries of an Envoy to open its stream again; pauses are random below 0.5 s, 1 s, 2 s, ...
# (envoy.config.core.v3.GrpcService.EnvoyGrpc, retry_policy). Nothing that Istio offers sets another: ADR 12.
BACK_OFF: Final = 30.0
# Its first two tries: where another istiod answers, the first succeeds, or the second if the first met the dead one.
RECONNECT: Final = 1.5


def _nothing(_: Ground, load: Load) -> Happening:
    del load
    return Happening()


# -- partners come, change and go


def _newcomer(ground: Ground) -> list[Stream]:
    return list(streams(ground.lab, ground.hosts, map(ground.as_now, ground.callers_of(ground.subject)), "subject"))


def _added(ground: Ground, load: Load) -> Happening:
    del load
    documents = ground.objects_of(ground.subject)
    ground.lab.operate("surround", documents)  # its Secrets and addresses: other people's work in a real cluster
    began, ended = ground.lab.operate("write", documents)
    pause(3)
    note = f"{len(documents)} objects written in {ended - began:.2f} s"
    return Happening(
        (
            Effect(f"{ground.subject} is served, from the first object written", began, "", good=True),
            Effect(f"{ground.subject} is served, from the last object written", ended, "", good=True, bound=2.0),
        ),
        (note,),
    )


def _removed(ground: Ground, load: Load) -> Happening:
    del load
    documents = ground.objects_of(ground.subject)
    began, ended = ground.lab.operate("erase", list(reversed(documents)))
    bound = ended - began + ground.drain + PROPAGATION
    pause(ground.drain + 3)
    return Happening(
        (
            Effect("refused on fresh connections", began, "(fresh)", good=False, bound=bound),
            Effect("refused on open connections", began, "(kept)", good=False, bound=bound),
        ),
        (f"{len(documents)} objects removed in {ended - began:.2f} s",),
    )


def _moved_away(ground: Ground) -> list[Stream]:
    return list(streams(ground.lab, ground.hosts, [ground.withdrawn(ground.changing)], "subject"))


def _changed(ground: Ground, load: Load) -> Happening:
    del load
    effects = _narrow(ground, ground.changing)
    return Happening(effects, (f"{ground.changing} loses the half of its addresses that this caller calls from",))


def _session_away(ground: Ground) -> list[Stream]:
    return list(streams(ground.lab, ground.hosts, [ground.withdrawn(ground.session)], "subject"))


def _session_changed(ground: Ground, load: Load) -> Happening:
    del load
    effects = _narrow(ground, ground.session)
    return Happening(effects, (f"{ground.session} loses the half of its addresses that this session comes from",))


def _session_widen(ground: Ground) -> None:
    ground.lab.apply(ground.before_narrowing(ground.session))


def _narrow(ground: Ground, partner: str, again: float = 0.0) -> tuple[Effect, ...]:
    """Withdraw the half of a partner's addresses that the subjects call from; `again`: seconds to find one another."""
    began, _ = ground.lab.operate("write", ground.narrowed(partner))
    bound = again + ground.drain + PROPAGATION
    pause(bound + 2)
    return (
        Effect("refused on fresh connections", began, "(fresh)", good=False, bound=bound),
        Effect("refused on open connections", began, "(kept)", good=False, bound=bound),
    )


def _widen(ground: Ground) -> None:
    ground.lab.apply(ground.before_narrowing(ground.changing))


# -- programs die


def watching_again(outage: float) -> float:
    """Seconds at most until a watch of istiod's is open again after an API server was away so long.

    A pause of client-go's reflector is 0.8 s, doubled each time, up to 30 s, and up to as much again by chance. One
    that began before the outage ended follows pauses of which each was at least half of it less 0.8 s.
    """
    return min(60.0, 2 * outage + 1.6)


def _dies(name: Callable[[Ground], str], again: Callable[[float], float]) -> Callable[[Ground, Load], Happening]:
    def happen(ground: Ground, load: Load) -> Happening:
        del load
        program = name(ground)
        ground.lab.operate("kill", program)
        pause(DOWN)
        began = time.monotonic()
        ground.lab.operate("revive", program)
        ready = time.monotonic() - began
        effects = _narrow(
            ground, ground.changing, again(DOWN + ready)
        )  # and it works again: the next change takes effect
        return Happening(effects, (f"{program} dead for {DOWN:.0f} s, ready again {ready:.1f} s later",))

    return happen


def _one_dies(ground: Ground, load: Load) -> Happening:
    """The istiod that the proxies are connected to, while there is another; nobody waits for it to come back."""
    del load
    first = next(str(key) for key in ground.lab.status()["workloads"] if key.startswith("istio-system/istiod"))
    other = ground.lab.operate("replicate", first)
    ground.lab.operate("lose", first)
    effects = _narrow(ground, ground.changing, RECONNECT)
    ground.lab.operate("regain", first)
    drained = ground.lab.operate("retire", other)
    return Happening(effects, (f"{first} lost while {other} ran; the latter ended in {drained:.1f} s afterwards",))


def _istiod(ground: Ground) -> str:
    return next(str(name) for name in ground.lab.status()["processes"] if name.startswith("istio-system.istiod"))


# -- pods are replaced


def _drained(ground: Ground, load: Load) -> Happening:
    pods = [pod for gateway in ("partners", "egress") for pod in ground.gateway_pods(gateway)]
    return Happening(notes=tuple(rollover.replaced(ground, load, pod) for pod in pods))


def _upgraded(ground: Ground, load: Load) -> Happening:
    return Happening(notes=tuple(rollover.forward(ground, load)))


def _returned(ground: Ground, load: Load) -> Happening:
    return Happening(notes=tuple(rollover.backward(ground, load)))


# -- certificates


def _old_and_new(ground: Ground) -> list[Stream]:
    return list(Rotation.of(ground).subjects())


def _rotated(ground: Ground, load: Load) -> Happening:
    del load
    rotation = Rotation.of(ground)
    both = rotation.accept_both()
    pause(3)
    renewed = rotation.renew_ours()
    pause(2)
    only = rotation.accept_new_only()
    life = ground.connection_life
    pause(30)  # half the life of a workload certificate: by then each proxy has asked for its next one
    return Happening(
        (
            Effect("its new authority is accepted beside the old one", both, "new (fresh)", good=True, bound=2.0),
            Effect("its old authority is refused on fresh connections", only, "old (fresh)", good=False, bound=2.0),
        ),
        (
            f"a connection opened with the old certificate lives on, at most maxConnectionDuration ({life})",
            f"{renewed} client certificates of ours were renewed",
            rotation.workload_certificates(),
        ),
    )


CASES: Final[tuple[Case, ...]] = (
    Case("steady", "Nothing happens", _nothing),
    Case(
        "added", "A partner is added", _added, _newcomer, lambda g: {g.subject},
        lambda g: g.lab.delete(list(reversed(g.objects_of(g.subject)))), lambda g: g.lab.apply([]),
    ),
    Case(
        "changed", "A partner loses some of its addresses", _changed, _moved_away, after=_widen,
    ),
    Case(
        "session", "A partner over TCP loses some of its addresses", _session_changed, _session_away,
        after=_session_widen, possible=lambda g: bool(g.session),
    ),
    Case(
        "removed", "A partner is removed", _removed, _newcomer, lambda g: {g.subject},
        after=lambda g: g.lab.apply(g.objects_of(g.subject)),
    ),
    Case("replica", "One of two istiods is killed", _one_dies, _moved_away, after=_widen),
    Case(
        "istiod", "The only istiod is killed and restarted", _dies(_istiod, lambda _: BACK_OFF), _moved_away,
        after=_widen,
    ),
    Case(
        "apiserver", "The API server is killed and restarted", _dies(lambda _: API_SERVER, watching_again), _moved_away,
        after=_widen,
    ),
    Case("drained", "Both partner-facing gateways' pods are replaced", _drained),
    Case(
        "certificates", "A partner's authority, our certificates and workload certificates rotate", _rotated,
        _old_and_new, lambda g: {g.changing}, after=lambda g: g.lab.apply([]),
    ),
    Case("upgrade", "The control plane is upgraded by revision, every step", _upgraded),
    Case("return", "The same upgrade goes back from its last step but one", _returned),
)  # fmt: skip

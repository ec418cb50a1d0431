"""A case of load: what it brings about, played under traffic, judged by every request.

Its subjects are the callers that the change is about; every other caller is steady and may lose nothing. An effect says
from which moment on which subjects must be answered, or refused, and within what bound.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lab.drive import Load, pause, streams
from lab.ground import Ground
from lab.load import Stream
from lab.records import Figures, Record, settled

LEAD: Final = 3.0  # seconds of load before anything happens


@dataclass(frozen=True, slots=True)
class Effect:
    """Subjects (by their names' end) that must come out `good` or not from `since` on, within `bound` seconds."""

    what: str
    since: float
    subjects: str
    good: bool
    bound: float | None = None  # None: measured and told, not judged


@dataclass(frozen=True, slots=True)
class Observed:
    """An effect and when it was complete; None if never."""

    what: str
    seconds: float | None
    bound: float | None

    @property
    def passed(self) -> bool:
        """Whether it came within its bound."""
        return self.bound is None or (self.seconds is not None and self.seconds <= self.bound)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case as played."""

    case: str
    sentence: str
    steady: Figures
    effects: tuple[Observed, ...]
    notes: tuple[str, ...]
    seconds: float
    load_average: float

    @property
    def passed(self) -> bool:
        """Nothing lost, and everything in time."""
        return self.steady.lost == 0 and all(effect.passed for effect in self.effects)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class Happening:
    """What a case brought about."""

    effects: tuple[Effect, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `before` and `after` bring the lab to where the case starts and back; `subjects` are told by partner."""

    name: str
    sentence: str
    happen: Callable[[Ground, Load], Happening]
    subjects: Callable[[Ground], list[Stream]] = lambda _: []
    absent: Callable[[Ground], set[str]] = lambda _: set()  # partners whose own callers are not steady
    before: Callable[[Ground], None] = lambda _: None
    after: Callable[[Ground], None] = lambda _: None
    possible: Callable[[Ground], bool] = lambda _: True  # whether the stack has what it is about


def played(case: Case, ground: Ground, *, rate: float, requests: int) -> Outcome:
    """One case from before to after. Raises LabError for what the lab cannot do."""
    case.before(ground)
    absent = case.absent(ground)
    steady = [ground.as_now(c) for c in ground.callers if c.partner not in absent]
    ground.settle(steady)
    several = [*streams(ground.lab, ground.hosts, steady), *case.subjects(ground)]
    began = time.monotonic()
    load = Load.start(ground.lab, several, rate=rate, requests=requests)
    try:
        pause(LEAD)
        happened = case.happen(ground, load)
        records = load.finish()
    finally:
        load.abandon()
    taken = time.monotonic() - began
    case.after(ground)
    ground.kept.clear()
    observed = tuple(_observed(effect, several, records) for effect in happened.effects)
    kept = Figures.of(
        (record for record in records if several[record.stream].role == "steady"), [stream.name for stream in several]
    )
    return Outcome(case.name, case.sentence, kept, observed, happened.notes, round(taken, 1), os.getloadavg()[0])


def _observed(effect: Effect, several: Sequence[Stream], records: Iterable[Record]) -> Observed:
    wanted = {
        index for index, stream in enumerate(several)
        if stream.role == "subject" and stream.name.endswith(effect.subjects)
    }  # fmt: skip
    each = [
        settled([r for r in records if r.stream == index], effect.since, good=effect.good) for index in sorted(wanted)
    ]
    found = [seconds for seconds in each if seconds is not None]
    return Observed(effect.what, round(max(found), 2) if found and len(found) == len(each) else None, effect.bound)

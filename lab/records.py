"""Requests that a load client sent, one record each, and what many of them say: losses, percentiles, time to effect."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Record:
    """One request: index of its stream, when it was sent (monotonic clock), seconds since it was due, what came."""

    stream: int
    sent: float
    seconds: float
    status: int  # 0: no answer
    problem: str = ""  # why there is none
    reused: bool = False
    repeated: bool = False  # its TCP session was cut, and it was sent once more

    @property
    def good(self) -> bool:
        """Whether a permitted request got its answer."""
        return self.status == 200


@dataclass(frozen=True, slots=True)
class Figures:
    """What the records of some streams say. Milliseconds; percentiles are of answered requests."""

    requests: int
    lost: int
    p50: float
    p95: float
    p99: float
    longest: float
    reasons: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0

    @classmethod
    def of(cls, records: Iterable[Record], names: Sequence[str] = ()) -> Self:
        """Of any number of records, none included. `names` of the streams make a reason say whose loss it was."""
        kept = list(records)
        times = sorted(record.seconds * 1000 for record in kept if record.good)
        reasons: dict[str, int] = {}
        for record in kept:
            if not record.good:
                reason = record.problem or f"status {record.status}"
                reason += f", {names[record.stream]}" if names else ""
                reasons[reason] = reasons.get(reason, 0) + 1
        p50, p95, p99 = (round(percentile(times, share), 1) for share in (50, 95, 99))
        longest = round(times[-1], 1) if times else 0.0
        repeated = sum(record.repeated for record in kept)
        return cls(len(kept), len(kept) - len(times), p50, p95, p99, longest, reasons, repeated)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent do not exceed (nearest rank); 0 of nothing."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * share // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def settled(records: Iterable[Record], since: float, *, good: bool) -> float | None:
    """Seconds from `since` until the first request from which on every one came out as wanted; None if never.

    Requests sent before `since` do not count. The answer is as fine as the requests are dense.
    """
    after = sorted((record for record in records if record.sent >= since), key=lambda record: record.sent)
    first: float | None = None
    for record in after:
        if record.good is not good:
            first = None
        elif first is None:
            first = record.sent - since
    return first


def read_records(path: Path) -> list[Record]:
    """All records of a run, in the order of their answers."""
    return [Record(*json.loads(line)) for line in path.read_text().splitlines()]

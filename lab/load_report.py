"""What cases of load came to, as a table for people (Markdown, so that it stands in the docs as printed)."""

from collections.abc import Iterable, Sequence

from lab.cases import Observed, Outcome

HEADER = ("what happens", "requests", "lost", "p50 ms", "p95 ms", "p99 ms", "longest ms", "time to effect", "load")


def table(outcomes: Sequence[Outcome]) -> str:
    """Rows, then what each case says besides."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(_row(outcome) for outcome in outcomes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for outcome in outcomes:
        lines += ["", f"{outcome.sentence} (`{outcome.case}`), {outcome.seconds:.0f} s:"]
        lines += [f"- {line}" for line in _details(outcome)]
    return "\n".join(lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    found = outcome.steady
    slowest = [_seconds(effect) for effect in outcome.effects if effect.bound is not None]
    return (
        outcome.sentence, str(found.requests), str(found.lost), f"{found.p50:g}", f"{found.p95:g}", f"{found.p99:g}",
        f"{found.longest:g}", ", ".join(slowest) or "-", f"{outcome.load_average:.1f}",
    )  # fmt: skip


def _details(outcome: Outcome) -> Iterable[str]:
    for effect in outcome.effects:
        bound = "" if effect.bound is None else f" (bound {effect.bound:.1f} s{'' if effect.passed else ': MISSED'})"
        yield f"{effect.what}: {_seconds(effect)}{bound}"
    yield from outcome.notes
    if outcome.steady.repeated:
        yield f"{outcome.steady.repeated} lines of TCP sessions were sent again, their session having been cut"
    for reason, count in sorted(outcome.steady.reasons.items()):
        yield f"lost {count}: {reason}"


def _seconds(effect: Observed) -> str:
    return "never" if effect.seconds is None else f"{effect.seconds:.2f} s"

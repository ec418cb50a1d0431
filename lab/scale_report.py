"""The table of what many partners cost, as Markdown, and whether each row keeps the goals."""

from collections.abc import Iterator, Sequence
from typing import Final

from lab.scale import Size

HEADER: Final = (
    "partners", "enforced at", "gateways", "gateway kB", "sidecar kB", "egress kB", "bytes a partner",
    "all written", "last usable", "one change", "gateway MiB", "sidecar MiB", "egress MiB", "istiod MiB", "load",
)  # fmt: skip
USABLE: Final = 2.0  # seconds
CHANGE: Final = 1.0  # seconds
MEMORY: Final = 160.0  # MiB an Envoy


def table(sizes: Sequence[Size]) -> str:
    """Rows, and below them what misses its goal."""
    rows = [HEADER, tuple("---:" for _ in HEADER), *(_row(size) for size in sizes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    goals = (
        f"usable within {USABLE:g} s of the last write, one change under {CHANGE:g} s, under {MEMORY:g} MiB an Envoy"
    )
    missed = [f"- missed: {each}" for each in misses(sizes)]
    return "\n".join([*lines, "", *(missed or [f"All goals are kept: {goals}."])])


def misses(sizes: Sequence[Size]) -> Iterator[str]:
    """Each goal that a row misses, in a sentence."""
    for size in sizes:
        who = f"{size.shape.partners} partners, {size.shape.enforce_at}"
        for what, seconds, goal in (("last usable", size.usable, USABLE), ("one change", size.change, CHANGE)):
            if seconds is None or seconds > goal:
                yield f"{who}: {what} {_seconds(seconds)}, goal {goal:g} s (load average {size.load_average:.1f})"
        for where in ("gateway", "sidecar", "egress"):
            if (memory := getattr(size, f"{where}_memory")) > MEMORY:
                yield f"{who}: {where} {memory:.0f} MiB, goal {MEMORY:g} MiB"


def _row(size: Size) -> tuple[str, ...]:
    return (
        str(size.shape.partners), size.shape.enforce_at, str(size.shards), *(
            f"{count / 1000:.0f}" for count in (size.gateway_bytes, size.sidecar_bytes, size.egress_bytes)
        ),
        str(size.bytes_each), f"{size.write:.1f} s", _seconds(size.usable), _seconds(size.change), *(
            f"{mebibytes:.0f}"
            for mebibytes in (size.gateway_memory, size.sidecar_memory, size.egress_memory, size.istiod_memory)
        ),
        f"{size.load_average:.1f}",
    )  # fmt: skip


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"

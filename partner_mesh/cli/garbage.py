"""How the command treats Python's collector. In a module of its own: whoever measures a verb's work loads no more."""

import gc


def collect_rarely() -> None:
    """Look for cycles of garbage ten thousand times less often: what a verb makes is trees, and lives until it ends."""
    gc.set_threshold(7_000_000, 20, 20)

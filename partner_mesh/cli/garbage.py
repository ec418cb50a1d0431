"""How the command treats Python's collector. In a module of its own: whoever measures a verb's work loads no more."""

import atexit
import gc


def collect_rarely() -> None:
    """Look for cycles of garbage ten thousand times less often: what a verb makes is trees, and lives until it ends.

    The interpreter would look for them once more on its way out, through everything that was made: a fifth of the
    time of a large table. What is frozen it leaves to the end of the process.
    """
    gc.set_threshold(7_000_000, 20, 20)
    atexit.register(gc.freeze)

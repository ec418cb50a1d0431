"""Golden files: what a scenario compiles to, read by people in review and refreshed by one switch."""

from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Golden:
    """Compares a text with the file of its name below `tests/golden`; with `refresh` it becomes the file."""

    folder: Path
    refresh: bool
    suffix: str = ".yaml"

    def __call__(self, name: str, text: str) -> None:
        """Fails, with the difference, unless the file says the same; `name` is its path without the suffix."""
        path = self.folder / f"{name}{self.suffix}"
        if self.refresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"no golden file {path.name}: look at what `pytest --refresh-golden` writes, and commit it")
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            difference = unified_diff(expected.splitlines(), text.splitlines(), "golden", "compiled", lineterm="", n=2)
            pytest.fail("\n".join((f"{path.name} differs (`--refresh-golden` if it should):", *difference)))

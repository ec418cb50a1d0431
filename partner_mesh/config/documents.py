"""Files as plain values with places. Whatever is wrong with a file is a Problem, never an exception."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from partner_mesh.config.problems import Problem
from partner_mesh.config.yaml12 import Builder, Part, Place, shown_key

__all__ = ["Document", "Part", "Place", "parse", "read"]

LARGEST_FILE: Final = 4 * 1024 * 1024  # bytes
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value and, when asked, where each part of it stands."""

    file: str
    value: Any
    text: str = ""
    problems: tuple[Problem, ...] = ()
    complete: bool = True  # False: a mistake ended the reading, and `value` holds what stood before it
    _places: dict[tuple[Part, ...], Place] = field(default_factory=dict, repr=False, compare=False)

    def place(self, path: tuple[Part, ...]) -> Place:
        """Line and column of a key or an item; of the nearest part that is written when it is not there itself."""
        if self.text and not self._places:
            # Read a second time only now: valid files, which are most, never pay for their places.
            Builder(self.file, opaque=True, places=self._places).read(self.text)
            self._places.setdefault((), (1, 1))
        for end in range(len(path), -1, -1):
            found = self._places.get(path[:end])
            if found is not None:
                return found
        return (0, 0)

    def problem(self, path: tuple[Part, ...], reason: str, remedy: str, rule: str) -> Problem:
        """A problem at a place of this file."""
        return Problem(self.file, *self.place(path), shown_key(path), reason, remedy, rule)


def read(path: Path, file: str, *, opaque: bool = False) -> Document:
    """A file's document. Never raises: whatever is wrong is in `problems`, and then `value` is what could be read."""

    def refused(reason: str, remedy: str, line: int = 1) -> Document:
        return Document(file, None, "", (Problem(file, line, 1, "", reason, remedy, "document"),), complete=False)

    try:
        if path.is_dir():
            return refused("is a folder", "put a file here")
        if not path.is_file():
            what = "is a link to nowhere" if path.is_symlink() else "is not there"
            return refused(what, "create the file, or correct the name")
        if path.stat().st_size > LARGEST_FILE:
            return refused(f"is larger than {LARGEST_FILE} bytes", "split it: a partner's file is some dozens of lines")
        raw = path.read_bytes()
    except OSError as error:
        return refused(f"cannot be read ({error.strerror or type(error).__name__})", "check the file's permissions")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return refused("is not text in UTF-8", "save the file as UTF-8", line)
    return parse(text, file, opaque=opaque)


def parse(text: str, file: str, *, opaque: bool = False) -> Document:
    """A text's document; `opaque` where Pulumi's `{secure: …}` may stand."""
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        problem = Problem(file, line, 1, "", "holds a control character", "keep to printable text", "document")
        return Document(file, None, "", (problem,), complete=False)
    builder = Builder(file, opaque=opaque)
    value = builder.read(text)
    found = Document(file, value, text, tuple(builder.problems), builder.complete)
    if not text:
        found._places[()] = (1, 1)
    return found

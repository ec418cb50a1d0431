"""One reading of a configuration: where sections stand, what was found wrong, and what could not be read."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from partner_mesh.config.base import secret_shape
from partner_mesh.config.documents import Document, Part
from partner_mesh.config.problems import Problem
from partner_mesh.config.translation import Finding, findings

PROJECT: Final = "partner-mesh"
"""The namespace of our keys in a stack's file."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a section stands: a document, and the path of keys to it."""

    document: Document
    path: tuple[Part, ...] = ()

    @property
    def value(self) -> Any:
        """What is written there; None where no document is at hand."""
        value = self.document.value
        for part in self.path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def at(self, *parts: Part) -> "Source":
        """A part of the section."""
        return Source(self.document, (*self.path, *parts))

    def problem(self, finding: Finding) -> Problem:
        """A finding's place in the file."""
        return self.document.problem((*self.path, *finding.path), finding.reason, finding.remedy, finding.rule)


@dataclass(slots=True)
class Reading:
    """What one reading has gathered so far."""

    problems: list[Problem] = field(default_factory=list)
    sources: dict[tuple[Part, ...], Source] = field(default_factory=dict)  # world path → place
    unread: set[str] = field(default_factory=set)  # sections that are there but could not be read

    def refuse(self, source: Source, reason: str, remedy: str, rule: str = "value") -> None:
        """Note a mistake."""
        self.problems.append(source.problem(Finding((), reason, remedy, rule)))

    def validated(self, adapter: TypeAdapter[Any], value: Any, source: Source) -> Any:
        """The model, or None and its problems; nothing is said twice of a secret that the document refused."""
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            refused = {(problem.file, problem.line) for problem in self.problems if problem.rule == "secret"}
            for finding in findings(error, adapter, value):
                problem = source.problem(finding)
                if (problem.file, problem.line) not in refused:
                    self.problems.append(problem)
        except RecursionError:
            self.refuse(source, "is nested too deeply", "flatten it")
        return None


def secrets_in(value: Any, path: tuple[Part, ...] = ()) -> Iterator[Finding]:
    """Texts in plain values that look like secrets."""
    items: Iterable[tuple[Part, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, str) and (shape := secret_shape(value)) is not None:
        yield Finding(path, f"this is {shape}", "name the Secret that holds it", "secret")
    for part, inner in items:
        yield from secrets_in(inner, (*path, part))


def shown(path: Path) -> str:
    """A file's name as a person would type it."""
    text = str(path)
    try:
        relative = os.path.relpath(text)
    except (OSError, ValueError):
        return text
    return relative if not path.is_absolute() or not relative.startswith("..") else text

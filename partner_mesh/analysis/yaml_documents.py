"""The documents of a YAML or JSON text, read as Kubernetes reads them, each with its place."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from partner_mesh.analysis.yaml_nodes import DEEPEST, HostileYamlError, weighed
from partner_mesh.model.record import dataclass

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and how many lines stand before the text that its marks count in."""

    node: Any
    before: int = 0

    @property
    def line(self) -> int:
        """Where it begins; lines count from 1."""
        return int(self.node.start_mark.line) + self.before + 1

    def below(self, key: str) -> "Place | None":
        """The value under a key of a mapping."""
        pairs = self.node.value if isinstance(self.node, yaml.MappingNode) else ()
        found = next((value for name, value in pairs if name.value == key), None)
        return None if found is None else Place(found, self.before)

    def elements(self) -> "list[Place]":
        """The elements of a sequence."""
        values = self.node.value if isinstance(self.node, yaml.SequenceNode) else ()
        return [Place(value, self.before) for value in values]


@dataclass(frozen=True, slots=True)
class Document:
    """What was read, and where: lines count from 1."""

    content: Any
    line: int
    place: Place | None = None  # None where it was read as JSON
    doubled: tuple[tuple[str, int], ...] = ()  # keys that are written twice, with their lines


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that cannot be read, and why; `template`: it is one to be rendered first."""

    line: int
    problem: str
    template: bool


class _KubernetesLoader(_Loader):  # type: ignore[misc, valid-type]  # the C loader exists only where libyaml does
    """YAML as Kubernetes reads it: dates, `=` and base-60 numbers are strings.

    libyaml's composer calls itself for each level and ends the process when the stack does, so levels are counted.
    """

    depth = 0

    def descend_resolver(self, *_: Any) -> None:
        """Called on the way into each node; nobody here resolves tags by their path."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise HostileYamlError(f"nested deeper than {DEEPEST} levels")

    def ascend_resolver(self) -> None:
        """Called on the way out."""
        self.depth -= 1


def _text(loader: Any, node: Any) -> str:
    return str(loader.construct_scalar(node))


def _integer(loader: Any, node: Any) -> Any:
    return _text(loader, node) if ":" in node.value else loader.construct_yaml_int(node)


def _float(loader: Any, node: Any) -> Any:
    return _text(loader, node) if ":" in node.value else loader.construct_yaml_float(node)


_KubernetesLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:value", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:float", _float)


_ERRORS: Final = (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError)


def documents(text: str) -> Iterator[Document | Unreadable]:
    """Every document of a text; if the whole cannot be parsed, each document by itself."""
    try:
        yield from list(_parsed(text, 0))
    except _ERRORS as error:
        chunks = list(_chunks(text))
        if len(chunks) <= 1:
            try:  # a tab is white space in JSON, and none in YAML
                yield Document(json.loads(text), 1)
            except (ValueError, RecursionError):
                yield _unreadable(text, error, 0)
            return
        for line, chunk in chunks:
            try:
                yield from list(_parsed(chunk, line))
            except _ERRORS as inner:
                yield _unreadable(chunk, inner, line)


def _parsed(text: str, before: int) -> Iterator[Document]:
    loader = _KubernetesLoader(text)
    try:
        while loader.check_node():
            place = Place(loader.get_node(), before)
            doubled = tuple((key, line + before + 1) for key, line in weighed(place.node))
            yield Document(loader.construct_document(place.node), place.line, place, doubled)
    finally:
        loader.dispose()


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """(lines before it, text) of each document."""
    line = 0
    for chunk in re.split(r"(?m)^(?=---(?:\s|$))", text):
        if chunk.strip():
            yield line, chunk
        line += chunk.count("\n")


def _unreadable(text: str, error: Exception, before: int) -> Unreadable:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or str(error) or type(error).__name__).split())
    return Unreadable((mark.line if mark else 0) + before + 1, problem, "{{" in text)

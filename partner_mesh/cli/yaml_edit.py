"""Edits of one mapping in a YAML text that leave every other byte as it is: comments, quotes, spacing, line ends.

A round trip through any emitter re-flows what nobody asked it to. So the text is only composed, for the places of its
nodes, and cut at those places.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from partner_mesh.model.record import dataclass

Path = Sequence[str]
_ELSE_BEFORE: Final = frozenset(("on", "off", "yes", "no", "y", "n"))  # booleans in YAML 1.1, which Pulumi may read


class EditError(Exception):
    """The text has no place for the edit; the text of the error says why."""


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Node
    value: Node


def set_value(text: str, path: Path, value: Any, *, after: str | None = None) -> str:
    """The text with `path` set: a scalar, a list of names, or a mapping of those.

    A new key stands behind the key `after` of the same mapping. A list that grows or shrinks at its end keeps the rest.
    Raises EditError where the mapping that should hold it is not written there.
    """
    mapping = _mapping(text, path[:-1])
    entry = _entry(mapping, path[-1])
    if entry is None:
        return _inserted(text, mapping, path[-1], value, after)
    if isinstance(value, Mapping) and isinstance(entry.value, MappingNode):
        return _merged(text, path, entry.value, value)
    if isinstance(value, list) and isinstance(entry.value, SequenceNode):
        return _listed(text, entry.value, value)
    rendered = _rendered(value)
    if _plain(entry.value) == rendered:
        return text
    return text[: entry.value.start_mark.index] + rendered + text[_end(entry.value) :]


def remove(text: str, path: Path) -> str:
    """The text without the key `path`; as it is where there is none."""
    mapping = _mapping(text, path[:-1])
    entry = _entry(mapping, path[-1])
    if entry is None:
        return text
    if not mapping.flow_style:
        start = _line_start(text, entry.key.start_mark.index)
        return text[:start] + text[_line_end(text, _end(entry.value)) :]
    entries = [_Entry(key, value) for key, value in mapping.value]
    place = next(index for index, each in enumerate(entries) if each.key is entry.key)
    if place:
        return text[: _end(entries[place - 1].value)] + text[_end(entry.value) :]
    if len(entries) > 1:
        return text[: entry.key.start_mark.index] + text[entries[1].key.start_mark.index :]
    return text[: entry.key.start_mark.index] + text[_end(entry.value) :]


def _merged(text: str, path: Path, node: MappingNode, value: Mapping[str, Any]) -> str:
    for key in [str(each.value) for each, _ in node.value]:
        if key not in value:
            text = remove(text, [*path, key])
    previous: str | None = None
    for key, each in value.items():
        text = set_value(text, [*path, key], each, after=previous)
        previous = key
    return text


def _listed(text: str, node: SequenceNode, value: list[str]) -> str:
    old = [str(each.value) for each in node.value]
    last = node.value[-1] if node.value else None
    if old == value:
        return text
    if last is not None and value[: len(old)] == old:
        if node.flow_style:
            added = "".join(f", {_rendered(each)}" for each in value[len(old) :])
            return text[: _end(last)] + added + text[_end(last) :]
        start = _line_start(text, last.start_mark.index)
        lead = text[start : last.start_mark.index]
        if lead.strip() == "-":  # a dash and nothing else before the item: the next line can look alike
            at = _line_end(text, _end(last))
            added = "".join(f"{lead}{_rendered(each)}{_newline(text)}" for each in value[len(old) :])
            return _closed(text, at) + added + text[at:]
    if value and len(value) < len(old) and old[: len(value)] == value:
        if node.flow_style:
            return text[: _end(node.value[len(value) - 1])] + text[_end(node.value[-1]) :]
        start = _line_start(text, node.value[len(value)].start_mark.index)
        if text[start : node.value[len(value)].start_mark.index].strip() == "-":
            return text[:start] + text[_line_end(text, _end(node.value[-1])) :]
    if node.flow_style or last is None:
        return text[: node.start_mark.index] + _rendered(value) + text[_end(node) :]
    raise EditError("its list cannot be changed in place: write it as [a, b]")


def _inserted(text: str, mapping: MappingNode, key: str, value: Any, after: str | None) -> str:
    written = f"{key}: {_rendered(value)}"
    anchor = _entry(mapping, after) if after is not None else None
    if anchor is None and mapping.value:
        anchor = _Entry(*mapping.value[-1])
    if mapping.flow_style:
        if anchor is None:
            at = mapping.start_mark.index + 1
            return text[:at] + written + text[at:]
        return text[: _end(anchor.value)] + f", {written}" + text[_end(anchor.value) :]
    if anchor is None:
        raise EditError("the mapping is empty")
    indent = text[_line_start(text, anchor.key.start_mark.index) : anchor.key.start_mark.index]
    if indent.strip():
        indent = " " * len(indent)  # the first key behind a dash
    at = _line_end(text, _end(anchor.value))
    return _closed(text, at) + f"{indent}{written}{_newline(text)}" + text[at:]


def _mapping(text: str, path: Path) -> MappingNode:
    try:
        node = YAML(typ="rt").compose(text)
    except YAMLError as error:
        raise EditError("it is not YAML") from error
    for depth, key in enumerate(path):
        entry = _entry(node, key) if isinstance(node, MappingNode) else None
        if entry is None:
            raise EditError(f"{'.'.join(path[: depth + 1])} is not written there")
        node = entry.value
    if not isinstance(node, MappingNode):
        raise EditError(f"{'.'.join(path)} is not a mapping")
    return node


def _entry(mapping: MappingNode, key: str) -> _Entry | None:
    found = [_Entry(each, value) for each, value in mapping.value if each.value == key]
    return found[0] if found else None


def _end(node: Node) -> int:
    """Where the node's text ends: a block ends with its last leaf, not with the comments that follow it."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    index: int = node.end_mark.index
    return index


def _plain(node: Node) -> str | None:
    if isinstance(node, ScalarNode):
        return "true" if str(node.value).lower() == "true" else str(node.value)
    return None


def _rendered(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_rendered(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_rendered(each) for each in value) + "]"
    text = str(value)
    # A namespace may be called `on` or `1`: to YAML, the first to YAML 1.1 alone, those would be something else.
    plain = text not in _ELSE_BEFORE and isinstance(YAML(typ="safe").load(text), str)
    return text if plain else json.dumps(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _closed(text: str, at: int) -> str:
    """The text up to `at`, with a line end."""
    return text[:at] if text[:at].endswith("\n") else text[:at] + _newline(text)


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1

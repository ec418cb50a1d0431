"""What a parsed YAML document would grow to, and what it says twice: looked at before anything is built of it.

Aliases make a few lines stand for millions of values (a "YAML bomb"), or for themselves; whoever walks the values then
never ends. Keys that are written twice are lost without a word in PyYAML, where the API server refuses them.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

DEEPEST: Final = 250  # levels; the schema of a large custom resource has about sixty
REPEATED: Final = 100_000  # values that a document's anchors may stand for beside ten times those that are written


class HostileYamlError(ValueError):
    """A document that nobody should build."""


def weighed(root: Any) -> list[tuple[str, int]]:
    """Keys that are written twice, with their lines. Raises HostileYamlError for a document that grows too large."""
    sizes: dict[int, int] = {}
    doubled: list[tuple[str, int]] = []
    open_nodes: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        mark = id(node)
        if isinstance(node, yaml.ScalarNode):
            sizes[mark] = 1
        elif done:
            open_nodes.discard(mark)
            sizes[mark] = 1 + sum(sizes[id(each)] for each in _children(node))
        elif mark in open_nodes:
            raise HostileYamlError("an anchor contains itself")
        elif mark not in sizes:
            open_nodes.add(mark)
            stack.append((node, True))
            stack += [(each, False) for each in _children(node)]
            if isinstance(node, yaml.MappingNode):
                doubled += _doubled(node)
    if sizes[id(root)] > REPEATED + 10 * len(sizes):
        raise HostileYamlError(f"its anchors stand for {sizes[id(root)]:.0e} values")
    return doubled


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    else:
        yield from node.value


def _doubled(node: yaml.MappingNode) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                yield key.value, key.start_mark.line
            seen.add(key.value)

"""One question walked through the layers: what each says, by which object, written where."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from partner_mesh.analysis.layers import FURTHER_NETWORK, PRIMARY_NETWORK, Because, Endpoint, Opinion
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import Source
from partner_mesh.analysis.sets import PortSet
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What one layer says between two endpoints; no opinions where it does not take part."""

    layer: str
    opinions: tuple[Opinion, ...]


def steps(reach: Reach, source: Endpoint, destination: Endpoint, ports: PortSet = PortSet.ALL) -> Iterator[Step]:
    """Every layer's opinion, in the order in which they are asked, whatever an earlier one has said."""
    yield Step(reach.network.name, tuple(reach.network.opinions(source, destination, ports)))
    for layer in reach.layers:
        found = [each for each in layer.opinions(source, destination, ports) if each.ports & ports]
        if found or layer.name != PRIMARY_NETWORK:  # few clusters have any: silence says nothing there
            yield Step(layer.name, tuple(found))
    universe = reach.universe
    if source in universe.position and destination in universe.position:
        further = reach.further.opinions(universe.position[source], universe.position[destination], ports)
        if further:
            yield Step(FURTHER_NETWORK, tuple(further))


def place(because: Because, root: Path | None) -> Source | None:
    """Where a deciding object is written: the line of the very rule if its file can be read below `root`."""
    if because.resource is None or not because.resource.source.file:
        return None
    source = because.resource.source
    if root is None or not because.path:
        return source
    file = root if root.is_file() else root / source.file
    try:
        text = file.read_text(encoding="utf-8-sig")
        node = _node_at(list(yaml.compose_all(text, Loader=yaml.CSafeLoader)), source.line)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return source
    line = _line(node, because.path) if node is not None else None
    return Source(source.file, line) if line is not None else source


def _node_at(nodes: Sequence[Any], line: int) -> Any:
    """The mapping that begins on a line: a document, or an item of a List."""
    for node in nodes:
        if not isinstance(node, yaml.MappingNode):
            continue
        if node.start_mark.line + 1 == line:
            return node
        for key, value in node.value:
            if key.value == "items" and isinstance(value, yaml.SequenceNode):
                found = _node_at(value.value, line)
                if found is not None:
                    return found
    return None


def _line(node: Any, path: Sequence[str | int]) -> int | None:
    """The line of a field; of the last part of the path that is there."""
    line: int | None = None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((each for each in node.value if each[0].value == str(step)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line

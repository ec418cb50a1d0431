"""Changes of one layer alone as sentences: what it would let pass, and who still refuses."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.depth import LayerChange
from partner_mesh.analysis.differences import Access, Change
from partner_mesh.analysis.layers import Because
from partner_mesh.analysis.walls import Wall
from partner_mesh.model.record import dataclass, replace
from partner_mesh.report.sentences import sentences

TITLE: Final = "One layer opens, another still refuses"

NOT_ASKED: Final = "Layers were not asked one by one: there are many workloads. --layers asks them."


@dataclass(frozen=True, slots=True)
class LayerSentence:
    """One sentence of one layer, and what it tells of."""

    change: Change
    wall: Wall
    text: str
    accesses: tuple[Access, ...]
    refused_by: tuple[Because, ...]


def opened(comparison: Comparison) -> list[LayerSentence]:
    """What a person should read: a layer that closes changes nobody's access and is no news."""
    return [each for each in layer_sentences(comparison) if each.change is not Change.LOST]


def layer_sentences(comparison: Comparison) -> Iterator[LayerSentence]:
    """Layer by layer, in the order of their names; what the same layers refuse is said together."""
    groups: dict[tuple[str, Wall, tuple[str, ...]], list[LayerChange]] = {}
    for each in comparison.layers:
        layers = tuple(dict.fromkeys(by.layer for by in each.refused_by))
        groups.setdefault((str(each.wall), each.wall, layers), []).append(each)
    for (_, wall, layers), listed in sorted(groups.items(), key=lambda item: item[0][0]):
        # Who else may do the same, and which part of whose way it is, the whole table knows and no layer alone.
        own = replace(
            comparison, accesses=tuple(each.access for each in listed), layers=(), after=None, gateways=frozenset()
        )
        by = {id(each.access): each.refused_by for each in listed}
        for told in sentences(own):
            refusing = dict.fromkeys(because for access in told.accesses for because in by[id(access)])
            text = f"{wall}: {told.text}; {_refused(told.change, layers)}"
            yield LayerSentence(told.change, wall, text, told.accesses, tuple(refusing))


def _refused(change: Change, layers: tuple[str, ...]) -> str:
    if not layers:
        return "no such workload is there"
    return f"{'was refused already' if change is Change.LOST else 'still refused'} by {' and '.join(layers)}"

"""Whether any selector of the input tells two sets of labels apart.

Pods of one owner sometimes differ in a label that no policy, Service or mesh object asks for: they are then one
endpoint all the same. Selectors are found by their shape, wherever in an object they stand.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from partner_mesh.analysis.calico_selectors import calico_selector
from partner_mesh.analysis.resources import Resource, string_map
from partner_mesh.analysis.selectors import (
    And,
    In,
    LabelIndex,
    Selector,
    SelectorError,
    label_selector,
)


def told_apart(variants: Sequence[Mapping[str, str]], resources: Iterable[Resource]) -> bool:
    """Whether some selector chooses one of the label sets and not another; also where one cannot be read."""
    index = LabelIndex(list(variants))
    for resource in resources:
        try:
            for selector in _selectors(resource.body):
                if selector.mask(index) not in (0, index.everything):
                    return True
        except SelectorError:
            return True
    return False


def _selectors(value: Any) -> Iterator[Selector]:
    if isinstance(value, list):
        for each in value:
            yield from _selectors(each)
    if not isinstance(value, Mapping):
        return
    if "matchLabels" in value or "matchExpressions" in value:
        yield label_selector({key: value[key] for key in ("matchLabels", "matchExpressions") if key in value})
    for key, each in value.items():
        if isinstance(each, str) and str(key).lower().endswith("selector"):
            yield calico_selector(each)
        elif key == "selector" and isinstance(each, Mapping) and not {"matchLabels", "matchExpressions"} & each.keys():
            yield And(tuple(In(name, (wanted,)) for name, wanted in string_map(each).items()))
        yield from _selectors(each)

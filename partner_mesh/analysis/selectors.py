"""Label selectors, Kubernetes' and Calico's, as one expression tree that is asked about many objects at once.

An expression is evaluated over bit masks: bit i stands for object i of a `LabelIndex`, so one selector over a thousand
workloads costs a few operations on integers. A label that is missing satisfies `!=` and `not in`, as it does NotIn.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from partner_mesh.analysis.resources import string_value
from partner_mesh.model.record import dataclass

Mask = int  # bit i: object i of the index


class SelectorError(ValueError):
    """A selector that the API server would refuse; the message says what is wrong with it."""


class LabelIndex:
    """The labels of a sequence of objects, turned around: who has a key, who has a value."""

    def __init__(self, labels: Sequence[Mapping[str, str]]) -> None:
        self._labels = labels
        self.everything: Mask = (1 << len(labels)) - 1
        self._keys: dict[str, dict[str, Mask]] = {}

    @cached_property
    def _pairs(self) -> dict[str, dict[str, list[int]]]:
        found: dict[str, dict[str, list[int]]] = {}
        for position, labels in enumerate(self._labels):
            for key, value in labels.items():
                found.setdefault(key, {}).setdefault(value, []).append(position)
        return found

    def values(self, key: str) -> dict[str, Mask]:
        """Value → who carries it under this key."""
        if key not in self._keys:
            self._keys[key] = {value: mask_of(who) for value, who in self._pairs.get(key, {}).items()}
        return self._keys[key]


def mask_of(positions: Iterable[int]) -> Mask:
    """The mask with these bits set."""
    bits = bytearray()
    for position in positions:
        byte = position >> 3
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << (position & 7)
    return int.from_bytes(bits, "little")


def positions(mask: Mask) -> Iterator[int]:
    """The positions of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass(frozen=True, slots=True)
class Everything:
    """`{}` in Kubernetes, `all()` or nothing in Calico."""

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        return index.everything

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Global:
    """Calico's `global()`: what is in no namespace. Workloads always are in one."""

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        present = 0
        for each in index.values("projectcalico.org/namespace").values():
            present |= each
        return index.everything & ~present

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset({"projectcalico.org/namespace"})


@dataclass(frozen=True, slots=True)
class Exists:
    """The key is there, whatever its value."""

    key: str

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        found = 0
        for each in index.values(self.key).values():
            found |= each
        return found

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class In:
    """The key's value is one of these."""

    key: str
    values: tuple[str, ...]

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        found = 0
        known = index.values(self.key)
        for value in self.values:
            found |= known.get(value, 0)
        return found

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class Text:
    """The key's value contains, starts with or ends with a text."""

    key: str
    operator: str  # "contains", "startswith", "endswith"
    text: str

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        test: Callable[[str], bool] = {
            "contains": lambda value: self.text in value,
            "startswith": lambda value: value.startswith(self.text),
            "endswith": lambda value: value.endswith(self.text),
        }[self.operator]
        found = 0
        for value, each in index.values(self.key).items():
            if test(value):
                found |= each
        return found

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class Not:
    """Whoever the inner expression does not select."""

    inner: "Selector"

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        return index.everything & ~self.inner.mask(index)

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return self.inner.keys()


@dataclass(frozen=True, slots=True)
class And:
    """Selected by every part; by everything if there is none."""

    parts: tuple["Selector", ...]

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        found = index.everything
        for part in self.parts:
            found &= part.mask(index)
        return found

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset().union(*(part.keys() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """Selected by some part."""

    parts: tuple["Selector", ...]

    def mask(self, index: LabelIndex) -> Mask:
        """Who is selected."""
        found = 0
        for part in self.parts:
            found |= part.mask(index)
        return found

    def keys(self) -> frozenset[str]:
        """The label keys that the answer depends on."""
        return frozenset().union(*(part.keys() for part in self.parts))


Selector = Everything | Global | Exists | In | Text | Not | And | Or


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether one object is selected."""
    return bool(selector.mask(LabelIndex([labels])))


def label_selector(written: Any) -> Selector:
    """A Kubernetes LabelSelector: `matchLabels` and `matchExpressions`, all of which must hold.

    Nothing inside selects everything. Raises SelectorError for what the API server refuses.
    """
    if written is None:
        return Everything()
    if not isinstance(written, (dict, Mapping)):
        raise SelectorError("a selector must be a mapping of matchLabels and matchExpressions")
    if unknown := sorted(str(key) for key in written if key not in ("matchLabels", "matchExpressions")):
        raise SelectorError(f"unknown field {unknown[0]} in a selector; known are matchLabels and matchExpressions")
    labels = written.get("matchLabels") or {}
    expressions = written.get("matchExpressions") or []
    if not isinstance(labels, (dict, Mapping)) or not isinstance(expressions, list):
        raise SelectorError("matchLabels must be a mapping and matchExpressions a list")
    parts: list[Selector] = [In(str(key), (string_value(value),)) for key, value in labels.items()]
    parts += [_requirement(each) for each in expressions]
    if not parts:
        return Everything()
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _requirement(expression: Any) -> Selector:
    if not isinstance(expression, (dict, Mapping)) or not expression.get("key"):
        raise SelectorError("each of matchExpressions needs a key and an operator")
    key, operator = str(expression["key"]), expression.get("operator")
    values = expression.get("values") or []
    if not isinstance(values, list):
        raise SelectorError(f"values of {key} must be a list")
    if operator in ("In", "NotIn"):
        if not values:
            raise SelectorError(f"{operator} on {key} needs values")
        chosen = In(key, tuple(string_value(value) for value in values))
        return chosen if operator == "In" else Not(chosen)
    if operator in ("Exists", "DoesNotExist"):
        if values:
            raise SelectorError(f"{operator} on {key} takes no values")
        return Exists(key) if operator == "Exists" else Not(Exists(key))
    raise SelectorError(f"unknown operator {operator!r} on {key}; known are In, NotIn, Exists, DoesNotExist")

"""What a rule is: pure functions over a resource's inputs, so that they are tested without an engine."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Props = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the engine shows it to a policy: type token, name and inputs."""

    type: str
    name: str
    props: Props


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on single resources. `check` yields a sentence a violation: what is wrong, and what would be right."""

    name: str
    description: str
    types: tuple[str, ...]  # exact type tokens, or a prefix that ends in `*`
    check: Callable[[Props], Iterable[str]]

    def applies(self, token: str) -> bool:
        """Whether the rule looks at resources of this type."""
        return any(token == kind or (kind.endswith("*") and token.startswith(kind[:-1])) for kind in self.types)


@dataclass(frozen=True, slots=True)
class StackRule:
    """A rule on all resources together: yields (name of the resource, sentence)."""

    name: str
    description: str
    check: Callable[[Sequence[Resource]], Iterable[tuple[str, str]]]


def field(value: Any, *path: str | int) -> Any:
    """A nested field, or None where any step is missing, of another type, or not known before deployment."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def items(value: Any, *path: str | int) -> Iterator[Any]:
    """The elements of a nested list; none where it is missing."""
    found = field(value, *path)
    if isinstance(found, list | tuple):
        yield from found

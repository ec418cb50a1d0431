"""Rules over what is valid by itself: how sections, applications and partners must agree with one another.

Each rule is a function that yields findings, each under an identifier; its docstring is what the reference says of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from partner_mesh.config.rules.world import World
from partner_mesh.config.translation import Finding

Rule = Callable[[World], Iterator[Finding]]

RULES: Final[Mapping[str, Rule]] = {}


def broken(world: World) -> Iterator[tuple[str, Finding]]:
    """Every finding of every rule, with the rule's identifier."""
    for identifier, rule in RULES.items():
        for finding in rule(world):
            yield identifier, finding

"""Rules over what is valid by itself: how sections, applications and partners must agree with one another.

Each rule is a function that yields findings under an identifier; its docstring is what the reference says of it.
No rule is quadratic in the number of partners.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from partner_mesh.config.rules import (
    ambient,
    authorizers,
    capacity,
    clusters,
    edges,
    groups,
    hosts,
    logins,
    names,
    references,
    route_order,
    tls,
    traffic,
    versions,
)
from partner_mesh.config.rules.world import World
from partner_mesh.config.translation import Finding

Rule = Callable[[World], Iterator[Finding]]

RULES: Final[Mapping[str, Rule]] = {
    **names.RULES,
    **hosts.RULES,
    **references.RULES,
    **edges.RULES,
    **tls.RULES,
    **traffic.RULES,
    **logins.RULES,
    **ambient.RULES,
    **route_order.RULES,
    **clusters.RULES,
    **authorizers.RULES,
    **versions.RULES,
    **capacity.RULES,
    **groups.RULES,
}


def broken(world: World) -> Iterator[tuple[str, Finding]]:
    """Every finding of every rule, with the rule's identifier."""
    for identifier, rule in RULES.items():
        for finding in rule(world):
            yield identifier, finding

"""Properties that every stack should have, each with an identifier that never changes its meaning."""

from typing import Final

from partner_mesh.analysis.invariants import (
    authority,
    consistency,
    credentials,
    duplicates,
    egress,
    partners,
    plaintext,
    selecting,
    shapes,
    tokens,
    unused,
    web,
)
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *egress.INVARIANTS,
    *partners.INVARIANTS,
    *plaintext.INVARIANTS,
    *web.INVARIANTS,
    *unused.INVARIANTS,
    *selecting.INVARIANTS,
    *duplicates.INVARIANTS,
    *shapes.INVARIANTS,
    *authority.INVARIANTS,
    *tokens.INVARIANTS,
    *credentials.INVARIANTS,
    *consistency.INVARIANTS,
)


def examined(facts: Facts) -> list[Finding]:
    """Every finding of every invariant, in the order of identifiers and objects; none twice."""
    found = dict.fromkeys(finding for each in INVARIANTS for finding in each.examine(facts, each))
    return sorted(found, key=lambda each: (each.identifier, each.severity.rank, each.object, each.reason))


__all__ = ["INVARIANTS", "Facts", "Finding", "Invariant", "Severity", "examined"]

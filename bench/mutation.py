"""How many faults the analyser notices: each single step away from a compiled stack, judged by table and invariants.

`python -m bench.mutation [STACK]` judges every mutant and prints the score, the survivors and the proofs.
"""

import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bench.equivalent import DISREGARDED, proof_of, sure
from bench.mutants import Document, Mutant, mutants, title_of
from bench.walls import alone, wall_of, with_strangers
from partner_mesh.analysis.differences import access_changes
from partner_mesh.analysis.invariants import Facts, Finding, examined
from partner_mesh.analysis.layers import Addresses, Endpoint
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.table import Table
from partner_mesh.config.stack import Stack

TODAY: Final = date(2026, 11, 1)  # of exceptions that end: the score is the same tomorrow


class Noticed(Enum):
    """What first told of a fault."""

    WALL = "the table of one wall alone: access gained, lost or in doubt, whatever other walls say"
    ACCESS = "the whole table: access gained, lost or in doubt"
    INVARIANT = "an invariant: its findings differ"
    DECISION = "the whole table: another object decides"
    REFUSED = "reading: the object is refused, with a note"
    EQUIVALENT = "equivalent: proven to change no access"
    NOTHING = "nothing: survived"


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant and what became of it; the proof where it is equivalent."""

    mutant: Mutant
    noticed: Noticed
    proof: str = ""


class Judge:
    """One stack, and what is known of it as it should be. `ours` are the titles of the documents that we deploy."""

    def __init__(self, documents: list[Document], ours: frozenset[str]) -> None:
        self.documents = with_strangers(documents)
        self.ours = ours
        self.results = _table(self.documents)
        self._walls: dict[Hashable, Results] = {}

    @cached_property
    def _findings(self) -> set[Finding]:
        return _findings(self.documents)

    @cached_property
    def _decisions(self) -> set[tuple[Any, ...]]:
        return _decisions(self.results)

    def mutants(self) -> list[Mutant]:
        """Every mutant of what is ours to get wrong and what packets meet: see `bench.equivalent`."""
        return list(
            mutants(self.documents, lambda each: each["kind"] not in DISREGARDED and title_of(each) in self.ours)
        )

    def judge(self, mutant: Mutant) -> Judged:
        """What notices a mutant; the cheap question first. What is sure to be equivalent is not asked about."""
        if proof := sure(mutant):
            return Judged(mutant, Noticed.EQUIVALENT, proof)
        noticed = self.noticed(mutant)
        if noticed is Noticed.NOTHING and (proof := proof_of(mutant, self.documents)):
            return Judged(mutant, Noticed.EQUIVALENT, proof)
        return Judged(mutant, noticed)

    def noticed(self, mutant: Mutant) -> Noticed:
        """What notices a mutant first, proofs aside."""
        changed = mutant.applied(self.documents)
        if self._wall_differs(mutant, changed):
            return Noticed.WALL
        results = _table(changed)
        if access_changes(self.results, results):
            return Noticed.ACCESS
        if _findings(changed) != self._findings:
            return Noticed.INVARIANT
        if _decisions(results) != self._decisions:
            return Noticed.DECISION
        if {str(each) for each in results.notes} != {str(each) for each in self.results.notes}:
            return Noticed.REFUSED
        return Noticed.NOTHING

    def _wall_differs(self, mutant: Mutant, changed: list[Document]) -> bool:
        wall = wall_of(self.documents[mutant.position])
        if wall is None:
            return False
        if wall not in self._walls:
            self._walls[wall] = _table(alone(self.documents, wall))
        return bool(access_changes(self._walls[wall], _table(alone(changed, wall))))


def _table(documents: list[Document]) -> Results:
    return Table(of_documents(documents)).results()


def _findings(documents: list[Document]) -> set[Finding]:
    return set(examined(Facts(of_documents(documents), TODAY)))


def _decisions(results: Results) -> set[tuple[Any, ...]]:
    """Who decides between which ends; the outside is one end, so that only its being cut anew is no difference."""

    def end(endpoint: Endpoint) -> str:
        return "outside" if isinstance(endpoint, Addresses) else str(endpoint)

    return {
        (end(each.source), end(each.destination), each.verdict, by.layer, by.object, by.reason)
        for each in results.connections()
        for by in each.decided_by
    }


def judge_of(stack: Stack) -> Judge:
    """The judge of a configured stack. Applications' and charts' own objects are there, and not ours to get wrong."""
    # The compiler is imported where it is used: judging needs documents only.
    from partner_mesh.specs import compile_stack  # noqa: PLC0415

    compiled = compile_stack(stack)
    deployed = [each.document() for each in compiled.manifests] + [dict(each) for each in compiled.security_groups]
    inventory = [dict(each) for each in compiled.inventory]
    meshes = [each for each in inventory if each["kind"] == "ConfigMap"]
    return Judge([*deployed, *inventory], frozenset(title_of(each) for each in (*deployed, *meshes)))


def score(judged: Iterable[Judged]) -> tuple[int, int]:
    """(noticed, not equivalent)."""
    count = Counter(each.noticed for each in judged)
    total = sum(number for noticed, number in count.items() if noticed is not Noticed.EQUIVALENT)
    return total - count[Noticed.NOTHING], total


def report(judged: list[Judged]) -> Iterator[str]:
    """The score, what noticed how many, the survivors, and the proofs with how many mutants each covers."""
    noticed, total = score(judged)
    yield f"{len(judged)} mutants, {total} of them not equivalent, {noticed} noticed: {100 * noticed / total:.2f} %"
    count = Counter(each.noticed for each in judged)
    yield from (f"{count[each]:7d}  {each.value}" for each in Noticed if count[each])
    survivors = [each for each in judged if each.noticed is Noticed.NOTHING]
    if survivors:
        yield "\nSurvivors"
        yield from (f"  {each.mutant}" for each in survivors)
    yield "\nEquivalent, and why"
    proofs = Counter(each.proof for each in judged if each.proof)
    yield from (f"{number:7d}  {proof}" for proof, number in proofs.most_common())


def main() -> None:
    """Judge every mutant of a stack (dev where none is named)."""
    # Only the whole run reads configuration: tests bring a stack.
    from partner_mesh.cli.main import collect_rarely  # noqa: PLC0415
    from partner_mesh.config.loader import load_stack  # noqa: PLC0415

    collect_rarely()
    stack = sys.argv[1] if len(sys.argv) > 1 and sys.argv[0].endswith("mutation.py") else "dev"
    judge = judge_of(load_stack(stack, Path()))
    judged = [judge.judge(each) for each in judge.mutants()]
    print(f"Mutants of stack {stack}\n")
    print("\n".join(report(judged)))
    if any(each.noticed is Noticed.NOTHING for each in judged):
        sys.exit(1)


if __name__ == "__main__":
    main()

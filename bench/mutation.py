"""How many faults the analyser notices: each single step away from a compiled stack, judged by table and invariants.

`python -m bench.mutation [STACK] [--sample N] [--processes N]` judges every mutant, or N of them with one of each kind
of place, and prints the score, the survivors and the proofs.
"""

import argparse
import multiprocessing
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bench.equivalent import DISREGARDED, proof_of, sure
from bench.mutants import Document, Mutant, mutants, title_of
from bench.walls import doubles, strangers
from partner_mesh.analysis.depth import ground_of
from partner_mesh.analysis.differences import access_changes
from partner_mesh.analysis.handshakes import handshake_changes
from partner_mesh.analysis.invariants import Facts, Finding, examined
from partner_mesh.analysis.layers import NETWORK_POLICY, SECURITY_GROUP, Addresses, Endpoint
from partner_mesh.analysis.object_changes import ObjectChanges, object_changes
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.strangers import NAME
from partner_mesh.analysis.table import Table
from partner_mesh.analysis.walls import CALICO, Wall, alone, walls_of
from partner_mesh.config.stack import Stack

SEED: Final = 20261101
TODAY: Final = date(2026, 11, 1)  # of exceptions that end: the score is the same tomorrow


class Noticed(Enum):
    """What first told of a fault."""

    LAYER = "one layer alone: access gained, lost or in doubt, whatever other layers say (`diff`, `reach --explain`)"
    ACCESS = "the whole table: access gained, lost or in doubt (`diff`)"
    HANDSHAKE = "what TLS asks: a certificate's name or a version, taken now or no longer (`diff`)"
    INVARIANT = "an invariant: its findings differ (`check`)"
    DECISION = "the whole table: another object, or for another reason, decides (`reach`)"
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
        self.documents = documents
        self.ours = ours
        self._strangers = strangers(documents)  # beside layers that stand alone
        self.table = Table(of_documents(self.documents))
        self.ground = ground_of([self.table])
        self._alone: dict[tuple[Wall, str], Results] = {}

    @cached_property
    def results(self) -> Results:
        """The whole table."""
        return self.table.results()

    @cached_property
    def _findings(self) -> set[Finding]:
        return _findings(self.table)

    @cached_property
    def _decisions(self) -> set[tuple[Any, ...]]:
        return _decisions(self.results)

    def prepare(self) -> None:
        """Find what every verdict compares with."""
        _ = self.results, self._findings, self._decisions

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
        if self._a_layer_differs(mutant, changed):
            return Noticed.LAYER
        table = Table(of_documents(changed))
        results = table.results()
        questions: tuple[tuple[Noticed, Callable[[], bool]], ...] = (
            (Noticed.ACCESS, lambda: bool(access_changes(self.results, results))),
            (Noticed.HANDSHAKE, lambda: any(handshake_changes(self._changed(mutant, changed)))),
            (Noticed.INVARIANT, lambda: _findings(table) != self._findings),
            (Noticed.DECISION, lambda: _decisions(results) != self._decisions),
            (Noticed.REFUSED, lambda: set(map(str, results.notes)) != set(map(str, self.results.notes))),
        )
        return next((by for by, differs in questions if differs()), Noticed.NOTHING)

    def _changed(self, mutant: Mutant, changed: list[Document]) -> ObjectChanges:
        after = [changed[mutant.position]] if mutant.path else []
        return object_changes(of_documents([self.documents[mutant.position]]), of_documents(after))

    def _a_layer_differs(self, mutant: Mutant, changed: list[Document]) -> bool:
        """Whether a layer to which the object belongs, as it was or as it is, says otherwise by itself."""
        before = self.documents[mutant.position]
        after = [changed[mutant.position]] if mutant.path else []
        touched = of_documents([before, *after]).resources
        walls = dict.fromkeys(wall for each in touched for wall in walls_of(each, self.ground))
        home = str(before["metadata"].get("namespace", ""))
        return any(
            access_changes(self._standing(wall, home), self._results_alone(changed, wall, home)) for wall in walls
        )

    def _standing(self, wall: Wall, home: str) -> Results:
        key = wall, home if wall.layer == NETWORK_POLICY else ""
        if key not in self._alone:
            self._alone[key] = self._results_alone(self.documents, wall, home)
        return self._alone[key]

    def _results_alone(self, documents: list[Document], wall: Wall, home: str) -> Results:
        """A layer alone; where labels mean pods, among doubles elsewhere and in the object's own namespace."""
        homes = {NETWORK_POLICY: (NAME, home), CALICO: (NAME,), SECURITY_GROUP: (NAME,)}.get(wall.layer, ())
        beside = [each for name in homes for each in doubles(self.documents, name)]
        whole = of_documents([*documents, *self._strangers, *beside])
        return Table(alone(whole, wall, self.ground)).results()


def _findings(table: Table) -> set[Finding]:
    return set(examined(Facts.of(table.reach, TODAY)))


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
    from partner_mesh.specs import compile_stack

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


def chosen(found: list[Mutant], number: int | None, seed: int = SEED) -> list[Mutant]:
    """All; else one of each kind of place and fault, and as many more as there is room for, drawn by a seed."""
    if number is None or number >= len(found):
        return found
    mixed = random.Random(seed).sample(range(len(found)), len(found))
    kinds: dict[tuple[str, str, str], int] = {}
    for place in mixed:
        # A fault is named by its words without the value that it found: "made one bit wider".
        each = found[place]
        kinds.setdefault((each.kind, each.place, re.sub(r"\S*[\d.:/]+\S* ", "", each.what)), place)
    kept = dict.fromkeys(kinds.values()) | dict.fromkeys(mixed[:number])
    return [found[place] for place in sorted(list(kept)[: max(number, len(kinds))])]


def judged_by(judge: Judge, found: list[Mutant], processes: int) -> Iterator[Judged]:
    """Every verdict, in the order of the mutants, from so many processes; how far it is goes to standard error."""
    judge.prepare()  # once, before the processes part
    _SHARED[:] = [(judge, found)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        verdicts = pool.imap(_verdict, range(len(found)), chunksize=4)
        for number, (mutant, (noticed, proof)) in enumerate(zip(found, verdicts, strict=True), 1):
            survived = noticed is Noticed.NOTHING
            if survived or number % 250 == 0:
                what = f" survived: {mutant}" if survived else ""
                print(f"{number} of {len(found)}{what}", file=sys.stderr, flush=True)
            yield Judged(mutant, noticed, proof)


_SHARED: Final[list[tuple[Judge, list[Mutant]]]] = []  # what processes inherit: a mutant's value may be no message


def _verdict(number: int) -> tuple[Noticed, str]:
    judge, found = _SHARED[0]
    judged = judge.judge(found[number])
    return judged.noticed, judged.proof


def main() -> None:
    """Judge the mutants of a stack."""
    # Only the whole run reads configuration: tests bring a stack.
    from partner_mesh.cli.garbage import collect_rarely
    from partner_mesh.config.loader import load_stack

    options = argparse.ArgumentParser(prog="python -m bench.mutation")
    options.add_argument("stack", nargs="?", default="dev")
    options.add_argument("--sample", type=int, help="so many, drawn at random, and one of each kind of place besides")
    options.add_argument("--processes", type=int, default=2)
    asked = options.parse_args()
    collect_rarely()
    judge = judge_of(load_stack(asked.stack, Path()))
    every = judge.mutants()
    found = chosen(every, asked.sample)
    judged = list(judged_by(judge, found, asked.processes))
    print(f"Mutants of stack {asked.stack}: {len(every)}, judged: {len(found)}\n")
    print("\n".join(report(judged)))
    if any(each.noticed is Noticed.NOTHING for each in judged):
        sys.exit(1)


if __name__ == "__main__":
    main()

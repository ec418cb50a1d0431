"""Questions for both the analyser and the data plane: pairwise over every dimension, then at random around right calls.

Rows of pure chance are almost all refused at the first gate; so most of the random questions are right calls with up to
two things changed, where a layer that is missing would show.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.pairwise import pairwise
from lab.probe import Probe

NEAR: Final = 0.7  # the share of random questions that are changed right calls
CHANGES: Final = (0, 1, 1, 1, 2)  # how many things are changed, each as likely
TRIES: Final = 50  # questions in a row that were asked already, before there are taken to be no more


@dataclass(frozen=True, slots=True)
class Question:
    """One probe, with NetworkPolicies in force or without, so that the mesh beneath them is asked too."""

    family: str
    probe: Probe
    enforced: bool

    @property
    def key(self) -> str:
        """Equal for equal questions."""
        return repr(self)


class Family(ABC):
    """A table of dimensions and how a row of it becomes a probe; `right` are probes that should get through."""

    name = ""
    dimensions: Sequence[Sequence[Any]] = ()
    right: Sequence[Probe] = ()

    @abstractmethod
    def probe(self, row: Sequence[Any]) -> Probe | None:
        """The probe of a row; None where the row means nothing."""

    @abstractmethod
    def changed(self, probe: Probe, chance: random.Random) -> Probe:
        """A probe with one thing changed."""


def questions(families: Iterable[Family], count: int, seed: int) -> list[Question]:
    """All pairwise ones, then random ones up to `count`; each once. The same for the same seed."""
    chance = random.Random(seed)
    able = [family for family in families if family.dimensions and family.right]
    found: dict[str, Question] = {}
    for family in able:
        for row in pairwise([*family.dimensions, (True, False)], chance):
            if (probe := family.probe(row[:-1])) is not None:
                question = Question(family.name, probe, row[-1])
                found[question.key] = question
    stale = 0
    while len(found) < count and stale < TRIES and able:
        question = next(_random(chance.choice(able), chance))
        stale = stale + 1 if question.key in found else 0
        found[question.key] = question
    return list(found.values())


def _random(family: Family, chance: random.Random) -> Iterator[Question]:
    while True:
        probe: Probe | None
        if chance.random() < NEAR:
            probe = chance.choice(family.right)
            for _ in range(chance.choice(CHANGES)):
                probe = family.changed(probe, chance)
        else:
            probe = family.probe([chance.choice(values) for values in family.dimensions])
        if probe is not None:
            yield Question(family.name, probe, chance.random() < 0.5)


def counted(found: Iterable[Question]) -> Mapping[str, int]:
    """How many of each family, in order."""
    counts: dict[str, int] = {}
    for question in found:
        counts[question.family] = counts.get(question.family, 0) + 1
    return counts

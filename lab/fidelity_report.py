"""What `lab fidelity` says: a table, every difference, every question that the analyser cannot answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.fidelity import Outcome, table

COLUMNS = ("family", "questions", "let in by both", "refused by both", "analyser cannot tell", "different")
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Run:
    """One comparison."""

    stack: str
    seed: int
    outcomes: tuple[Outcome, ...]

    @property
    def different(self) -> list[Outcome]:
        """Those on which they disagree."""
        return [each for each in self.outcomes if not each.agrees]

    @property
    def command(self) -> str:
        """What makes the same questions again."""
        return f"partner-mesh lab fidelity {self.stack} --probes {len(self.outcomes)} --seed {self.seed}"

    def text(self) -> str:
        """For a terminal."""
        rows = [COLUMNS, *(tuple(map(str, row)) for row in table(self.outcomes))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *self._lists(), "", f"the same questions again: {self.command}"])

    def _lists(self) -> Iterator[str]:
        unknown: dict[str, int] = {}
        for each in self.outcomes:
            if each.unknown:
                unknown[each.expected.sentence()] = unknown.get(each.expected.sentence(), 0) + 1
        if unknown:
            yield "\nthe analyser cannot tell:"
            yield from (f"  {count} times {sentence}" for sentence, count in unknown.items())
        if self.different:
            yield "\ndifferent:"
            for each in self.different[:SHOWN]:
                yield from each.lines()
            if len(self.different) > SHOWN:
                yield f"and {len(self.different) - SHOWN} more; --format json has them all"

    def markdown(self, file: str) -> str:
        """For a page in `docs/lab`, which names the command that wrote it to that file."""
        rows = [" | ".join(map(str, row)) for row in table(self.outcomes)]
        return "\n".join(
            [
                f"# Fidelity over `{self.stack}`: does the analyser say what Envoy does?",
                "",
                "The same questions are put to `partner_mesh.analysis` and to the data plane of the lab: pairwise over",
                "every dimension (server name, Host, certificate, address, method, path, headers, token, workload,",
                "port), then at random around right calls; half with NetworkPolicies in force, half without, so",
                "that what lies beneath is asked too. A difference is a fault: `lab fidelity` ends with status 1.",
                "",
                f"Made by `{self.command} --write {file}`:",
                "",
                f"| {' | '.join(COLUMNS)} |",
                f"|{'---|' * len(COLUMNS)}",
                *(f"| {row} |" for row in rows),
                *_section(list(self._lists())),
                "",
                "Compared: whether a request reaches a server, and which. Not compared: the status of a refusal.",
                "Not asked: security groups, which the lab does not enforce; the analyser is asked without them.",
                "",
            ]
        )


def _section(lines: Sequence[str]) -> list[str]:
    return ["", "```", *("\n".join(lines)).strip().splitlines(), "```"] if lines else []

"""Whether the analyser says what the data plane does: the same questions put to both, every difference shown.

Security groups are not enforced in the lab, so the analyser is asked without them. Where NetworkPolicies are switched
off in the data plane, the analyser is asked without those too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.control import Lab
from lab.judge import Expected, Judge
from lab.probe import Observation
from lab.questions import Question
from partner_mesh.analysis.layers import Verdict

Document = Mapping[str, Any]
POLICIES: Final = ("NetworkPolicy", "GlobalNetworkPolicy")
GROUPS: Final = ("SecurityGroup", "SecurityGroupPolicy")
BATCH: Final = 250


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question, what the analyser says, what the data plane does."""

    question: Question
    expected: Expected
    seen: Observation

    @property
    def agrees(self) -> bool:
        """Whether they say the same; what the analyser cannot tell counts apart."""
        return self.expected.agrees(self.seen)

    @property
    def unknown(self) -> bool:
        """Whether the analyser cannot tell."""
        return self.expected.verdict is Verdict.UNKNOWN

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "family": self.question.family,
            "networkPolicies": self.question.enforced,
            "probe": self.question.probe.document(),
            "expected": self.expected.document(),
            "observed": self.seen.document(),
            "agrees": self.agrees,
        }

    def lines(self) -> list[str]:
        """For a person: question, expected, observed."""
        probe = self.question.probe
        shown = probe.certificate
        certificate = f"certificate {shown.authority} {','.join(shown.names)}" if shown else "no certificate"
        who = f"{probe.address}, {certificate}" if probe.address else probe.source
        name = "" if probe.server_name is None else f" SNI {probe.server_name or 'none'}"
        token = "" if probe.token is None else f" token {dict(probe.token.claims)}"
        policies = "with" if self.question.enforced else "without"
        request = f"{probe.method} {probe.host}{probe.path} {dict(probe.headers) or ''}{token}"
        return [
            f"{who} → {probe.to}:{probe.port}{name}, {request} ({policies} NetworkPolicies)",
            f"  expected: {self.expected.sentence()}",
            f"  observed: {self.seen.sentence()}",
        ]


def outcomes(
    asked: Sequence[Question], lab: Lab, documents: Iterable[Document], report: Callable[[str], None]
) -> list[Outcome]:
    """Every question to both. `documents` are the analyser's."""
    listed = [d for d in documents if d["kind"] not in GROUPS]
    found: list[Outcome] = []
    for enforced in (True, False):
        mine = [question for question in asked if question.enforced is enforced]
        judge = Judge([d for d in listed if enforced or d["kind"] not in POLICIES])
        expected = [judge.expected(question.probe) for question in mine]
        lab.enforce(enforced)
        for at in range(0, len(mine), BATCH):
            seen = lab.probes([question.probe for question in mine[at : at + BATCH]])
            part = zip(mine[at : at + BATCH], expected[at : at + BATCH], seen, strict=True)
            found += (Outcome(question, verdict, each) for question, verdict, each in part)
            report(f"{len(found)} of {len(asked)} questions asked")
    lab.enforce(enforcing=True)
    return found


def table(found: Sequence[Outcome]) -> Iterator[tuple[str, int, int, int, int, int]]:
    """Rows: family, questions, allowed by both, refused by both, not to be told, different; the last is the sum."""
    names = list(dict.fromkeys(each.question.family for each in found))
    for name in [*names, "all"]:
        mine = [each for each in found if name in {each.question.family, "all"}]
        known = [each for each in mine if each.agrees and not each.unknown]
        allowed = sum(each.expected.verdict is Verdict.ALLOWED for each in known)
        unknown = sum(each.unknown for each in mine)
        yield name, len(mine), allowed, len(known) - allowed, unknown, len(mine) - len(known) - unknown

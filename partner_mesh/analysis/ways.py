"""One way through the mesh, stage by stage, in the terms of the requests that its client sends.

Each stage (a handshake, a policy, a route, a hop of packets) refuses some of what is still open; what the last stage
leaves is allowed. What some stage could not tell is unknown, unless a later one refuses it.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Because, Opinion, Verdict
from partner_mesh.analysis.rewrites import Rewrite
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Fate:
    """What comes of some requests. `requests` is None where no HTTP is read on the way."""

    verdict: Verdict
    requests: HttpSet | None
    because: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Requests on their way: what is still open, and what has been refused."""

    open: tuple[Fate, ...]
    refused: tuple[Fate, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()  # applied so far, the first one first

    @classmethod
    def begin(cls, requests: HttpSet | None) -> "Way":
        """A way on which these requests set out."""
        return cls((Fate(Verdict.ALLOWED, requests, ()),))

    def through(self, opinions: Sequence[Opinion]) -> "Way":
        """After a stage that judges requests as they are by now. Silence refuses nothing."""
        if not opinions:
            return self
        left: list[Fate] = []
        refused = list(self.refused)
        for each in self.open:
            for opinion in opinions:
                judged = None if opinion.http is None else self._before(cast(HttpSet, opinion.http))
                requests = _both(each.requests, judged)
                if requests is not None and not requests:
                    continue
                if opinion.verdict is Verdict.DENIED:
                    refused.append(Fate(Verdict.DENIED, requests, opinion.because))
                elif opinion.verdict is Verdict.UNKNOWN:
                    kept = each.because if each.verdict is Verdict.UNKNOWN else opinion.because
                    left.append(Fate(Verdict.UNKNOWN, requests, kept))
                elif each.verdict is Verdict.UNKNOWN:
                    left.append(Fate(Verdict.UNKNOWN, requests, each.because))
                else:
                    left.append(Fate(Verdict.ALLOWED, requests, (*each.because, *opinion.because)))
        return Way(tuple(left), tuple(refused), self.rewrites)

    def taking(self, requests: HttpSet | None, rewrite: Rewrite, because: Because) -> "Way":
        """Along one leg of a route: only these requests, rewritten from here on."""
        kept = None if requests is None else self._before(requests)
        left: list[Fate] = []
        for each in self.open:
            both = _both(each.requests, kept)
            if both is None or both:
                reasons = each.because if each.verdict is Verdict.UNKNOWN else (*each.because, because)
                left.append(Fate(each.verdict, both, reasons))
        rewrites = self.rewrites if rewrite == Rewrite() else (*self.rewrites, rewrite)
        return Way(tuple(left), self.refused, rewrites)

    def _before(self, requests: HttpSet) -> HttpSet:
        for rewrite in reversed(self.rewrites):
            requests = rewrite.before(requests)
        return requests

    def end(self) -> tuple[Fate, ...]:
        """Everything that set out, with what came of it."""
        return (*self.refused, *self.open)


def _both(left: HttpSet | None, right: HttpSet | None) -> HttpSet | None:
    if left is None:
        return right
    return left if right is None else left & right


def settled(ways: Iterable[Way], whole: HttpSet | None, otherwise: tuple[Because, ...]) -> list[Fate]:
    """Several ways to one destination as one answer: allowed by one is allowed; what no way takes is refused.

    A request that several ways take may end differently on each (shares of versions): the best end counts.
    """
    fates = [fate for way in ways for fate in way.end()]
    if whole is None or any(fate.requests is None for fate in fates):
        return _plain(fates) or [Fate(Verdict.DENIED, whole, otherwise)]
    found: list[Fate] = []
    rest = whole
    for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED):
        merged: dict[tuple[Because, ...], HttpSet] = {}
        for fate in fates:
            requests = rest & fate.requests if fate.requests is not None else rest
            if fate.verdict is verdict and requests:
                merged[fate.because] = merged.get(fate.because, HttpSet.NONE) | requests
        for because, requests in merged.items():
            own = requests & rest
            if own:
                found.append(Fate(verdict, own, because))
                rest -= own
    if rest:
        found.append(Fate(Verdict.DENIED, rest, otherwise))
    return found


def _plain(fates: list[Fate]) -> list[Fate]:
    for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED):
        same = [fate for fate in fates if fate.verdict is verdict]
        if same:
            return same[:1]
    return []

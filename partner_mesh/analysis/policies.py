"""Ordered network rules, whatever API they were written in, and what they decide for one workload.

Kubernetes', Calico's and the admin policies all become tiers of policies of rules, which is how the data plane of
Calico runs them: the first rule that matches decides, `Pass` goes on to the next tier, and a tier that holds a policy
for the workload ends in a refusal. A rule of which it cannot be said whether it matches leaves a doubt, and the answer
is `unknown` exactly where that doubt could change it.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, Literal

from partner_mesh.analysis.layers import NETWORK_POLICY, Because, Verdict
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.selectors import Mask, positions
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.universe import Universe
from partner_mesh.model.record import dataclass, replace

Direction = Literal["ingress", "egress"]
_SHOWN: Final = 8  # so many policies are named where all of them together refuse


class Action(Enum):
    """What a rule does with what it matches."""

    ALLOW = "Allow"
    DENY = "Deny"
    PASS = "Pass"  # noqa: S105  # no password


_VERDICTS: Final = {Action.ALLOW: Verdict.ALLOWED, Action.DENY: Verdict.DENIED, Action.PASS: Verdict.UNKNOWN}


@dataclass(frozen=True, slots=True)
class NamedPort:
    """A port by the name that the destination's container gives it; `protocol` None for any."""

    name: str
    protocol: str | None


@dataclass(frozen=True, slots=True)
class Ports:
    """The destination ports of a rule: those of `base` that are in `include` (if it is given) and not in `exclude`."""

    base: PortSet = PortSet.ALL
    include: tuple[PortSet | NamedPort, ...] | None = None
    exclude: tuple[PortSet | NamedPort, ...] = ()

    def on(self, position: int | None, universe: Universe) -> PortSet:
        """The ports on one destination. A name means nothing where no container gives it."""
        found = self.base
        if self.include is not None:
            found &= PortSet.union(_number(each, position, universe) for each in self.include)
        return found - PortSet.union(_number(each, position, universe) for each in self.exclude)

    def numbers(self) -> PortSet | None:
        """The ports, where none is meant by a name; else None."""
        if any(isinstance(term, NamedPort) for term in (*(self.include or ()), *self.exclude)):
            return None
        included = PortSet.ALL if self.include is None else _union(self.include)
        return (self.base & included) - _union(self.exclude)

    def divided(self, mask: Mask, universe: Universe) -> list[tuple[Mask, PortSet]]:
        """The destinations of a mask, parted by what the rule's named ports mean on them."""
        parts = [mask]
        for term in (*(self.include or ()), *self.exclude):
            if isinstance(term, NamedPort):
                for owners in universe.with_port(term.name, term.protocol).values():
                    parts = [piece for part in parts for piece in (part & owners, part & ~owners) if piece]
        return [(part, self.on((part & -part).bit_length() - 1, universe)) for part in parts if part]


def _number(term: PortSet | NamedPort, position: int | None, universe: Universe) -> PortSet:
    if isinstance(term, PortSet):
        return term
    pods = universe.pods[position] if position is not None else None
    return pods.named_port(term.name, term.protocol) if pods is not None else PortSet.NONE


def _union(terms: Iterable[PortSet | NamedPort]) -> PortSet:
    return PortSet.union(term for term in terms if isinstance(term, PortSet))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one direction. `perhaps` are peers of which it cannot be said whether the rule means them."""

    action: Action
    peers: Mask
    ports: Ports
    because: Because
    perhaps: Mask = 0
    reason: str = ""  # why perhaps
    subjects: Mask | None = None  # the workloads that the rule is kept to, among those of its policy; None for all


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy: whom it applies to, and its rules; None for a direction that it says nothing about."""

    resource: Resource
    order: tuple[float, str]
    subjects: Mask
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None
    perhaps: Mask = 0  # workloads that it may or may not apply to
    reason: str = ""

    def rules(self, direction: Direction) -> tuple[Rule, ...] | None:
        """The rules of a direction."""
        return self.ingress if direction == "ingress" else self.egress


_Selection = tuple[Policy, tuple[Rule, ...]]  # a policy that applies to a workload, with the rules that mean it


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """Policies that are asked together; `default` is done with what no rule of an applying policy matched."""

    name: str
    order: float
    policies: tuple[Policy, ...]
    default: Action = Action.DENY


@dataclass(frozen=True, slots=True)
class Piece:
    """Some ports, what is decided of them, and by what; no reason where no policy applies."""

    ports: PortSet
    verdict: Verdict
    because: tuple[Because, ...] = ()


Pieces = tuple[Piece, ...]
FREE: Final[Pieces] = (Piece(PortSet.ALL, Verdict.ALLOWED),)


@dataclass(frozen=True, slots=True)
class Table:
    """What the policies of one workload decide in one direction: peers → pieces that cover every port once."""

    groups: tuple[tuple[Mask, Pieces], ...]

    def of(self, position: int) -> Pieces:
        """The answer for one peer."""
        for mask, pieces in self.groups:
            if mask >> position & 1:
                return pieces
        raise KeyError(position)


@dataclass(frozen=True, slots=True)
class _Group:
    """Peers that no rule has told apart so far, and what is decided of their ports."""

    mask: Mask
    remaining: PortSet = PortSet.ALL
    passed: PortSet = PortSet.NONE
    pieces: Pieces = ()
    doubts: Pieces = ()


class Evaluator:
    """Runs the tiers for one workload and direction after the other, each distinct combination of policies once."""

    def __init__(self, tiers: Sequence[Tier], universe: Universe) -> None:
        self.tiers = tuple(tiers)
        self.universe = universe
        self._tables: dict[object, Table] = {}
        self._known: dict[tuple[int, Direction], Table] = {}
        self._by_subject: list[dict[int, list[Policy]]] = []
        for tier in self.tiers:
            found: dict[int, list[Policy]] = {}
            for policy in tier.policies:
                for position in positions(policy.subjects | policy.perhaps):
                    found.setdefault(position, []).append(policy)
            self._by_subject.append(found)

    def table(self, position: int, direction: Direction) -> Table:
        """What is decided for the workload at a position."""
        known = self._known.get((position, direction))
        if known is None:
            known = self._known[position, direction] = self._found(position, direction)
        return known

    def _found(self, position: int, direction: Direction) -> Table:
        applying = tuple(self._applying(position, direction))
        named = {
            term
            for _, selections in applying
            for _, rules in selections
            for rule in rules
            for term in (*(rule.ports.include or ()), *rule.ports.exclude)
            if isinstance(term, NamedPort)
        }
        key = (
            direction,
            tuple(
                (id(policy), policy.subjects >> position & 1, tuple(map(id, rules)))
                for _, selections in applying
                for policy, rules in selections
            ),
            # What a name means is the destination's affair: for ingress that is the workload itself.
            frozenset((term, _number(term, position, self.universe)) for term in named)
            if direction == "ingress"
            else 0,
        )
        if key not in self._tables:
            self._tables[key] = self._evaluate(applying, position, direction)
        return self._tables[key]

    def _applying(self, position: int, direction: Direction) -> Iterator[tuple[Tier, list[_Selection]]]:
        """The tiers that hold a policy for the workload, with those policies and their rules that mean it."""
        for tier, by_subject in zip(self.tiers, self._by_subject, strict=True):
            found: list[_Selection] = []
            for policy in by_subject.get(position, ()):
                rules = policy.rules(direction)
                if rules is not None:
                    if any(rule.subjects is not None for rule in rules):
                        rules = tuple(r for r in rules if r.subjects is None or r.subjects >> position & 1)
                    found.append((policy, rules))
            if found:
                yield tier, found

    def _evaluate(
        self, applying: Iterable[tuple[Tier, Sequence[_Selection]]], position: int, direction: Direction
    ) -> Table:
        groups = [_Group(self.universe.everybody)]
        settled: list[_Group] = []
        for tier, selections in applying:
            for policy, rules in selections:
                doubt = None if policy.subjects >> position & 1 else policy.reason
                for rule in rules:
                    groups = self._apply(groups, rule, position, direction, doubt)
            groups = _ended(groups, tier, selections, position)
            settled += [group for group in groups if not group.remaining]
            groups = [group for group in groups if group.remaining]
        merged: dict[Pieces, Mask] = {}
        for mask, pieces in (_finish(group) for group in (*settled, *groups)):
            merged[pieces] = merged.get(pieces, 0) | mask
        return Table(tuple((mask, pieces) for pieces, mask in merged.items()))

    def _apply(
        self, groups: list[_Group], rule: Rule, position: int, direction: Direction, doubt: str | None
    ) -> list[_Group]:
        """The groups after a rule; with a doubt about its policy all that the rule means is in doubt."""
        certain, perhaps, why = rule.peers, rule.perhaps & ~rule.peers, rule.reason
        if doubt is not None:
            certain, perhaps, why = 0, certain | perhaps, doubt
        for mask, reason in ((certain, None), (perhaps, why)):
            if not mask:
                continue
            if direction == "ingress":
                divided = [(mask, rule.ports.on(position, self.universe))]
            else:
                divided = rule.ports.divided(mask, self.universe)
            for part, ports in divided:
                if ports:
                    groups = _split(groups, part, ports, rule, reason)
        return groups


def _split(groups: list[_Group], mask: Mask, ports: PortSet, rule: Rule, doubt: str | None) -> list[_Group]:
    """The groups after a rule; `doubt` is the reason why it may not match, None where it does."""
    found: list[_Group] = []
    for group in groups:
        hit = group.mask & mask
        if not hit:
            found.append(group)
            continue
        taken = group.remaining & ports
        if not taken:
            found.append(group)
            continue
        if rest := group.mask & ~mask:
            found.append(_Group(rest, group.remaining, group.passed, group.pieces, group.doubts))
        if doubt is not None:
            piece = Piece(taken, _VERDICTS[rule.action], (replace(rule.because, reason=doubt),))
            found.append(replace(group, mask=hit, doubts=(*group.doubts, piece)))
        elif rule.action is Action.PASS:
            found.append(_Group(hit, group.remaining - taken, group.passed | taken, group.pieces, group.doubts))
        else:
            piece = Piece(taken, _VERDICTS[rule.action], (rule.because,))
            pieces = (*group.pieces, piece)
            found.append(_Group(hit, group.remaining - taken, group.passed, pieces, group.doubts))
    return found


def _ended(groups: list[_Group], tier: Tier, selections: Sequence[_Selection], position: int) -> list[_Group]:
    """The groups after a tier: what no rule matched is refused, or goes on with what was passed."""
    refusal, sure = _refusal(selections, position)
    found: list[_Group] = []
    for group in groups:
        left = group.remaining
        pieces, doubts = group.pieces, group.doubts
        if not left or tier.default is Action.PASS:
            left |= group.passed
        elif sure:
            pieces = (*pieces, Piece(left, Verdict.DENIED, refusal))
            left = group.passed
        else:
            doubts = (*doubts, Piece(left, Verdict.DENIED, refusal))
            left |= group.passed
        found.append(_Group(group.mask, left, PortSet.NONE, pieces, doubts))
    return found


def _refusal(selections: Sequence[_Selection], position: int) -> tuple[tuple[Because, ...], bool]:
    """What refuses whatever no rule of a tier matched, and whether any of it surely applies."""
    sure = [(policy, rules) for policy, rules in selections if policy.subjects >> position & 1]
    if not sure:
        return tuple(Because.of(NETWORK_POLICY, p.resource, p.reason) for p, _ in selections[:_SHOWN]), False
    # A policy without rules is what people call the default deny: it tells more than those that merely do not match.
    plain = [policy for policy, rules in sure if not rules] or [policy for policy, _ in sure]
    return tuple(Because.of(NETWORK_POLICY, p.resource) for p in plain[:_SHOWN]), True


def _finish(group: _Group) -> tuple[Mask, Pieces]:
    """The pieces of a group, with doubts that could change them turned into `unknown`."""
    pieces = list(group.pieces)
    if group.remaining:
        pieces.append(Piece(group.remaining, Verdict.ALLOWED))
    for doubt in group.doubts:
        after: list[Piece] = []
        for piece in pieces:
            both = piece.ports & doubt.ports if piece.verdict is not doubt.verdict else PortSet.NONE
            if piece.verdict is Verdict.UNKNOWN or not both:
                after.append(piece)
                continue
            after.append(Piece(both, Verdict.UNKNOWN, doubt.because))
            if rest := piece.ports - both:
                after.append(replace(piece, ports=rest))
        pieces = after
    return group.mask, joined(pieces)


def joined(pieces: Iterable[Piece]) -> Pieces:
    """Pieces of equal verdict and reason as one, in the order in which they were first met."""
    pieces = tuple(pieces)
    if len(pieces) == 1 or (len(pieces) == 2 and pieces[0].verdict is not pieces[1].verdict):
        return pieces  # as nearly always: reasons are long to compare
    found: dict[tuple[Verdict, tuple[Because, ...]], list[PortSet]] = {}
    for piece in pieces:
        found.setdefault((piece.verdict, piece.because), []).append(piece.ports)
    return tuple(Piece(PortSet.union(ports), verdict, because) for (verdict, because), ports in found.items())

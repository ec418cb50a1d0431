"""AuthorizationPolicy: what a proxy lets through, for one peer, on every port and for every request.

CUSTOM is asked first, then DENY, then ALLOW: with at least one ALLOW policy in force, what none of them matches is
refused (istio `pilot/pkg/security/authz/builder`). A dry run and AUDIT refuse nothing.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from partner_mesh.analysis.authentication import (
    Principal,
    RequestAuthentications,
    Target,
    targeted,
    targets,
)
from partner_mesh.analysis.bound_policies import Bound, Policy
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import AUTHORISATION, Because, Opinion, Verdict
from partner_mesh.analysis.mesh_config import SECURITY, MeshConfig, Selected
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.rule_fields import identity_matches
from partner_mesh.analysis.rules import TCP, Match
from partner_mesh.analysis.sets import AddressSet, PortSet, atoms, normalised
from partner_mesh.analysis.topology import World
from partner_mesh.model.record import dataclass

ACTIONS: Final = ("CUSTOM", "DENY", "ALLOW")  # in the order in which a proxy asks them
MODELLED_TARGETS: Final = ("Gateway", "Service")  # of `targetRefs`: waypoints, and what they serve
_MANY: Final = 64  # regions: a set that touches more is known by where it lies
NAMED: Final = 4  # of many policies that do not match, so many are named


@dataclass(frozen=True, slots=True)
class _Hit:
    """A match, and whose it is."""

    match: Match
    because: Because


class Authorizations:
    """All AuthorizationPolicy objects."""

    def __init__(self, world: World, mesh: MeshConfig, tokens: RequestAuthentications) -> None:
        self.notes: list[Note] = []
        self._tokens = tokens
        self._policies: dict[int, Policy] = {}
        self._attached: list[Policy] = []
        in_force: list[Resource] = []
        for resource in world.of(SECURITY, "AuthorizationPolicy"):
            if _dry_run(resource):
                self.notes.append(Note(resource.source, f"{resource.title} is a dry run: it refuses nothing"))
                continue
            action = str(resource.spec.get("action") or "ALLOW")
            if action not in (*ACTIONS, "AUDIT"):
                self.notes.append(Note(resource.source, f"{resource.title}: action {action!r} is not one of Istio's"))
            elif action == "AUDIT":
                continue
            elif targeted(resource):
                self._attached.append(Policy(resource))
                if unknown := [kind for _, kind, _ in targets(resource) if kind not in MODELLED_TARGETS]:
                    text = f"{resource.title} targets a {unknown[0]}, which is not modelled"
                    self.notes.append(Note(resource.source, text))
            else:
                in_force.append(resource)
                self._policies[id(resource)] = Policy(resource)
        self._selected = Selected(in_force, mesh.root_namespace)
        self.labels = self._selected.labels | tokens.labels
        self.known = bool(in_force)
        self._patterns: dict[tuple[str, str, str], None] = {}
        self.addresses: list[AddressSet] = []
        for policy in (*self._policies.values(), *self._attached):
            for _, rule in policy.rules:
                self._patterns.update(dict.fromkeys(rule.mentioned.patterns))
                self.addresses += rule.mentioned.addresses
        self._regions = _Regions(self.addresses)
        self._mentions: dict[int, Mentions] = {}
        self._cache: dict[Hashable, tuple[Opinion, ...]] = {}

    def bound(self, namespace: str, labels: Mapping[str, str]) -> Bound:
        """The policies in force on pods of a namespace with these labels."""
        policies = tuple(self._policies[id(each)] for each in self._selected.of(namespace, labels))
        return Bound(policies, self._tokens.of(namespace, labels))

    def attached(self, wanted: Iterable[Target]) -> tuple[Policy, ...]:
        """The policies that name one of these (namespace, kind, name)."""
        known = set(wanted)
        return tuple(each for each in self._attached if known & set(targets(each.resource)))

    @staticmethod
    def names(peer: Peer) -> tuple[tuple[str, str], ...]:
        """(field, value) of everything by which a rule may name a peer exactly."""
        principal = peer.principal
        if principal is None:
            return ()
        account = f"{principal.namespace}/{principal.service_account}"
        return ("principals", str(principal)), ("namespaces", principal.namespace), ("serviceAccounts", account)

    def unmentioned(self, peer: Peer) -> tuple[Hashable, ...]:
        """What any policy that names neither a peer nor addresses could tell it from another by."""
        principal = peer.principal
        found = (peer.token, peer.foreign_certificate, peer.sni)
        if principal is None:
            return found
        return (*found, tuple(identity_matches(*pattern, principal) for pattern in self._patterns))

    def mentions(self, bound: Bound) -> "Mentions":
        """What the policies of one workload mention."""
        known = self._mentions.get(id(bound.policies))
        if known is None:
            known = self._mentions[id(bound.policies)] = Mentions(bound.policies)
        return known

    def told_apart(self, bound: Bound, peer: Peer) -> tuple[Hashable, ...]:
        """What the policies of one workload can tell this peer from another by."""
        known = self.mentions(bound)
        addresses: Hashable = None
        if known.addresses:
            addresses = self._regions.of(peer.addresses), self._regions.of(peer.remote), peer.claims_remote
        return (known.sides(peer.principal), addresses, peer.token, peer.foreign_certificate, peer.sni)

    def opinions(
        self,
        bound: Bound,
        peer: Peer,
        ports: PortSet,
        *,
        http: bool,
        raw: bool = True,
        within: HttpSet = HttpSet.ALL,
    ) -> tuple[Opinion, ...]:
        """What the policies say of a peer on TCP `ports`, on filter chains that understand HTTP or do not.

        On a chain that detects the protocol, what is no HTTP passes too: `raw` says whether such chains are asked.
        `within` are the requests in question: of others nothing is said.
        """
        if not bound.policies or not ports:
            return ()
        key = (id(bound.policies), bound.tokens.issuers, self.told_apart(bound, peer), ports, http, raw, within)
        known = self._cache.get(key)
        if known is None:
            known = self._cache[key] = tuple(self._judged(bound, peer, ports, within, http=http, raw=raw))
        return known

    def _judged(
        self, bound: Bound, peer: Peer, ports: PortSet, within: HttpSet, *, http: bool, raw: bool
    ) -> Iterable[Opinion]:
        if not http:
            for part, hits in _cut(bound, peer, ports, tcp=True):
                yield from _opinions(bound, part, hits, HttpSet.ALL, http=False)
            return
        for part, hits in _cut(bound, peer, ports, tcp=False):
            found = _opinions(bound, part, hits, within, http=True)
            if raw and len(found) == 1 and found[0].http is None and found[0].verdict is Verdict.ALLOWED:
                # All of HTTP passes. Unless what is no HTTP passes as well, the answer is one about requests only.
                as_tcp = [
                    each
                    for p, h in _cut(bound, peer, part, tcp=True)
                    for each in _opinions(bound, p, h, HttpSet.ALL, http=False)
                ]
                if any(each.verdict is not Verdict.ALLOWED for each in as_tcp):
                    found = [Opinion(each.layer, each.verdict, each.ports, each.because, HttpSet.ALL) for each in found]
            yield from found


class Mentions:
    """The identities that some policies mention: all peers that they do not mention are one to them."""

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self.policies = policies  # kept, so that nobody else gets their id
        rules = [rule for policy in policies for _, rule in policy.rules]
        self.addresses = any(rule.mentioned.addresses for rule in rules)
        self.principals = {each for rule in rules for each in rule.mentioned.exact["principals"]}
        self.namespaces = {each for rule in rules for each in rule.mentioned.exact["namespaces"]}
        self.accounts = {each for rule in rules for each in rule.mentioned.exact["serviceAccounts"]}
        self.names = (
            *(("principals", each) for each in sorted(self.principals)),
            *(("namespaces", each) for each in sorted(self.namespaces)),
            *(("serviceAccounts", each) for each in sorted(self.accounts)),
        )
        self.patterns = tuple(dict.fromkeys(each for rule in rules for each in rule.mentioned.patterns))
        self._known: dict[Principal | None, Hashable] = {None: None}

    def sides(self, principal: Principal | None) -> Hashable:
        """What these policies can tell an identity from another by."""
        known = self._known.get(principal, self)
        if known is not self or principal is None:
            return known
        account = f"{principal.namespace}/{principal.service_account}"
        found = (
            str(principal) if str(principal) in self.principals else "",
            principal.namespace if principal.namespace in self.namespaces else "",
            account if account in self.accounts else "",
            tuple(identity_matches(*pattern, principal) for pattern in self.patterns),
        )
        self._known[principal] = found
        return found


class _Regions:
    """The address space in regions that no rule's block cuts through: of addresses only their regions matter."""

    def __init__(self, blocks: Iterable[AddressSet]) -> None:
        found = [
            (low, high, number)
            for number, region in enumerate(atoms(blocks, AddressSet.ALL))
            for low, high in region.intervals
        ]
        self._spans = sorted(found)
        self._starts = [low for low, _, _ in self._spans]
        self._known: dict[AddressSet, Hashable] = {}

    def of(self, addresses: AddressSet | None) -> Hashable:
        """The regions that a set touches; None where the addresses are not known."""
        if addresses is None:
            return None
        known = self._known.get(addresses)
        if known is None:
            known = self._known[addresses] = self._touched(addresses)
        return known

    def _touched(self, addresses: AddressSet) -> Hashable:
        found: list[tuple[int, int]] = []
        for low, high in addresses.intervals:
            first = max(bisect_right(self._starts, low) - 1, 0)
            last = bisect_right(self._starts, high) - 1
            if first <= last and self._spans[first][1] < low:
                first += 1
            if first <= last:
                found.append((first, last))
        runs = normalised(found)
        if sum(last - first for first, last in runs) > _MANY:  # all but one partner's: told by where it lies
            return runs
        return frozenset(self._spans[at][2] for first, last in runs for at in range(first, last + 1))


def _cut(bound: Bound, peer: Peer, ports: PortSet, *, tcp: bool) -> Iterable[tuple[PortSet, dict[str, list[_Hit]]]]:
    """The ports in parts that no match cuts through, each with the matches that hold on it, by action."""
    hits: list[tuple[str, _Hit]] = []
    for policy, index, rule in bound.rules(peer):
        for match in rule.matches(peer, bound.tokens.issuers, tcp=tcp):
            reason = f"asks provider {policy.provider}" if policy.action == "CUSTOM" else match.maybe
            hits.append((policy.action, _Hit(match, policy.because(reason, index))))
    parts = [ports]
    for cut in dict.fromkeys(hit.match.ports for _, hit in hits):
        if cut != TCP:
            parts = [piece for part in parts for piece in (part & cut, part - cut) if piece]
    for part in parts:
        by_action: dict[str, list[_Hit]] = {action: [] for action in ACTIONS}
        for action, hit in hits:
            if hit.match.ports & part:
                by_action[action].append(hit)
        yield part, by_action


def _opinions(
    bound: Bound, ports: PortSet, hits: Mapping[str, list[_Hit]], within: HttpSet, *, http: bool
) -> list[Opinion]:
    """The verdicts of one part of the ports."""
    found: list[Opinion] = []

    def say(verdict: Verdict, requests: HttpSet, because: tuple[Because, ...]) -> None:
        if requests:
            shown = None if requests == HttpSet.ALL or not http else requests
            found.append(Opinion(AUTHORISATION, verdict, ports, because, shown))

    rest = within
    refused = HttpSet.union(hit.match.http for hit in hits["DENY"] if not hit.match.maybe)
    say(Verdict.DENIED, rest & refused, _reasons(hit for hit in hits["DENY"] if not hit.match.maybe))
    rest -= refused
    doubtful = [*hits["CUSTOM"], *(hit for hit in hits["DENY"] if hit.match.maybe)]
    unsure = HttpSet.union(hit.match.http for hit in doubtful)
    if bound.allowing:
        admitted = HttpSet.union(hit.match.http for hit in hits["ALLOW"] if not hit.match.maybe)
        perhaps = [hit for hit in hits["ALLOW"] if hit.match.maybe]
        possible = admitted | HttpSet.union(hit.match.http for hit in perhaps)
        say(Verdict.DENIED, rest - possible, _unmatched(bound.allowing))
        say(Verdict.UNKNOWN, (rest & possible) - admitted - unsure, _reasons(perhaps))
        say(Verdict.UNKNOWN, rest & possible & unsure, _reasons(doubtful))
        say(Verdict.ALLOWED, (rest & admitted) - unsure, _reasons(h for h in hits["ALLOW"] if not h.match.maybe))
        return found
    say(Verdict.UNKNOWN, rest & unsure, _reasons(doubtful))
    passing = tuple(each.because("no rule matches") for each in bound.policies[:NAMED])
    say(Verdict.ALLOWED, rest - unsure, passing)
    return found


def _reasons(hits: Iterable[_Hit]) -> tuple[Because, ...]:
    return tuple(dict.fromkeys(hit.because for hit in hits))


def _unmatched(policies: Sequence[Policy]) -> tuple[Because, ...]:
    """Of many ALLOW policies without a match the first few: the rest is counted."""
    named = [each.because("no rule matches" if each.rules else "allows nothing") for each in policies[:NAMED]]
    if len(policies) > NAMED:
        last = policies[NAMED - 1]
        named[-1] = last.because(f"no rule matches, nor any of {len(policies) - NAMED} more policies")
    return tuple(named)


def _dry_run(resource: Resource) -> bool:
    return resource.annotations.get("istio.io/dry-run", "").lower() in ("1", "t", "true")

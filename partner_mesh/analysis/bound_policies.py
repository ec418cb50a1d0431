"""The AuthorizationPolicies that bind a workload, with their rules: found by whom they name."""

from collections.abc import Hashable, Iterable, Mapping

from partner_mesh.analysis.authentication import Tokens
from partner_mesh.analysis.layers import AUTHORISATION, Because
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.rules import Rule
from partner_mesh.model.record import dataclass, field


class Policy:
    """One AuthorizationPolicy in force."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.action = str(resource.spec.get("action") or "ALLOW")
        provider = resource.spec.get("provider")
        self.provider = str(provider.get("name") or "") if isinstance(provider, Mapping) else ""
        rules = resource.spec.get("rules")
        listed = rules if isinstance(rules, list) else []
        # A null entry is skipped by istiod; an empty mapping is a rule that matches everything.
        self.rules = [
            (index, Rule(rule, resource.namespace, self.action))
            for index, rule in enumerate(listed)
            if isinstance(rule, Mapping)
        ]

    def because(self, reason: str = "", rule: int | None = None) -> Because:
        """The policy as a reason, with the rule that decided."""
        path: tuple[str | int, ...] = ("spec",) if rule is None else ("spec", "rules", rule)
        return Because.of(AUTHORISATION, self.resource, reason, path)


@dataclass(frozen=True, slots=True)
class Bound:
    """The policies that bind one workload, and the tokens it accepts."""

    policies: tuple[Policy, ...]
    tokens: Tokens
    _by_caller: dict[str, list[tuple[int, Policy, int, Rule]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    allowing: tuple[Policy, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowing", tuple(each for each in self.policies if each.action == "ALLOW"))

    def rules(self, peer: Peer) -> Iterable[tuple[Policy, int, Rule]]:
        """(policy, number, rule) of every rule that could match a peer, in order.

        Of a thousand rules with a caller each, those that name other callers are not looked at.
        """
        if peer.foreign_certificate:  # it may carry any name
            return [(policy, index, rule) for policy in self.policies for index, rule in policy.rules]
        if not self._by_caller:
            self._by_caller[""] = []
            every = ((policy, index, rule) for policy in self.policies for index, rule in policy.rules)
            for place, (policy, index, rule) in enumerate(every):
                for caller in rule.callers if rule.callers is not None else ("",):
                    self._by_caller.setdefault(caller, []).append((place, policy, index, rule))
        name = "" if peer.principal is None else str(peer.principal)
        found = [*self._by_caller[""], *(self._by_caller.get(name, ()) if name else ())]
        return [(policy, index, rule) for _, policy, index, rule in sorted(found, key=lambda each: each[0])]

    @property
    def signature(self) -> tuple[Hashable, ...]:
        """Equal for workloads that are bound alike."""
        return (*(id(each) for each in self.policies), *self.tokens.issuers)

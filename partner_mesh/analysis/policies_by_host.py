"""A workload's AuthorizationPolicies by the hosts that their rules name: of a thousand partners' a handful counts."""

from partner_mesh.analysis.bound_policies import Bound, Policy
from partner_mesh.analysis.host_names import bare_hosts


class PoliciesByHost:
    """A workload's policies by the hosts that their rules name."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.general: list[int] = []
        self.named: dict[str, list[int]] = {}
        for position, policy in enumerate(bound.policies):
            names = _named_hosts(policy)
            if names is None:
                self.general.append(position)
            for name in names or ():
                self.named.setdefault(name, []).append(position)

    def near(self, host: str) -> Bound:
        """The policies that can say anything of a host, in their order."""
        kept = sorted({*self.general, *self.named.get(host.lower(), ())})
        policies = self.bound.policies
        if not any(policies[each].action == "ALLOW" for each in kept):
            # The others refuse by not matching: with none of them left out of sight everything would pass.
            kept = sorted({*kept, *(i for i, each in enumerate(policies) if each.action == "ALLOW")})
        return Bound(tuple(policies[each] for each in kept), self.bound.tokens)


def _named_hosts(policy: Policy) -> tuple[str, ...] | None:
    """The hosts outside which a policy matches nothing; None where there are no such."""
    found: list[str] = []
    for _, rule in policy.rules:
        for operation in rule.operations:
            for box in operation.requests.boxes:
                names = bare_hosts(box.hosts)
                if names is None:
                    return None
                found += names
    return tuple(dict.fromkeys(found)) if found else None

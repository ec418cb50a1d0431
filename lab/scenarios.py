"""Tier 3 as data: what a stack's configuration promises, told as requests and what must come of each.

Made from the configuration, not from the objects that it compiles to: an object that is missing cannot hide what it
should have done. Kinds are a table of sentences; `lab.inward`, `lab.outward`, `lab.inside` and
`lab.protocols` fill it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lab.expect import Expect
from lab.probe import Observation, Probe
from lab.tiers import Finding

# Kind → what it says if all of its scenarios pass, in the order of the table.
KINDS: Final[Mapping[str, str]] = {
    "inward": "Each partner's own calls reach the application that its file names, rewritten as it says",
    "no certificate": "Without a client certificate nobody gets an answer",
    "stranger's certificate": "A certificate of an unknown authority gets no answer, whatever names it carries",
    "expired certificate": "An expired certificate of the partner gets no answer",
    "other name": "A certificate of the partner's authority with another name gets no answer",
    "other partner's certificate": "Another partner's certificate gets no answer at this partner's host",
    "stranger's address": "From an address that no partner has, not a packet gets through",
    "mesh: stranger's address": "Were the packet let through, the mesh would refuse the stranger's address",
    "mesh: forged X-Forwarded-For": "A forged X-Forwarded-For changes nothing of that",
    "other partner's address": "The right certificate from another partner's address is refused",
    "other path": "Paths that a partner's file does not name are refused",
    "other method": "Methods that a partner's file does not name are refused",
    "crossed host": "With the server name of one partner nobody reaches the host of another",
    "unknown server name": "A server name that nobody has gets no answer",
    "no TLS": "Plain text at a partner gateway gets no answer",
    "direct to the pod": "From outside no packet reaches a pod that is no gateway",
    "mesh: direct to the pod": "Were it let through, forged headers would not help: who has no identity is refused",
    "web": "The web UI's public paths answer through its load balancer, and protected ones with a good token",
    "web token": "Protected paths refuse no token, an expired, a forged one, another audience, and wrong claims",
    "web host": "The web gateway answers for no other host, no other path and no other method",
    "web around the balancer": "Nobody reaches the web gateway around its load balancer",
    "outward": "Declared calls reach the partner by the egress gateway, rewritten, with the certificate that is ours",
    "alias": "The internal alias leads to the same partner",
    "outward path": "Calls to other paths or with other methods of a partner are refused",
    "outward caller": "Applications that no partner's file names do not reach the partner",
    "around the egress gateway": "Around the egress gateway nothing leaves",
    "mesh: around the egress gateway": "Were the packet let through, the sidecar refuses an address it was not told of",
    "mesh callers": "Applications reach those that they are declared to call",
    "mesh strangers": "Other applications do not, by their Service or by a pod's address",
    "mesh: plain text": "Were the packet let through, plain text would reach nobody: cut where STRICT, else refused",
    "mesh: right principal": "A caller's own identity, without its sidecar and packet rules, is what lets it in",
    "mesh: wrong principal": "Another workload's identity, without its sidecar and packet rules, is refused",
    "WebSocket": "Where a GET is let in, out or across, a WebSocket is too, and a frame goes each way",
    "WebSocket refused": "Where a GET is refused, no WebSocket is opened",
    "gRPC": "gRPC arrives as HTTP/2, and its trailers come back",
    "TCP": "TCP entries carry line after line both ways, on one connection",
    "metadata": "No application reaches the cloud's metadata service",
    "internet": "No application reaches the Internet",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One request of a kind. `about` tells it from others of its kind."""

    kind: str
    about: str
    probe: Probe
    expect: Expect

    @property
    def enforced(self) -> bool:
        """Whether NetworkPolicies are in force: what the mesh alone refuses is asked without them."""
        return not self.kind.startswith("mesh: ")


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario and what came of it."""

    scenario: Scenario
    seen: Observation

    @property
    def differences(self) -> list[str]:
        """Empty if it passed."""
        return self.scenario.expect.differences(self.seen)


def played(
    scenarios: Sequence[Scenario],
    ask: Callable[[Sequence[Probe]], Sequence[Observation]],
    enforce: Callable[[bool], None],
) -> list[Result]:
    """All of them: first under NetworkPolicies, then those of the mesh alone."""
    found: list[Result] = []
    for enforced in (True, False):
        mine = [each for each in scenarios if each.enforced is enforced]
        if not mine:
            continue
        enforce(enforced)
        found += (Result(s, seen) for s, seen in zip(mine, ask([s.probe for s in mine]), strict=True))
    enforce(True)  # noqa: FBT003  # it is the one thing said
    return found


def findings(results: Iterable[Result]) -> Iterator[Finding]:
    """A sentence for each kind, with what failed below it."""
    by_kind: dict[str, list[Result]] = {}
    for result in results:
        by_kind.setdefault(result.scenario.kind, []).append(result)
    for kind, sentence in KINDS.items():
        mine = by_kind.get(kind, [])
        bad = [result for result in mine if result.differences]
        lines = tuple(f"{r.scenario.about}: {'; '.join(r.differences)}" for r in bad)
        if mine:
            passed = f"{len(mine) - len(bad)} of {len(mine)}"
            yield Finding(3, passed=not bad, sentence=f"{sentence} ({passed}).", details=lines)

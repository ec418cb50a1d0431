"""Who asks: what a destination's proxy can know of the other end of a connection."""

from collections.abc import Callable
from typing import Final, Literal

from partner_mesh.analysis.authentication import Principal
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.model.record import dataclass

Token = Literal["none", "valid", "either"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A client as a proxy sees it.

    `principal` is None where no mesh certificate is presented; `foreign_certificate` says that a certificate of
    somebody else's CA is. `addresses` is None where nothing is known of them. `remote` is the client address that
    `remoteIpBlocks` judges: None where it is not known, which with `claims_remote` means that the client writes it
    itself (`X-Forwarded-For` towards a sidecar): such a client may claim any.
    """

    principal: Principal | None = None
    addresses: AddressSet | None = None
    remote: AddressSet | None = None
    token: Token = "either"  # noqa: S105  # whether there is one
    foreign_certificate: bool = False
    claims_remote: bool = True
    sni: str | None = None  # the server name asked for; None where it is not known


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a fact holds: yes, no, or not to be told (`maybe`, with the reason)."""

    holds: bool
    maybe: str = ""

    def __bool__(self) -> bool:
        return self.holds or bool(self.maybe)


YES: Final = Answer(holds=True)
NO: Final = Answer(holds=False)


def either(answers: list[Answer]) -> Answer:
    """Whether one of them holds."""
    if any(each.holds for each in answers):
        return YES
    reasons = [each.maybe for each in answers if each.maybe]
    return Answer(holds=False, maybe=reasons[0]) if reasons else NO


def no(answer: Answer) -> Answer:
    """The opposite."""
    return answer if answer.maybe else Answer(holds=not answer.holds)


def within(addresses: AddressSet | None, block: AddressSet, what: str) -> Answer:
    """Whether a client's addresses lie in a block: wholly, not at all, or not to be told."""
    if addresses is None:
        return YES if block == AddressSet.ALL else Answer(holds=False, maybe=f"the address of {what} is not known")
    if not addresses & block:
        return NO
    return YES if addresses <= block else Answer(holds=False, maybe=f"only some addresses of {what} are inside")


Matches = Callable[[Principal], bool]


def named(peer: Peer, matches: Matches) -> Answer:
    """Whether the peer's mesh identity matches. A foreign CA can write any name into its certificates."""
    if peer.foreign_certificate:
        return Answer(holds=False, maybe="the client's own CA could issue a certificate with this name")
    return YES if peer.principal is not None and matches(peer.principal) else NO

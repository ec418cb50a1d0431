"""Which gateway serves a partner: declared gateways, and the shards that form by themselves.

A gateway holds `max_partners` at most (by default 100 where it authorises itself, since its listeners then grow with
the square of that number, and 1,000 where the applications' sidecars do: design, `lab.md` fault 4). Beyond that its
partners part by extendible hashing (Fagin et al., 1979): a shard splits by the next bit of a stable hash of the
partner's name, the half with a 0 stays where it is, the half with a 1 moves to a new gateway. So a partner that fits
in moves nobody, and an overflow moves half of one shard. An explicit `gateway` in a partner's file is never overruled;
its partners count and split like all others of that gateway.

A gateway's policies are either its own (`edge`) or its one static ALLOW (`sidecar`): that ALLOW would admit what an
edge policy refuses. Partners who ask for the other way than their gateway's therefore share a gateway beside it,
`<gateway>-edge` or `<gateway>-sidecar`.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from partner_mesh.config.partner import EnforceAt, Inbound, Partner
from partner_mesh.config.platform import Gateway
from partner_mesh.config.stack import Stack

MAX_PARTNERS: Final[Mapping[EnforceAt, int]] = {"edge": 100, "sidecar": 1000}
_HASH_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Shard:
    """One gateway that is really there, and who is on it.

    `name` is the name of its Deployment, `declared` that of the gateway in the configuration whose settings it has.
    """

    name: str
    declared: str
    enforce_at: EnforceAt
    partners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shards:
    """All partner gateways of a stack, in declared order, each followed by the shards that formed beside it."""

    gateways: Mapping[str, Shard]
    _serving: Mapping[tuple[str, str, EnforceAt], str] = field(repr=False)  # partner, declared gateway, way → name

    def serving(self, stack: Stack, partner: Partner, inbound: Inbound) -> Shard:
        """The gateway that serves an entry of a partner."""
        declared = stack.inbound_gateway(inbound)
        return self.gateways[self._serving[partner.name, declared, enforced_at(stack, partner, inbound)]]


def enforced_at(stack: Stack, partner: Partner, inbound: Inbound) -> EnforceAt:
    """Where an entry's rules are enforced: as it says itself, or its partner, or its gateway."""
    gateway = stack.platform.gateways[stack.inbound_gateway(inbound)]
    return inbound.enforce_at or partner.enforce_at or gateway.enforce_at


def shards(stack: Stack) -> Shards:
    """The partner gateways in effect, and who is on which.

    Raises ValueError where the name of a shard is already that of a declared gateway.
    """
    members: dict[tuple[str, EnforceAt], dict[str, None]] = {}
    for name, gateway in stack.gateways("ingress", "partner"):
        members[name, gateway.enforce_at] = {}  # a declared gateway is there even when nobody is on it
        members[name, _other(gateway.enforce_at)] = {}
    for partner in stack.partners:
        for inbound in partner.inbound:
            members[stack.inbound_gateway(inbound), enforced_at(stack, partner, inbound)][partner.name] = None
    gateways: dict[str, Shard] = {}
    serving: dict[tuple[str, str, EnforceAt], str] = {}
    for (declared, way), partners in members.items():
        for shard in _formed(declared, stack.platform.gateways[declared], way, tuple(sorted(partners))):
            if shard.name in gateways or (shard.name != declared and shard.name in stack.platform.gateways):
                raise ValueError(f"gateway {declared}: its shard {shard.name} has the name of a declared gateway")
            gateways[shard.name] = shard
            serving |= {(partner, declared, way): shard.name for partner in shard.partners}
    return Shards(gateways, serving)


def _formed(declared: str, gateway: Gateway, way: EnforceAt, partners: tuple[str, ...]) -> Iterator[Shard]:
    own = way == gateway.enforce_at
    if not partners and not own:
        return
    base = declared if own else f"{declared}-{way}"
    for bits, members in split(partners, gateway.max_partners or MAX_PARTNERS[way]):
        name = f"{base}-{bits}" if bits else base
        if members or name == declared:
            yield Shard(name, declared, way, members)


def split(partners: Sequence[str], most: int, prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Leaves of the hash tree, 0 before 1: the name's suffix, and who is there.

    The suffix is the leaf's bits without trailing zeros: a shard keeps its name while its 0-half stays. Names that
    agree in all bits stay together, however many they are.
    """
    if len(partners) <= most or len(prefix) == _HASH_BITS:
        yield prefix.rstrip("0"), tuple(partners)
        return
    for bit in "01":
        half = [partner for partner in partners if _bits(partner)[len(prefix)] == bit]
        yield from split(half, most, prefix + bit)


def _bits(partner: str) -> str:
    """A stable hash: Python's own differs from run to run."""
    digest = hashlib.sha256(partner.encode()).digest()
    return f"{int.from_bytes(digest[: _HASH_BITS // 8], 'big'):0{_HASH_BITS}b}"


def _other(way: EnforceAt) -> EnforceAt:
    return "sidecar" if way == "edge" else "edge"

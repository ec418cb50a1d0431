"""Which subnets a VPC has: computed from its block, stable when a zone is added, never overlapping.

The block is cut into eight slots, one a zone (AWS regions have at most six), so a new zone takes a slot that nobody
had. Within a slot: half for `private` (nodes and, through the VPC CNI, every pod), a quarter for `egress` (nodes of the
egress gateways: the only ones with a way to the internet in a closed network), an eighth each for `public` (load
balancers, NAT gateways) and `control` (the interfaces of the EKS control plane).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Tier = Literal["public", "private", "egress", "control"]

# A VPC is /16 at most and a subnet /28 at least (AWS, "VPC CIDR blocks"): six bits go into slot and tier.
WIDEST: Final = 16
NARROWEST: Final = 22
_SLOT_BITS: Final = 3
_TIER_BITS: Final[tuple[tuple[Tier, int], ...]] = (("private", 1), ("egress", 2), ("public", 3), ("control", 3))


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet: what it is for, the zone's index in the region, its block."""

    tier: Tier
    zone: int
    cidr: str

    @property
    def name(self) -> str:
        """`private-0`: stable, since a zone keeps its index."""
        return f"{self.tier}-{self.zone}"


def subnets(cidr: str, zones: int) -> tuple[Subnet, ...]:
    """All subnets, zone by zone.

    Raises ValueError for a block that is too wide for a VPC or too narrow for its subnets.
    """
    network = ipaddress.IPv4Network(cidr)
    if not WIDEST <= network.prefixlen <= NARROWEST:
        raise ValueError(f"{cidr}: a VPC of eight zone slots needs a block between /{WIDEST} and /{NARROWEST}")
    slots = list(network.subnets(prefixlen_diff=_SLOT_BITS))
    return tuple(subnet for zone in range(zones) for subnet in _tiers(slots[zone], zone))


def _tiers(slot: ipaddress.IPv4Network, zone: int) -> tuple[Subnet, ...]:
    """The tiers one after the other: each begins where the one before it ends, widest first, so all are aligned."""
    start, found = int(slot.network_address), []
    for tier, bits in _TIER_BITS:
        block = ipaddress.IPv4Network((start, slot.prefixlen + bits))
        found.append(Subnet(tier, zone, str(block)))
        start += block.num_addresses
    return tuple(found)


def nat_of(zone: int, nat_gateways: int) -> int:
    """Which NAT gateway a zone leaves by: it stays the same when a zone is added."""
    return zone % nat_gateways


# What a node calls on the way to Ready, and kubelet afterwards, in a subnet without a route to the internet:
# https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
NODE_ENDPOINTS: Final = ("ec2", "ecr", "eks", "s3", "sts")

# What an entry of `network.endpoints` stands for as service names (com.amazonaws.<region>.<service>).
ENDPOINT_SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "ecr": ("ecr.api", "ecr.dkr"),
    "sts": ("sts",),
    "ec2": ("ec2",),
    "secretsmanager": ("secretsmanager",),
    "logs": ("logs",),
    "eks": ("eks", "eks-auth"),  # eks-auth answers the Pod Identity agent
    "elasticloadbalancing": ("elasticloadbalancing",),
    "kms": ("kms",),
}


def closed(endpoints: Sequence[str]) -> bool:
    """Whether private subnets can do without a route to the internet: nodes reach all they need by endpoints.

    Then images must come from ECR as well (`mesh.hub`, pull-through caches): a node has no other way.
    """
    return set(NODE_ENDPOINTS) <= set(endpoints)


def subnet_tags(subnet: Subnet, cluster: str) -> dict[str, str]:
    """Tags by which the load balancer controller and EKS find subnets."""
    tags = {"Name": f"{cluster}-{subnet.name}", "partner-mesh.dev/tier": subnet.tier}
    match subnet.tier:
        case "public":
            return tags | {"kubernetes.io/role/elb": "1", f"kubernetes.io/cluster/{cluster}": "shared"}
        case "private":
            return tags | {"kubernetes.io/role/internal-elb": "1", f"kubernetes.io/cluster/{cluster}": "shared"}
        case _:
            return tags

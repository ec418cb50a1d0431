"""One partner: everything that its file brings, and nothing that another partner's file touches."""

from partner_mesh.config.partner import Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.inbound import inbound
from partner_mesh.specs.outbound import outbound
from partner_mesh.specs.partner_limits import inbound_limits
from partner_mesh.specs.shards import Shards


def partner_objects(stack: Stack, partner: Partner, formed: Shards) -> tuple[Manifest, ...]:
    """All objects of a partner, what it calls on us first. `formed` is `shards.shards(stack)`, made once a stack."""
    return (*inbound(stack, partner, formed), *inbound_limits(stack, partner), *outbound(stack, partner))

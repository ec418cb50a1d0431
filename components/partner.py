"""Everything the mesh holds for one partner."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.compiled import Compiled


@dataclass(frozen=True, slots=True)
class PartnerArgs:
    """The partner's compiled objects and the hosts in both directions, for whoever reads the outputs."""

    manifests: Sequence[Manifest]
    inbound_hosts: Sequence[str]
    outbound_hosts: Sequence[str]
    deployed: Deployed


class Partner(pulumi.ComponentResource):
    """One partner's objects, each a child of this component and of nothing else, so that it comes and goes alone.

    Outputs: `inbound_hosts` that it may call, `outbound_hosts` that may be called.
    """

    inbound_hosts: list[str]
    outbound_hosts: list[str]

    def __init__(self, name: str, args: PartnerArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:partner:Partner", name, None, opts)
        declare(name, args.manifests, args.deployed, parent=self)
        self.inbound_hosts, self.outbound_hosts = list(args.inbound_hosts), list(args.outbound_hosts)
        self.register_outputs({"inboundHosts": self.inbound_hosts, "outboundHosts": self.outbound_hosts})


def partners(stack: Stack, compiled: Compiled, deployed: Deployed, access: pulumi.ProviderResource) -> list[str]:
    """Every partner of a stack; returns their names."""
    for partner in stack.partners:
        Partner(
            partner.name,
            PartnerArgs(
                manifests=compiled.partners[partner.name],
                inbound_hosts=[entry.host for entry in partner.inbound],
                outbound_hosts=[entry.host for entry in partner.outbound],
                deployed=deployed,
            ),
            opts=pulumi.ResourceOptions(providers=[access]),
        )
    return [partner.name for partner in stack.partners]

"""Who calls from outside: each partner, another partner, an anonymous client, a web user with and without a token.

Partners are discovered, not declared: a MUTUAL server of a Gateway is one, and the label `partner-mesh.dev/partner`
on objects names it. Its addresses are those of the Calico NetworkSets that carry its label, else the `remoteIpBlocks`
of its policies; without either they may be any.
"""

from collections.abc import Iterable
from typing import Any, Final

from partner_mesh.analysis.gateways import PARTNER_LABEL, Server
from partner_mesh.analysis.layers import Partner
from partner_mesh.analysis.mesh_config import SECURITY
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import mapping, mappings

CALICO: Final = "projectcalico.org"
CALICO_CRD: Final = "crd.projectcalico.org"


class Partners:
    """The partners of a world and where they call from."""

    def __init__(self, world: World) -> None:
        self._nets: dict[str, list[AddressSet]] = {}
        self._blocks: dict[str, list[AddressSet]] = {}
        for group in (CALICO, CALICO_CRD):
            for kind in ("NetworkSet", "GlobalNetworkSet"):
                for resource in world.of(group, kind):
                    if name := resource.labels.get(PARTNER_LABEL):
                        self._nets.setdefault(name, []).extend(_sets(resource.spec.get("nets")))
        for resource in world.of(SECURITY, "AuthorizationPolicy"):
            if name := resource.labels.get(PARTNER_LABEL):
                self._blocks.setdefault(name, []).extend(_remote_blocks(resource))

    def addresses(self, name: str) -> AddressSet:
        """Where a partner calls from."""
        known = self._nets.get(name) or self._blocks.get(name)
        return AddressSet.union(known) if known else AddressSet.ALL

    def all_addresses(self) -> AddressSet:
        """Where any partner calls from, as far as it is said."""
        names = dict.fromkeys((*self._nets, *self._blocks))
        return AddressSet.union(each for each in map(self.addresses, names) if each != AddressSet.ALL)

    def of(self, server: Server) -> Partner:
        """The partner of a MUTUAL server: by label, else by the Gateway's own name."""
        name = server.partner or f"{server.resource.namespace}/{server.resource.name}"
        return Partner(name, self.addresses(name))


def _remote_blocks(resource: Resource) -> Iterable[AddressSet]:
    for rule in mappings(resource.spec.get("rules")):
        for each in mappings(rule.get("from")):
            yield from _sets(mapping(each.get("source")).get("remoteIpBlocks"))


def _sets(values: Any) -> Iterable[AddressSet]:
    for value in values if isinstance(values, list) else ():
        try:
            yield AddressSet.of(str(value))
        except ValueError:
            continue

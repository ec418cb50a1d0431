"""Who calls from outside: each partner, another partner, an anonymous client, a web user with and without a token.

Partners are discovered, not declared: a MUTUAL server of a Gateway is one, and the label `partner-mesh.dev/partner`
on objects names it. Its addresses are those of the Calico NetworkSets that carry its label, else the blocks that its
NetworkPolicies admit, else those that its AuthorizationPolicies name; without any of them they may be any. A partner
with several entries calls from the addresses of all of them: which of them may use an entry its own policies say.
"""

from collections.abc import Iterable, Iterator
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
        self._known: dict[str, AddressSet] = {}
        # The first that says anything of a partner counts: what admits its packets says all, policies of one host less.
        for said in (_net_sets(world), _network_policies(world), _authorization_policies(world)):
            found: dict[str, list[AddressSet]] = {}
            for resource, blocks in said:
                if name := resource.labels.get(PARTNER_LABEL):
                    found.setdefault(name, []).extend(_sets(blocks))
            for name, sets in found.items():
                if sets:
                    self._known.setdefault(name, AddressSet.union(sets))

    def addresses(self, name: str) -> AddressSet:
        """Where a partner calls from."""
        return self._known.get(name, AddressSet.ALL)

    def all_addresses(self) -> AddressSet:
        """Where any partner calls from, as far as it is said."""
        return AddressSet.union(each for each in self._known.values() if each != AddressSet.ALL)

    def of(self, server: Server) -> Partner:
        """The partner of a MUTUAL server: by label, else by the Gateway's own name."""
        name = server.partner or f"{server.resource.namespace}/{server.resource.name}"
        return Partner(name, self.addresses(name))


_Said = Iterator[tuple[Resource, Any]]


def _net_sets(world: World) -> _Said:
    for group in (CALICO, CALICO_CRD):
        for kind in ("NetworkSet", "GlobalNetworkSet"):
            yield from ((each, each.spec.get("nets")) for each in world.of(group, kind))


def _network_policies(world: World) -> _Said:
    """Blocks with exceptions are left to the next that says anything: a caller from one of those is told apart."""
    for resource in world.of("networking.k8s.io", "NetworkPolicy"):
        for rule in mappings(resource.spec.get("ingress")):
            for peer in mappings(rule.get("from")):
                block = mapping(peer.get("ipBlock"))
                if block and not block.get("except"):
                    yield resource, [block.get("cidr")]


def _authorization_policies(world: World) -> _Said:
    for resource in world.of(SECURITY, "AuthorizationPolicy"):
        for rule in mappings(resource.spec.get("rules")):
            for each in mappings(rule.get("from")):
                source = mapping(each.get("source"))
                yield from ((resource, source.get(field)) for field in ("remoteIpBlocks", "ipBlocks"))


def _sets(values: Any) -> Iterable[AddressSet]:
    for value in values if isinstance(values, list) else ():
        try:
            yield AddressSet.of(str(value))
        except ValueError:
            continue

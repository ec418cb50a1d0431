"""A whole stack: platform, applications and partners together, as the compiler takes them."""

from collections.abc import Mapping
from functools import cached_property

from partner_mesh.config.application import Application
from partner_mesh.config.base import Model, Name
from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.platform import ExistingCluster, Gateway, Platform


class Stack(Model):
    """One environment. Made by the loader, which has enforced every rule; specs may rely on them.

    Applications are keyed by name; partners are sorted by name, so that a file's place in the folder means nothing.
    """

    name: str
    region: str | None = None  # None with `cluster.kind: existing`
    platform: Platform
    applications: dict[Name, Application] = {}
    partners: tuple[Partner, ...] = ()

    @cached_property
    def by_namespace(self) -> Mapping[str, tuple[str, ...]]:
        """Application names in declared order, by namespace."""
        found: dict[str, list[str]] = {}
        for name, application in self.applications.items():
            found.setdefault(application.namespace, []).append(name)
        return {namespace: tuple(names) for namespace, names in found.items()}

    @property
    def existing(self) -> bool:
        """Whether the cluster is somebody else's: then no AWS resource is made."""
        return isinstance(self.platform.cluster, ExistingCluster)

    @cached_property
    def _gateways(self) -> Mapping[tuple[str, str | None], tuple[tuple[str, Gateway], ...]]:
        found: dict[tuple[str, str | None], list[tuple[str, Gateway]]] = {}
        for name, gateway in self.platform.gateways.items():
            for exposure in {None, gateway.exposure}:  # both keys get the gateway: their order means nothing
                found.setdefault((gateway.direction, exposure), []).append((name, gateway))
        return {kind: tuple(gateways) for kind, gateways in found.items()}

    def gateways(self, direction: str, exposure: str | None = None) -> tuple[tuple[str, Gateway], ...]:
        """Gateways of a kind, in declared order."""
        return self._gateways.get((direction, exposure), ())

    def inbound_gateway(self, inbound: Inbound) -> str:
        """The name of the partner gateway (before sharding) that serves an entry."""
        return inbound.gateway or self.gateways("ingress", "partner")[0][0]

    def outbound_gateway(self, outbound: Outbound) -> str:
        """The name of the egress gateway that an entry leaves by."""
        return outbound.gateway or self.gateways("egress")[0][0]

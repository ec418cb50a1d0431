"""What a stack compiles to, grouped by who owns it, so that a component deploys a group and decides nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from partner_mesh.model import ChartRelease, Manifest


@dataclass(frozen=True, slots=True)
class Compiled:
    """Every object of a stack in deployment order, in groups keyed by their owner's name.

    `inventory` is what runs but is not ours to deploy (the Deployments of applications, what the charts bring, the
    mesh ConfigMap): plain documents that the analyser and the lab need beside our own. `security_groups` are group
    rules as documents (`model.names.SECURITY_GROUP_API`), for the analyser and as the source of the AWS rules.
    """

    mesh: tuple[Manifest, ...] = ()  # root namespace: baseline policies, Telemetry, mesh-wide Calico policies
    gateways: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)  # by gateway, shards included
    namespaces: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)  # by namespace of applications
    applications: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)
    partners: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)
    # By application: patches of Deployments that others own, so they are no objects of ours (`application.py`).
    restarts: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)
    observability: tuple[Manifest, ...] = ()
    charts: tuple[ChartRelease, ...] = ()
    inventory: tuple[Mapping[str, Any], ...] = ()
    security_groups: tuple[Mapping[str, Any], ...] = ()

    def __iter__(self) -> Iterator[Manifest]:
        """Every object that is deployed, in order."""
        yield from self.mesh
        for group in (self.gateways, self.namespaces, self.applications, self.partners):
            for manifests in group.values():
                yield from manifests
        yield from self.observability

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Every object that is deployed, in order."""
        return tuple(self)

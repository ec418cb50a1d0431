"""One gateway: its namespace, policies and Deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare, release
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import gateway_namespace


@dataclass(frozen=True, slots=True)
class GatewayArgs:
    """The gateway's objects and its release; no release where the mesh is somebody else's."""

    charts: Sequence[ChartRelease]
    manifests: Sequence[Manifest]
    deployed: Deployed


class Gateway(pulumi.ComponentResource):
    """A gateway (or a shard of one) in a namespace of its own.

    Its policies are there before its first pod: objects first, then the release. Outputs: `namespace`, and
    `resources`, the releases that bring its Service.
    """

    namespace: str
    resources: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: GatewayArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:gateway:Gateway", name, None, opts)
        objects = declare(name, args.manifests, args.deployed, parent=self)
        self.namespace = gateway_namespace(name)
        self.resources = tuple(release(chart, args.deployed, parent=self, after=objects) for chart in args.charts)
        self.register_outputs({"namespace": self.namespace})

"""Calico and its cluster-wide policies."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare, release
from partner_mesh.model import ChartRelease, Manifest


@dataclass(frozen=True, slots=True)
class CalicoArgs:
    """The operator's release (none where Calico is somebody else's) and the policies beyond namespaces."""

    charts: Sequence[ChartRelease]
    manifests: Sequence[Manifest]
    deployed: Deployed


class Calico(pulumi.ComponentResource):
    """Tigera's operator, the API that it serves, then the policies that hold whatever a namespace's own say.

    Outputs: `policies`, their names in the order in which Calico judges them.
    """

    policies: list[str]

    def __init__(self, name: str, args: CalicoArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:calico:Calico", name, None, opts)
        for chart in args.charts:
            release(chart, args.deployed, parent=self)
        declare(name, args.manifests, args.deployed, parent=self)
        self.policies = [each.name for each in args.manifests if each.kind == "GlobalNetworkPolicy"]
        self.register_outputs({"policies": self.policies})

"""Istio's control plane and the baseline of the whole mesh."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, install
from partner_mesh.model import ChartRelease, Manifest


@dataclass(frozen=True, slots=True)
class IstioArgs:
    """Releases in the order of their installation, the root namespace and its objects; none of it on a foreign mesh."""

    charts: Sequence[ChartRelease]
    manifests: Sequence[Manifest]
    deployed: Deployed


class Istio(pulumi.ComponentResource):
    """CRDs, one control plane a revision, the node agent, then what holds for every workload.

    Objects wait for the releases that serve and judge them. Outputs: `releases`, name → chart version.
    """

    releases: dict[str, str]

    def __init__(self, name: str, args: IstioArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:istio:Istio", name, None, opts)
        install(name, args.charts, args.manifests, args.deployed, parent=self)
        self.releases = {chart.name: chart.version for chart in args.charts}
        self.register_outputs({"releases": self.releases})

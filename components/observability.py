"""Metrics, traces and dashboards."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import SERVED_BY, Deployed, declare, release
from partner_mesh.model import ChartRelease, Manifest


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    """Charts, and objects around them (rules, monitors, dashboards, policies)."""

    charts: Sequence[ChartRelease]
    manifests: Sequence[Manifest]
    deployed: Deployed


class Observability(pulumi.ComponentResource):
    """The namespace with its policies, then the charts, then the objects whose kinds the charts bring.

    Outputs: `releases`, name → chart version.
    """

    releases: dict[str, str]

    def __init__(self, name: str, args: ObservabilityArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:observability:Observability", name, None, opts)
        served = [each for each in args.manifests if each.api_version.partition("/")[0] in SERVED_BY]
        declare(name, [each for each in args.manifests if each not in served], args.deployed, parent=self)
        for chart in args.charts:
            release(chart, args.deployed, parent=self)
        declare(name, served, args.deployed, parent=self)
        self.releases = {chart.name: chart.version for chart in args.charts}
        self.register_outputs({"releases": self.releases})

"""Where a chart is taken from, and in which version, when configuration says otherwise than its publisher."""

from dataclasses import replace
from typing import cast

from partner_mesh.config.platform import Platform
from partner_mesh.model import ChartRelease


def chosen(platform: Platform, release: ChartRelease) -> ChartRelease:
    """The release with the mirror and the version that the configuration names; its own where that is silent.

    `mesh.charts`, once it is written, is nearer to Istio's charts than `charts.repository`.
    """
    mesh = platform.mesh
    istio_says = "charts" in mesh.model_fields_set and release.repository == mesh.charts
    mirror = None if istio_says else platform.charts.repository
    versions = cast(dict[str, str], platform.charts.versions)
    return replace(
        release,
        repository=mirror or release.repository,
        version=versions.get(release.chart, release.version),
    )

"""A Helm release as pure data: which chart, which version, with which values."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.model.record import dataclass, field


@dataclass(frozen=True, slots=True)
class ChartRelease:
    """One `helm.v3.Release`.

    `repository` is a chart repository's URL or, for OCI, the prefix that the chart's name is appended to. `values` may
    hold late values, as a Manifest's body may.
    """

    name: str
    namespace: str
    chart: str
    version: str
    repository: str
    values: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()  # names of releases that must be ready first

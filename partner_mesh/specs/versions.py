"""Every version that we choose and configuration does not: charts, with where each was found.

Istio's own version is configuration (`mesh.revision`), and so is Calico's (`calico.version`).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's place and version. `verified` says what was looked at, and what could not be."""

    name: str
    version: str
    repository: str
    verified: str


AWS_LOAD_BALANCER_CONTROLLER: Final = Chart(
    "aws-load-balancer-controller",
    "3.2.1",
    "https://aws.github.io/eks-charts",
    "chart 3.2.1 of March 2026 (entigolabs/entigo-infralib#1345); values read in the repository's chart",
)
EXTERNAL_SECRETS: Final = Chart(
    "external-secrets",
    "2.9.0",
    "https://charts.external-secrets.io",
    "chart 2.9.0 of August 2026 (shaman007/home-k3s#527); values read in the repository's chart at 2.x",
)
TIGERA_OPERATOR: Final = Chart(
    "tigera-operator",
    "v3.32.0",  # the default of `calico.version`, which counts
    "https://docs.tigera.io/calico/charts",
    "chart v3.32.0 (projectsveltos/addon-controller#1788); values read at v3.30",
)
OAUTH2_PROXY: Final = Chart(
    "oauth2-proxy",
    "7.7.12",
    "https://oauth2-proxy.github.io/manifests",
    "chart 7.7.12 with oauth2-proxy 7.6.0; values and templates read at 7.x (oauth2-proxy/manifests)",
)

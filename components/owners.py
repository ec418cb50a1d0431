"""Which component deploys which chart and which cluster-wide object: a table, so that nothing is left over."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from partner_mesh.model import ChartRelease, Manifest

Owner = Literal["calico", "secrets", "load-balancers", "istio", "admission", "gateways", "observability", "storage"]

_CHARTS: Final[Mapping[str, Owner]] = {
    "tigera-operator": "calico",
    "external-secrets": "secrets",
    "aws-load-balancer-controller": "load-balancers",
    "base": "istio",
    "istiod": "istio",
    "cni": "istio",
    "ztunnel": "istio",
    "gateway": "gateways",
    "oauth2-proxy": "gateways",  # a login lives beside its web gateway
}

_GROUPS: Final[Mapping[str, Owner]] = {
    "operator.tigera.io": "calico",
    "projectcalico.org": "calico",
    "rbac.authorization.k8s.io": "calico",  # of aws-node, whose pods' addresses Calico waits for
    "external-secrets.io": "secrets",
    "admissionregistration.k8s.io": "admission",
    "storage.k8s.io": "storage",
}


def charts_of(owner: Owner, charts: Iterable[ChartRelease]) -> tuple[ChartRelease, ...]:
    """The charts of one component, in their order; what no table names is there to look at the mesh."""
    return tuple(chart for chart in charts if _CHARTS.get(chart.chart, "observability") == owner)


def manifests_of(owner: Owner, manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The mesh-wide objects of one component, in their order; what no table names is Istio's."""
    return tuple(each for each in manifests if _GROUPS.get(each.api_version.rpartition("/")[0], "istio") == owner)

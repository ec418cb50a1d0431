"""Istio's own charts, rendered from the module by helm with the values that a stack compiles."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import yaml

from lab import LabError
from lab.tools import Tools
from partner_mesh.model import ChartRelease

# The chart's published name -> its folder in the module. Other people's charts are not in it and are left out.
FOLDERS: Final[Mapping[str, str]] = {
    "base": "base",
    "istiod": "istio-control/istio-discovery",
    "cni": "istio-cni",
    "gateway": "gateway",
}
KUBERNETES: Final = "v1.36.1"  # what capabilities the charts see


def rendered(tools: Tools, releases: Iterable[ChartRelease]) -> list[dict[str, Any]]:
    """The objects of those releases whose chart is Istio's, in release order, namespaced ones with their namespace."""
    documents: list[dict[str, Any]] = []
    for release in releases:
        if (folder := folder_of(tools, release)) is not None:
            documents += render(tools, release, folder)
    return documents


def folder_of(tools: Tools, release: ChartRelease) -> Path | None:
    """Where the module has this chart, or None."""
    name = release.chart.rpartition("/")[2]
    return tools.charts / FOLDERS[name] if name in FOLDERS else None


def render(tools: Tools, release: ChartRelease, folder: Path) -> list[dict[str, Any]]:
    """One release, CRDs included where the chart has them."""
    with NamedTemporaryFile("w", suffix=".json") as values:
        json.dump(release.values, values)
        values.flush()
        done = subprocess.run(
            [
                tools.built("helm"),
                "template",
                release.name,
                folder,
                "--namespace",
                release.namespace,
                "--values",
                values.name,
                "--kube-version",
                KUBERNETES,
                "--include-crds",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise LabError(f"helm: chart {release.chart} with the values of release {release.name}: {done.stderr.strip()}")
    documents = [document for document in yaml.load_all(done.stdout, Loader=_loader()) if document]
    for document in documents:
        _place(document, release.namespace)
    return documents


def _place(document: dict[str, Any], namespace: str) -> None:
    """What names no namespace is installed into the release's; kinds that have none are few and known."""
    if document["kind"] not in CLUSTER_SCOPED:
        document["metadata"].setdefault("namespace", namespace)


CLUSTER_SCOPED: Final = frozenset(
    {
        "Namespace",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "PriorityClass",
        "GatewayClass",
        "GlobalNetworkPolicy",
        "StorageClass",
        "Installation",
        "APIServer",
        "ClusterTrustBundle",
    }
)


def _loader() -> type[yaml.SafeLoader]:
    # The C loader reads Istio's CRDs, 1 MB of YAML, ten times as fast.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)

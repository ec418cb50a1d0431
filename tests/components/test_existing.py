"""A guest on somebody else's cluster: applications and partners, and not one resource of AWS."""

from typing import Any

import pytest

from partner_mesh.config.stack import Stack
from tests.components.programs import run
from tests.specs.stacks import APPLICATIONS, foreign, loaded


def guest(**changes: Any) -> Stack:
    shared = {name: {k: v for k, v in a.items() if k != "nodeGroup"} for name, a in APPLICATIONS.items()}
    return loaded(**foreign(**changes), applications=shared)


def test_no_resource_of_aws_and_no_chart_is_made() -> None:
    types = run(guest()).types()
    assert not [token for token in types if token.startswith(("aws:", "pulumi:providers:aws", "kubernetes:helm.sh"))]
    assert types["partner-mesh:application:Application"] == len(APPLICATIONS)


@pytest.mark.parametrize(
    "cluster",
    [{"kind": "existing"}, {"kind": "existing", "kubeconfig": "~/.kube/bare", "context": "bare"}],
)
def test_the_cluster_is_reached_as_kubectl_would_and_pinned(cluster: dict[str, Any]) -> None:
    provider = run(guest(cluster=cluster)).one("pulumi:providers:kubernetes")
    assert provider.inputs.get("kubeconfig") == cluster.get("kubeconfig")
    assert provider.inputs.get("context") == cluster.get("context")
    assert provider.inputs["clusterIdentifier"] == "billing-test"
    assert provider.inputs["enableServerSideApply"] == "true"
    assert not {"enablePatchForce", "deleteUnreachable"} & set(provider.inputs)


def test_charts_come_where_the_mesh_is_ours_also_on_a_foreign_cluster() -> None:
    recorded = run(guest(mesh={"revision": "1-31-1"}))
    charts = {one.inputs["chart"] for one in recorded.of_type("kubernetes:helm.sh/v3:Release")}
    assert {"base", "istiod", "cni", "gateway"} <= charts
    assert not {"tigera-operator", "external-secrets", "aws-load-balancer-controller"} & charts
    assert recorded.types()["partner-mesh:istio:Istio"] == 1

"""What the data plane of one lab cannot show whole, before the real API server and istiod's own validation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import stack as stacks
from lab import tiers
from lab.cluster import Cluster
from lab.tools import Tools
from partner_mesh.config.loader import load_stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled
from tests.lab import web

pytestmark = pytest.mark.lab

TWO_CLUSTERS = Path(__file__).parents[2] / "examples" / "two-clusters"
AMBIENT = {
    "revision": "1-31-1",
    "dataPlane": "ambient",
    "namespaces": {name: {"dataPlane": "ambient"} for name in ("charging", "checkout")},
}
APPLICATIONS: dict[str, Any] = {
    "charging": {
        "namespace": "charging",
        "ports": {"http": {"port": 80, "targetPort": 8080}},
        "callers": [{"application": "checkout", "methods": ["POST"], "paths": ["/v1/charges/{*}"]}],
        "circuitBreaker": {"maxConnections": 10},
    },
    "checkout": {"namespace": "checkout", "ports": {"http": 8080}, "web": [{"path": "/{**}"}]},
}
GATEWAY_API = {"web": web.PLATFORM["gateways"]["web"] | {"api": "gateway-api"}}


def stack(name: str) -> Compiled:
    match name:
        case "ambient":
            return web.compiled(APPLICATIONS, mesh=AMBIENT)
        case "gateway-api":
            return web.compiled(APPLICATIONS, gateways=GATEWAY_API)
    return compile_stack(load_stack(name, TWO_CLUSTERS))


NAMES = ("ambient", "gateway-api", "north", "south")
STAMPED = APPLICATIONS | {"checkout": APPLICATIONS["checkout"] | {"deployments": ["checkout-v1"]}}


@pytest.fixture(scope="module")
def cluster(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    listed = stacks.objects(stack("ambient"))
    with Cluster(lab_tools, Path(tmp_path_factory.mktemp("cluster")), documents=listed) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_accepted_and_a_second_time_changes_nothing(
    name: str, lab_tools: Tools, cluster: Cluster
) -> None:
    compiled = stack(name)
    objects = stacks.objects(compiled)
    found = [*tiers.offline(lab_tools, objects), *tiers.charts(lab_tools, compiled.charts, cluster)]
    found += tiers.admitted(objects, cluster)
    assert [each.text() for each in found if not each.passed] == []
    served = cluster.apply([d for d in objects if d["apiVersion"].startswith("gateway.")], dry_run=True)
    assert served.unserved == ()
    for document in [d for d in objects if d["kind"] == "Deployment"]:  # the next stack's has another selector
        cluster.api.delete(document)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Gateway", {"gatewayClassName": "istio", "listeners": []}),
        ("HTTPRoute", {"rules": [{"matches": [{"path": {"type": "Exact", "value": "no-slash"}}]}]}),
        ("ReferenceGrant", {"from": [], "to": []}),
    ],
)
def test_a_fault_in_the_gateway_api_is_refused(kind: str, spec: dict[str, Any], cluster: Cluster) -> None:
    version = "v1beta1" if kind == "ReferenceGrant" else "v1"
    bad = {
        "apiVersion": f"gateway.networking.k8s.io/{version}",
        "kind": kind,
        "metadata": {"name": "bad", "namespace": "istio-system"},
        "spec": spec,
    }
    assert [name for name, _ in cluster.apply([bad]).refused] == [f"{kind} istio-system/bad"]


def applied_as(cluster: Cluster, manager: str, document: dict[str, Any]) -> dict[str, Any]:
    """Server-side apply in somebody's name; a conflict is an error."""
    path = f"{cluster.api.path(document)}?fieldManager={manager}&fieldValidation=Strict"
    return cluster.api.call("PATCH", path, document, "application/apply-patch+yaml")


def fields_of(manager: str, document: dict[str, Any]) -> Any:
    return [entry["fieldsV1"] for entry in document["metadata"]["managedFields"] if entry["manager"] == manager]


def test_a_restart_stamp_takes_one_annotation_and_nothing_else(cluster: Cluster) -> None:
    """What a DeploymentPatch sends, as the API server takes it: the Deployment stays its team's."""
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "checkout"}}])
    container = {"name": "checkout", "image": "checkout:1", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": "checkout"}, "annotations": {"team": "pay"}},
                "spec": {"containers": [container]}}  # fmt: skip
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout-v1", "namespace": "checkout"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "checkout"}}, "template": template},
    }
    before = applied_as(cluster, "team", theirs)

    def stamp(**mesh: Any) -> dict[str, Any]:
        [manifest] = web.compiled(STAMPED, mesh={"revision": "1-31-1", **mesh}).restarts["checkout"]
        return manifest.document()

    first = applied_as(cluster, "partner-mesh", stamp())
    annotation: dict[str, Any] = {"f:partner-mesh.dev/revision": {}}
    owned = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": annotation}}}}
    assert fields_of("partner-mesh", first) == [owned]
    assert first["spec"]["template"]["metadata"]["annotations"] == {
        "team": "pay",
        "partner-mesh.dev/revision": "1-31-1",
    }
    assert first["metadata"]["generation"] == before["metadata"]["generation"] + 1  # the pods start anew, once
    del first["spec"]["template"]["metadata"]["annotations"]["partner-mesh.dev/revision"]
    assert first["spec"] == before["spec"]

    again = applied_as(cluster, "partner-mesh", stamp())
    team = applied_as(cluster, "team", theirs)
    versions = {each["metadata"]["resourceVersion"] for each in (first, again, team)}
    assert len(versions) == 1  # neither of us sees a change
    assert fields_of("team", team) == fields_of("team", before)

    moved = applied_as(cluster, "partner-mesh", stamp(upgrade={"to": "1-32-0", "namespaces": ["checkout"]}))
    assert moved["spec"]["template"]["metadata"]["annotations"]["partner-mesh.dev/revision"] == "1-32-0"
    assert moved["metadata"]["generation"] == first["metadata"]["generation"] + 1
    assert fields_of("partner-mesh", moved) == [owned]

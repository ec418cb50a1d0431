"""`--context` and `diff --against cluster` on a real API server, which defaults, refuses and pages as it does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cluster import Cluster
from lab.tools import Tools
from partner_mesh.cli import cluster as live
from partner_mesh.cli.main import app
from tests.lab import dev

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
RBAC = "rbac.authorization.k8s.io"
RULE = {"apiGroups": ["", "apps", "security.istio.io"], "resources": ["*"], "verbs": ["list"]}
READER = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "half"}, "rules": [RULE]}
BINDING = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "half"},
           "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "half"},
           "subjects": [{"kind": "ServiceAccount", "name": "half", "namespace": "default"}]}  # fmt: skip
HALF = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "half", "namespace": "default"}}


@pytest.fixture(scope="module")
def cluster(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The stack's objects, applied as they are."""
    with Cluster(lab_tools, Path(tmp_path_factory.mktemp("cluster"))) as running:
        applied = running.apply([*dev.objects(), HALF, READER, BINDING])
        assert not applied.refused
        yield running


@pytest.fixture(autouse=True)
def kubeconfig(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    use(cluster.plane.kubeconfig, monkeypatch)


def use(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def drift(*more: str) -> dict[str, Any]:
    code, output = run("diff", "dev", "--config-dir", str(ROOT), "--against", "cluster", "--context", "lab",
                       "--format", "json", *more)  # fmt: skip
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_cluster_that_nobody_touched_has_not_drifted(cluster: Cluster) -> None:
    found = drift()
    assert found["objects"] == {"added": [], "removed": [], "changed": []}
    assert found["access"] == {"gained": [], "doubtful": [], "lost": []}


def test_a_foreign_change_is_told_in_sentences(cluster: Cluster) -> None:
    """Somebody opened an application to everybody by hand and took a rule away; put back, nothing is left to tell."""
    rule = dev.document("NetworkPolicy", "charging", "acme-mobile.partners-to-charging")
    policy = dev.document("AuthorizationPolicy", "checkout", "checkout-web")
    cluster.api.delete(rule)
    cluster.api.delete(policy)
    cluster.api.create({**policy, "spec": {**policy["spec"], "rules": [{}]}})
    try:
        found = drift()
    finally:
        cluster.api.delete(policy)
        cluster.api.apply(policy)
        cluster.api.apply(rule)
    assert found["objects"]["added"] == ["NetworkPolicy charging/acme-mobile.partners-to-charging"]
    assert [each["object"] for each in found["objects"]["changed"]] == ["AuthorizationPolicy checkout/checkout-web"]
    assert (
        "a user with token may no longer GET, POST /pay/{**} of pay.dev.example.com "
        "(if request.auth.claims[group] is not buyers) on checkout:8080"
    ) in [each["sentence"] for each in found["access"]["lost"]]
    assert drift()["objects"] == {"added": [], "removed": [], "changed": []}


def test_what_the_cluster_does_not_serve_is_not_compared_and_said(cluster: Cluster) -> None:
    """ConfigMaps are read of Istio's namespace alone, and nobody installed Prometheus' kinds here."""
    code, output = run("diff", "dev", "--config-dir", str(ROOT), "--against", "cluster", "--context", "lab")
    assert code == 0, output
    assert "ConfigMap (v1): 5 not compared" in output


def test_a_reader_who_may_not_see_every_kind_is_told_and_nothing_is_allowed_for_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = cluster.api.service_account_token("default", "half", [])
    use(cluster.plane.kubeconfig_for(tmp_path / "half", "127.0.0.1", {"token": token}), monkeypatch)
    code, output = run("reach", "--context", "lab", "--from", "charging/charging", "--to", "checkout/checkout")
    assert code == 0, output
    assert output.count("networkpolicies?limit=500: 403 Forbidden: no NetworkPolicy was read") == 1
    assert "unknown  UDP, SCTP  (Unread NetworkPolicy.networking.k8s.io: they were not read)" in output
    assert " allowed " not in output.replace("0 allowed", "")


def test_a_list_of_several_pages_is_read_whole(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = live.live("lab")
    monkeypatch.setattr(live, "_PAGE", 3)
    paged = live.live("lab")
    assert len(whole.documents) > 100
    assert paged.kinds == whole.kinds
    assert [d["metadata"]["uid"] for d in paged.documents] == [d["metadata"]["uid"] for d in whole.documents]

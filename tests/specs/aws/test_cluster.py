"""The cluster's arguments: the CNI in the one mode that Calico can see, pinned add-ons, no stored credentials."""

import json
from typing import Any

from partner_mesh.config.platform import EksCluster
from partner_mesh.specs.aws.cluster import add_ons, kubeconfig, unpinned, vpc_cni_configuration
from tests.specs.stacks import EKS


def cluster(**changes: Any) -> EksCluster:
    return EksCluster.model_validate(EKS | changes)


def test_pods_have_security_groups_in_standard_mode_and_calico_judges_alone() -> None:
    found = vpc_cni_configuration()
    assert found["env"]["ENABLE_POD_ENI"] == "true"
    assert found["env"]["POD_SECURITY_GROUP_ENFORCING_MODE"] == "standard"
    assert found["env"]["AWS_VPC_K8S_CNI_EXTERNALSNAT"] == "true"
    assert found["env"]["ANNOTATE_POD_IP"] == "true"
    assert "DISABLE_TCP_EARLY_DEMUX" not in json.dumps(found)
    assert found["enableNetworkPolicy"] == "false"


def test_networking_comes_before_nodes_and_the_rest_after() -> None:
    early = {one.name: one.before_nodes for one in add_ons(cluster())}
    assert early == {
        "vpc-cni": True,
        "kube-proxy": True,
        "eks-pod-identity-agent": True,
        "coredns": False,
        "aws-ebs-csi-driver": False,
    }


def test_every_add_on_of_a_known_kubernetes_version_is_pinned() -> None:
    for version in ("1.34", "1.35", "1.36"):
        assert unpinned(cluster(version=version)) == ()
    assert "vpc-cni" in unpinned(cluster(version="1.33"))


def test_configuration_overrides_a_version_and_adds_an_add_on() -> None:
    found = {one.name: one.version for one in add_ons(cluster(addons={"coredns": "v9", "snapshot-controller": "v8"}))}
    assert found["coredns"] == "v9"
    assert found["snapshot-controller"] == "v8"


def test_the_same_configuration_is_the_same_text() -> None:
    [first, second] = [one.configuration_values for one in (*add_ons(cluster())[:1], *add_ons(cluster())[:1])]
    assert first == second
    assert first is not None
    assert json.loads(first) == vpc_cni_configuration()


def test_a_kubeconfig_fetches_its_credentials_and_holds_none() -> None:
    found = json.loads(kubeconfig("prod", "https://example.invalid", "Y2E=", "eu-central-1"))
    [user] = found["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "aws"
    assert user["user"]["exec"]["args"][-5:] == ["get-token", "--cluster-name", "prod", "--output", "json"]
    assert found["current-context"] == "prod"

"""The AWS side of dev and prod: what a security reviewer would look for first."""

import ipaddress
import json

import pytest

from components.recording import Registration
from tests.components.programs import environment, run_of
from tests.pulumi_mocks import Recorded

INGRESS, EGRESS = (
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)


@pytest.fixture(scope="module", params=["dev", "prod"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return run_of(str(request.param))


@pytest.fixture(scope="module")
def prod() -> Recorded:
    return run_of("prod")


def document(one: Registration, key: str = "policy") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(one.inputs[key])["Statement"]
    return found


def test_addresses_that_partners_know_load_balancers_and_the_cluster_are_protected_in_prod(prod: Recorded) -> None:
    for token in ("ec2/eip:Eip", "lb/loadBalancer:LoadBalancer", "eks/cluster:Cluster", "kms/key:Key"):
        assert all(one.protect for one in prod.of_type(f"aws:{token}")), token
    assert all(one.inputs["enableDeletionProtection"] for one in prod.of_type("aws:lb/loadBalancer:LoadBalancer"))
    assert prod.one("aws:eks/cluster:Cluster").inputs["deletionProtection"] is True


def test_dev_may_be_destroyed_as_its_configuration_says() -> None:
    assert environment("dev").platform.cluster.model_dump()["deletion_protection"] is False
    assert not [one.urn for one in run_of("dev") if one.protect]


def test_subnets_hold_what_their_tier_is_for(recorded: Recorded) -> None:
    tier = {
        one.outputs["id"] if one.outputs and "id" in one.outputs else one.urn: one
        for one in recorded.of_type("aws:ec2/subnet:Subnet")
    }
    assert tier
    cluster = recorded.one("aws:eks/cluster:Cluster")
    by_name = {one.name.rpartition("-")[0].rpartition("-")[2] for one in recorded.of_type("aws:ec2/subnet:Subnet")}
    assert by_name == {"public", "private", "egress", "control"}
    assert len(cluster.inputs["vpcConfig"]["subnetIds"]) == len(tier) // 4
    assert not any(one.inputs.get("mapPublicIpOnLaunch") for one in tier.values())


def test_control_subnets_have_no_way_out_and_closed_private_ones_neither(recorded: Recorded) -> None:
    stack = environment(recorded.registrations[0].name.removeprefix("partner-mesh-"))
    leaving = {
        one.name.removeprefix(f"{stack.platform.name}-").partition("-")[0]
        for one in recorded.of_type("aws:ec2/route:Route")
    }
    closed = stack.name == "prod"
    assert leaving == ({"public", "egress"} if closed else {"public", "egress", "private"})


def test_the_default_group_admits_nobody(recorded: Recorded) -> None:
    default = recorded.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert not default.inputs.get("ingress")
    assert not default.inputs.get("egress")


def test_flow_logs_see_everything_and_are_encrypted(recorded: Recorded) -> None:
    assert recorded.one("aws:ec2/flowLog:FlowLog").inputs["trafficType"] == "ALL"
    for group in recorded.of_type("aws:cloudwatch/logGroup:LogGroup"):
        assert group.inputs["kmsKeyId"], group.name
        assert group.inputs["retentionInDays"] > 0, group.name


def test_keys_rotate_and_each_is_found_by_its_name(recorded: Recorded) -> None:
    keys = recorded.of_type("aws:kms/key:Key")
    assert all(one.inputs["enableKeyRotation"] for one in keys)
    aliases = recorded.of_type("aws:kms/alias:Alias")
    assert {one.name: one.inputs["targetKeyId"] for one in aliases} == {
        one.name: (one.outputs or {})["keyId"] for one in keys
    }


def test_the_control_plane_is_private_logged_encrypted_and_gives_nobody_hidden_rights(recorded: Recorded) -> None:
    cluster = recorded.one("aws:eks/cluster:Cluster").inputs
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    public = cluster["vpcConfig"].get("publicAccessCidrs", [])
    assert cluster["vpcConfig"]["endpointPublicAccess"] == bool(public)
    assert "0.0.0.0/0" not in public
    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    access = cluster["accessConfig"]
    assert access == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert cluster["bootstrapSelfManagedAddons"] is False


def test_admins_and_viewers_have_entries_and_policies_of_their_own(recorded: Recorded) -> None:
    entries = {one.inputs["principalArn"] for one in recorded.of_type("aws:eks/accessEntry:AccessEntry")}
    policies = {
        one.inputs["principalArn"]: one.inputs["policyArn"]
        for one in recorded.of_type("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    }
    assert entries == set(policies)
    assert all(policy.endswith(("AmazonEKSClusterAdminPolicy", "AmazonEKSViewPolicy")) for policy in policies.values())


def test_the_cluster_role_may_give_pods_branch_interfaces(recorded: Recorded) -> None:
    arns = {one.inputs["policyArn"] for one in recorded.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")}
    assert "arn:aws:iam::aws:policy/AmazonEKSVPCResourceController" in arns


def test_networking_add_ons_come_before_nodes_and_dns_after(recorded: Recorded) -> None:
    nodes = recorded.of_type("aws:eks/nodeGroup:NodeGroup")
    for add_on in recorded.of_type("aws:eks/addon:Addon"):
        assert add_on.inputs["addonVersion"], add_on.name
        for node in nodes:
            early = add_on.name in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
            assert recorded.waits_for(node, add_on) == early
            assert recorded.waits_for(add_on, node) != early


def test_controllers_have_their_role_before_they_start(recorded: Recorded) -> None:
    releases = {one.inputs["chart"]: one for one in recorded.of_type("kubernetes:helm.sh/v3:Release")}
    identities = {
        one.inputs["serviceAccount"]: one
        for one in recorded.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    }
    assert set(identities) == {"aws-node", "ebs-csi-controller-sa", "aws-load-balancer-controller", "external-secrets"}
    for name in ("aws-load-balancer-controller", "external-secrets"):
        assert recorded.waits_for(releases[name], identities[name])
    for add_on, account in (("vpc-cni", "aws-node"), ("aws-ebs-csi-driver", "ebs-csi-controller-sa")):
        assert recorded.waits_for(recorded.one("aws:eks/addon:Addon", add_on), identities[account])


def test_pods_reach_neither_the_nodes_credentials_nor_an_unencrypted_volume(recorded: Recorded) -> None:
    for template in recorded.of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        metadata = template.inputs["metadataOptions"]
        assert (metadata["httpTokens"], metadata["httpPutResponseHopLimit"]) == ("required", 1)
        for mapping in template.inputs["blockDeviceMappings"]:
            assert mapping["ebs"]["encrypted"] == "true"
            assert mapping["ebs"]["kmsKeyId"]


def test_nodes_carry_the_taint_of_their_group_and_the_label_that_selects_it(recorded: Recorded) -> None:
    for group in recorded.of_type("aws:eks/nodeGroup:NodeGroup"):
        taints = {taint["key"]: taint["value"] for taint in group.inputs.get("taints", [])}
        assert taints.get("dedicated") == group.inputs["labels"].get("dedicated")


def test_no_group_but_a_load_balancers_is_open_to_everybody(recorded: Recorded) -> None:
    for rule in recorded.of_type(INGRESS):
        block = rule.inputs.get("cidrIpv4", "10.0.0.0/8")
        if ipaddress.ip_network(block).prefixlen == 0:
            assert "-lb-" in rule.name, rule.name
            assert rule.inputs["fromPort"] in (80, 443)


def test_only_nodes_and_the_egress_gateway_leave_for_the_internet(recorded: Recorded) -> None:
    names = {
        rule.name.partition("/")[0] for rule in recorded.of_type(EGRESS) if rule.inputs.get("cidrIpv4") == "0.0.0.0/0"
    }
    prefix = recorded.one("aws:eks/cluster:Cluster").name
    assert names == {f"{prefix}-nodes", f"{prefix}-gateway-egress"}


def test_rules_have_one_peer_and_say_what_they_are_for(recorded: Recorded) -> None:
    for rule in (*recorded.of_type(INGRESS), *recorded.of_type(EGRESS)):
        peers = [key for key in ("cidrIpv4", "cidrIpv6", "referencedSecurityGroupId") if rule.inputs.get(key)]
        assert len(peers) == 1, rule.name
        assert rule.inputs["description"], rule.name
        assert (rule.inputs["ipProtocol"] == "-1") == ("fromPort" not in rule.inputs), rule.name


def test_only_the_load_balancer_reaches_a_gateway_from_outside(recorded: Recorded) -> None:
    groups = {
        (one.outputs or {}).get("id", ""): one.name for one in recorded.of_type("aws:ec2/securityGroup:SecurityGroup")
    }
    assert groups
    for rule in recorded.of_type(INGRESS):
        name = rule.name.partition("/")[0]
        if "-gateway-" in name:
            assert "cidrIpv4" not in rule.inputs, rule.name


def test_only_eks_own_group_carries_the_clusters_tag(recorded: Recorded) -> None:
    for group in recorded.of_type("aws:ec2/securityGroup:SecurityGroup"):
        assert not [tag for tag in group.inputs.get("tags", {}) if tag.startswith("kubernetes.io/cluster/")]


def test_nodes_and_load_balancers_come_after_the_ways_in_and_out(recorded: Recorded) -> None:
    ways = [*recorded.of_type("aws:ec2/route:Route"), *recorded.of_type("aws:ec2/vpcEndpoint:VpcEndpoint")]
    ways += recorded.of_type("aws:ec2/internetGateway:InternetGateway")
    users = [*recorded.of_type("aws:eks/nodeGroup:NodeGroup"), *recorded.of_type("aws:lb/loadBalancer:LoadBalancer")]
    assert all(recorded.waits_for(user, way) for user in users for way in ways)


def test_nodes_follow_the_control_planes_version_and_their_launch_templates(recorded: Recorded) -> None:
    version = recorded.one("aws:eks/cluster:Cluster").inputs["version"]
    for group in recorded.of_type("aws:eks/nodeGroup:NodeGroup"):
        assert group.inputs["version"] == version
        assert group.inputs["launchTemplate"]["version"] == "1"

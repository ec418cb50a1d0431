"""Every control that prod claims to meet is seen failing on a seeded fault, and prod meets all that it can."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policies.controls import CONTROLS, Control, recorded, verdicts
from policies.rule import Resource

ROOT = Path(__file__).parents[2]
K8S = "kubernetes:networking.istio.io/v1:"

# First identifier → type of the resource that is spoilt, and the inputs that spoil it.
FAULTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "EKS.1": ("aws:eks/cluster:Cluster", {"vpcConfig": {"endpointPublicAccess": True}}),
    "EKS.3": ("aws:eks/cluster:Cluster", {}),
    "EKS.8": ("aws:eks/cluster:Cluster", {}),
    "CIS 4.1.1": ("aws:eks/cluster:Cluster", {}),
    "EKS.2": ("aws:eks/cluster:Cluster", {"upgradePolicy": {"supportType": "EXTENDED"}}),
    "CIS 5.4.3": ("aws:ec2/subnet:Subnet", {"mapPublicIpOnLaunch": True}),
    "EC2.8": ("aws:ec2/launchTemplate:LaunchTemplate", {}),
    "EC2.3": ("aws:ec2/launchTemplate:LaunchTemplate", {}),
    "EC2.2": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"ingress": [{"protocol": "-1"}]}),
    "EC2.18": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22},
    ),
    "EC2.6": ("aws:ec2/flowLog:FlowLog", {"trafficType": "REJECT"}),
    "ELB.1": ("aws:lb/listener:Listener", {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-2016-08"}),
    "ELB.4": ("aws:lb/loadBalancer:LoadBalancer", {"loadBalancerType": "application", "securityGroups": ["sg-1"]}),
    "ELB.5": ("aws:lb/loadBalancer:LoadBalancer", {"loadBalancerType": "application"}),
    "ELB.6": ("aws:lb/loadBalancer:LoadBalancer", {"enableDeletionProtection": False}),
    "ELB.16": ("aws:wafv2/webAclAssociation:WebAclAssociation", {"gone": True}),
    "WAF.11": ("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", {}),
    "KMS.4": ("aws:kms/key:Key", {}),
    "S3.1": ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"blockPublicAcls": True}),
    "CloudWatch.16": ("aws:cloudwatch/logGroup:LogGroup", {}),
    "IAM.1": ("aws:iam/rolePolicy:RolePolicy", {"policy": '{"Statement": [{"Effect": "Allow", "Action": "*"}]}'}),
    "CIS 4.3.2": ("kubernetes:networking.k8s.io/v1:NetworkPolicy", {}),
    "CIS 5.4.4": ("kubernetes:networking.k8s.io/v1:NetworkPolicy", {"spec": {"ingress": [{}]}}),
    "CIS 4.2.1": ("kubernetes:core/v1:Namespace", {"metadata": {"name": "x"}}),
    "CIS 4.4.1": ("kubernetes:core/v1:ConfigMap", {"data": {"k": "-----BEGIN PRIVATE KEY-----"}}),
    "SC-8": ("kubernetes:security.istio.io/v1:PeerAuthentication", {"spec": {"mtls": {"mode": "DISABLE"}}}),
    "IA-3": (f"{K8S}Gateway", {"spec": {"servers": [{"tls": {"mode": "OPTIONAL_MUTUAL"}}]}}),
    "SC-8 outside": (f"{K8S}DestinationRule", {"spec": {"trafficPolicy": {"tls": {"mode": "SIMPLE"}}}}),
    "AC-3": ("kubernetes:security.istio.io/v1:AuthorizationPolicy", {"spec": {"rules": [{}]}}),
    "SC-7(4)": ("aws:lb/targetGroup:TargetGroup", {"protocol": "TCP"}),
}


def key(control: Control) -> str:
    first = control.identifiers[0]
    return "SC-8 outside" if control.asks.startswith("Outside") else first


@pytest.fixture(scope="module")
def prod() -> list[Resource]:
    return recorded("prod", ROOT)


def test_prod_fails_no_control(prod: list[Resource]) -> None:
    assert [(c.identifiers, v.because) for c, v in verdicts(prod) if v.status == "fail"] == []
    assert sum(v.status == "pass" for _, v in verdicts(prod)) == len(FAULTS)


def test_a_control_that_does_not_apply_says_why(prod: list[Resource]) -> None:
    for control, verdict in verdicts(prod):
        if verdict.status == "not applicable":
            assert verdict.because, control
            assert key(control) not in FAULTS


@pytest.mark.parametrize("control", [c for c in CONTROLS if key(c) in FAULTS], ids=key)
def test_a_control_is_seen_failing(control: Control, prod: list[Resource]) -> None:
    kind, spoilt = FAULTS[key(control)]
    gone = spoilt.get("gone") is True
    world = [Resource(r.type, r.name, spoilt) if r.type == kind else r for r in prod if not (gone and r.type == kind)]
    assert control.check(prod).status == "pass"
    assert control.check(world).status == "fail"

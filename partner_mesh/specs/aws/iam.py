"""IAM policy documents: who may assume a role, and the least that each controller needs.

Documents are plain dicts; `document` is their one JSON form. Late values (an ARN) may stand in a resource list.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partner_mesh.config.stack import Stack

Statement = Mapping[str, Any]

CLUSTER_POLICIES: Final = (
    "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
    "arn:aws:iam::aws:policy/AmazonEKSVPCResourceController",  # branch interfaces for security groups for pods
)
# The CNI's own policy hangs on aws-node's Pod Identity instead: whatever runs on a node could use the node's role.
NODE_POLICIES: Final = (
    "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
)
CNI_POLICY: Final = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
EBS_POLICY: Final = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"


def document(statements: Sequence[Statement]) -> str:
    """A policy as JSON. Raises ValueError without statements: an empty policy says nothing and IAM refuses it."""
    if not statements:
        raise ValueError("a policy without statements")
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def trust(service: str, *, actions: Sequence[str] = ("sts:AssumeRole",), account: str | None = None) -> Statement:
    """An AWS service may assume the role; with `account`, only on behalf of that account (confused deputy)."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions)}
    return statement | ({"Condition": {"StringEquals": {"aws:SourceAccount": account}}} if account else {})


def pod_identity_trust() -> Statement:
    """EKS Pod Identity hands the role to a service account; the session carries cluster, namespace and pod as tags."""
    return trust("pods.eks.amazonaws.com", actions=("sts:AssumeRole", "sts:TagSession"))


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller's service account and what it may do at AWS: managed policies by ARN, own statements."""

    name: str
    namespace: str
    service_account: str
    managed: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()


def controllers(stack: Stack, account: str, partition: str = "aws") -> tuple[Controller, ...]:
    """Every controller of a stack that calls AWS. `account` and `region` bound what it may touch."""
    region = stack.region or "*"
    found = [
        Controller("vpc-cni", "kube-system", "aws-node", managed=(CNI_POLICY,)),
        Controller("ebs-csi", "kube-system", "ebs-csi-controller-sa", managed=(EBS_POLICY,)),
    ]
    if any(stack.gateways("ingress")):
        found.append(
            Controller(
                "load-balancer-controller",
                "kube-system",
                "aws-load-balancer-controller",
                statements=load_balancer_statements(stack, region, account, partition),
            )
        )
    if stack.platform.secrets.store == "aws-secrets-manager" and stack.platform.secrets.managed:
        found.append(
            Controller(
                "external-secrets",
                "external-secrets",
                "external-secrets",
                statements=secrets_statements(secrets_prefix(stack), region, account, partition),
            )
        )
    return tuple(found)


def secrets_prefix(stack: Stack) -> str:
    """What stands before each name in Secrets Manager."""
    return stack.platform.secrets.prefix or f"{stack.platform.name}/"


def load_balancer_statements(stack: Stack, region: str, account: str, partition: str) -> tuple[Statement, ...]:
    """The controller only fills target groups that this program owns: it makes no load balancer and no group.

    Describe calls of EC2 and ELB know no resources (service authorization reference), hence the asterisk there.
    """
    groups = f"arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/{target_group_prefix(stack)}*"
    return (
        {
            "Sid": "Look",
            "Effect": "Allow",
            "Action": [
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            "Resource": "*",
        },
        {
            "Sid": "FillOwnTargetGroups",
            "Effect": "Allow",
            "Action": ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
            "Resource": groups,
        },
    )


def secrets_statements(prefix: str, region: str, account: str, partition: str) -> tuple[Statement, ...]:
    """External Secrets Operator reads secrets of one prefix and lists nothing (ESO, "AWS Secrets Manager")."""
    return (
        {
            "Sid": "ReadOwnSecrets",
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": f"arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}*",
        },
    )


def target_group_prefix(stack: Stack) -> str:
    """How names of this stack's load balancers and target groups begin: 32 characters are all there is."""
    return f"{_shortened(stack.platform.name, 14)}-"


def role_name(platform: str, what: str) -> str:
    """A role's name: 64 characters at most, and another one for another platform of the account."""
    return f"{_shortened(platform, 63 - len(what))}-{what}"


def _shortened(name: str, longest: int) -> str:
    """A name as it is, or cut with a hash of the whole: two platforms that begin alike stay two."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 5].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def key_statements(account: str, region: str, partition: str, *, log_groups: bool) -> tuple[Statement, ...]:
    """A key's policy: the account's IAM decides; CloudWatch Logs, or EC2's volumes, use it for this account alone."""
    root: Statement = {
        "Sid": "AccountDecides",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    logs: Statement = {
        "Sid": "LogGroups",
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{region}.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        "Resource": "*",
        "Condition": {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:{partition}:logs:{region}:{account}:log-group:*"}
        },
    }
    # As AWS' own `aws/ebs` key has it. Naming the role of Auto Scaling would fail in an account that never had a group.
    volumes: Statement = {
        "Sid": "NodeVolumes",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": account, "kms:ViaService": f"ec2.{region}.amazonaws.com"}},
    }
    return (root, logs) if log_groups else (root, volumes)


def flow_log_statements(log_group_arn: str) -> tuple[Statement, ...]:
    """VPC flow logs write into one log group. The argument may be a late value resolved by the caller."""
    return (
        {
            "Sid": "WriteFlowLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            "Resource": f"{log_group_arn}:*",
        },
    )


def access_log_statements(bucket_arn: str, account: str) -> tuple[Statement, ...]:
    """Elastic Load Balancing writes below AWSLogs/<account>; nobody speaks plain HTTP to the bucket."""
    return (
        {
            "Sid": "WriteAccessLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/AWSLogs/{account}/*",
        },
        {
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )

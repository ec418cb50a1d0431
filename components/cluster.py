"""The EKS control plane, who may use it, and how the rest of the program reaches it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.config.platform import EksCluster
from partner_mesh.specs.aws import cluster as specs
from partner_mesh.specs.aws import iam


@dataclass(frozen=True, slots=True)
class ClusterArgs:
    """The cluster's section, its subnets (the `control` tier) and keys."""

    platform: str
    cluster: EksCluster
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    region: str


class Cluster(pulumi.ComponentResource):
    """An EKS control plane: private endpoint, envelope encryption, every log, access by entries only.

    Whoever runs the program must be among `admins` (or assume a role that is): the creator gets no hidden rights.
    Outputs: `cluster_name`, `kubeconfig` (credentials are fetched at each use), `security_group_id` (EKS' own group,
    the one that carries the cluster tag), `arn`, `access` (what lets anybody in).
    """

    resource: aws.eks.Cluster
    cluster_name: pulumi.Output[str]
    arn: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    access: list[pulumi.Resource]

    def __init__(self, name: str, args: ClusterArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:cluster:Cluster", name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        log_group = aws.cloudwatch.LogGroup(
            f"{args.platform}-control-plane",
            name=f"/aws/eks/{args.platform}/cluster",  # EKS writes to this name, and would make it without our settings
            retention_in_days=args.cluster.log_retention_days,
            kms_key_id=args.logs_key_arn,
            opts=self._children,
        )
        role, policies = self._role()
        self.resource = self._cluster(role, [log_group, *policies])
        self.cluster_name, self.arn = self.resource.name, self.resource.arn
        self.security_group_id = self.resource.vpc_config.apply(_cluster_group)
        self.kubeconfig = pulumi.Output.all(
            self.resource.name, self.resource.endpoint, self.resource.certificate_authority
        ).apply(lambda late: specs.kubeconfig(late[0], late[1], late[2]["data"], args.region))
        self.access = list(self._entries())
        self.register_outputs(
            {
                "arn": self.arn,
                "clusterName": self.cluster_name,
                "kubeconfig": self.kubeconfig,
                "securityGroupId": self.security_group_id,
            }
        )

    def _role(self) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        named = iam.role_name(self._args.platform, "cluster")
        role = aws.iam.Role(
            named,
            name=named,
            assume_role_policy=iam.document([iam.trust("eks.amazonaws.com")]),
            opts=self._children,
        )
        policies: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{named}-{arn.rpartition('/')[2]}", role=role.name, policy_arn=arn, opts=self._children
            )
            for arn in iam.CLUSTER_POLICIES
        ]
        return role, policies

    def _cluster(self, role: aws.iam.Role, after: list[pulumi.Resource]) -> aws.eks.Cluster:
        args, cluster = self._args, self._args.cluster
        public = bool(cluster.endpoint.allowed_cidrs)
        return aws.eks.Cluster(
            args.platform,
            name=args.platform,
            version=cluster.version,
            role_arn=role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API",
                # A right that nobody sees in the list of entries; and changing this one replaces the cluster.
                bootstrap_cluster_creator_admin_permissions=False,
            ),
            # Networking comes as add-ons with our configuration; a node without ours must not become Ready.
            bootstrap_self_managed_addons=False,
            deletion_protection=cluster.deletion_protection,
            enabled_cluster_log_types=list(specs.LOG_TYPES),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn), resources=["secrets"]
            ),
            # Extended support costs six times as much an hour, and would begin unasked.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.subnet_ids,
                endpoint_private_access=cluster.endpoint.private,
                endpoint_public_access=public,
                public_access_cidrs=list(cluster.endpoint.allowed_cidrs) if public else None,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=after, protect=cluster.deletion_protection),
        )

    def _entries(self) -> Iterator[pulumi.Resource]:
        admins, viewers = self._args.cluster.admins, self._args.cluster.viewers
        only_viewers = tuple(each for each in viewers if each not in admins)  # a principal has one entry
        for principals, policy in ((admins, specs.ADMIN_POLICY), (only_viewers, specs.VIEW_POLICY)):
            for principal in principals:
                short = principal.partition("::")[2] or principal  # account:role/name
                entry = aws.eks.AccessEntry(
                    short, cluster_name=self.resource.name, principal_arn=principal, opts=self._children
                )
                yield aws.eks.AccessPolicyAssociation(
                    short,
                    cluster_name=self.resource.name,
                    principal_arn=principal,
                    policy_arn=policy,
                    access_scope={"type": "cluster"},
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
                )


def _cluster_group(vpc_config: aws.eks.outputs.ClusterVpcConfig) -> str:
    """EKS' own security group; it names one as soon as the cluster is there."""
    group = vpc_config.cluster_security_group_id
    if group is None:
        raise ValueError("EKS named no security group of the cluster")
    return group

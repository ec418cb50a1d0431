"""Managed node groups: hardened launch templates, taints, and nothing on a node's role that a pod could want."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.specs.aws import iam
from partner_mesh.specs.aws.node_groups import NodeGroupArguments
from partner_mesh.specs.aws.subnets import Tier


@dataclass(frozen=True, slots=True)
class NodeGroupsArgs:
    """The groups, where they run, their key, the nodes' group, and what must be there before any node."""

    platform: str
    cluster_name: pulumi.Input[str]
    version: str
    groups: tuple[NodeGroupArguments, ...]
    subnet_ids: dict[Tier, list[pulumi.Output[str]]]
    security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    after: Sequence[pulumi.Resource]


class NodeGroups(pulumi.ComponentResource):
    """One managed node group for each declared one, with IMDSv2 out of reach of pods and encrypted volumes.

    Outputs: `groups` by name.
    """

    groups: dict[str, aws.eks.NodeGroup]

    def __init__(self, name: str, args: NodeGroupsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:node_groups:NodeGroups", name, None, opts)
        self._args = args
        named = iam.role_name(args.platform, "node")
        role = aws.iam.Role(
            named,
            name=named,
            assume_role_policy=iam.document([iam.trust("ec2.amazonaws.com")]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        policies = [
            aws.iam.RolePolicyAttachment(
                f"{named}-{arn.rpartition('/')[2]}",
                role=role.name,
                policy_arn=arn,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for arn in iam.NODE_POLICIES
        ]
        self.groups = {group.name: self._group(group, role, [*policies, *args.after]) for group in args.groups}
        self.register_outputs({"names": list(self.groups)})

    def _group(self, group: NodeGroupArguments, role: aws.iam.Role, after: list[pulumi.Resource]) -> aws.eks.NodeGroup:
        template = self._template(group)
        return aws.eks.NodeGroup(
            f"{self._args.platform}-{group.name}",
            cluster_name=self._args.cluster_name,
            node_group_name=group.name,
            version=self._args.version,  # EKS leaves nodes behind when the control plane is upgraded, unless told
            node_role_arn=role.arn,
            subnet_ids=self._args.subnet_ids[group.tier],
            ami_type=group.ami_type,
            capacity_type=group.capacity_type,
            instance_types=list(group.instance_types),
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={"min_size": group.minimum, "max_size": group.maximum, "desired_size": group.desired},
            update_config={"max_unavailable_percentage": group.unavailable_percent},
            labels=group.labels,
            taints=[aws.eks.NodeGroupTaintArgs(**taint) for taint in group.taints],
            node_repair_config={"enabled": True},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                ignore_changes=None if group.desired_is_declared else ["scalingConfig.desiredSize"],
            ),
        )

    def _template(self, group: NodeGroupArguments) -> aws.ec2.LaunchTemplate:
        named = f"{self._args.platform}-{group.name}"
        tags = {"Name": named, "partner-mesh.dev/node-group": group.name}
        return aws.ec2.LaunchTemplate(
            named,
            name=named,
            update_default_version=True,
            # One hop: the node itself reaches its role's credentials, a pod behind the node's bridge does not.
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
                "instance_metadata_tags": "disabled",
            },
            block_device_mappings=[
                {
                    "device_name": device,
                    "ebs": {
                        "volume_size": size,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "kms_key_id": self._args.key_arn,
                        "delete_on_termination": "true",
                    },
                }
                for device, size in group.volumes
            ],
            monitoring={"enabled": True},
            vpc_security_group_ids=[self._args.security_group_id],
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

"""The AWS side up to nodes that are Ready: keys, network, cluster, identities, add-ons, groups, nodes."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.add_ons import AddOns, AddOnsArgs
from components.cluster import Cluster, ClusterArgs
from components.identities import Identities, IdentitiesArgs
from components.keys import Keys, KeysArgs
from components.network import Network, NetworkArgs
from components.node_groups import NodeGroups, NodeGroupsArgs
from components.security_groups import SecurityGroups, SecurityGroupsArgs
from partner_mesh.config.platform import EksCluster
from partner_mesh.config.stack import Stack
from partner_mesh.specs.aws.cluster import add_ons
from partner_mesh.specs.aws.group_rules import groups
from partner_mesh.specs.aws.node_groups import node_group_arguments
from partner_mesh.specs.security_group import CLUSTER, NODES
from partner_mesh.specs.security_group_edges import load_balancer_group


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the rest of the program needs of the AWS side. `ready` is what must be there before any object is of use."""

    aws: aws.Provider
    keys: Keys
    network: Network
    cluster: Cluster
    identities: Identities
    groups: SecurityGroups
    ready: list[pulumi.Resource]
    protect: bool

    @property
    def security_group_ids(self) -> Mapping[str, pulumi.Input[str]]:
        """Ids of groups by name: late values."""
        return self.groups.ids

    def load_balancer_groups(self) -> Mapping[str, pulumi.Input[str]]:
        """The groups of load balancers by gateway."""
        prefix = load_balancer_group("")
        return {name.removeprefix(prefix): each for name, each in self.groups.ids.items() if name.startswith(prefix)}


def aws_provider(stack: Stack) -> aws.Provider:
    """The way to AWS: the stack's region, and tags by which each bill and each orphan finds its owner."""
    platform = stack.platform
    tags = {**platform.tags, "partner-mesh": platform.name, "environment": platform.environment}
    return aws.Provider(platform.name, region=stack.region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags))


def foundation(stack: Stack) -> Foundation:
    """Make it, in the order in which it can come up: networking add-ons before nodes, the others after."""
    cluster, network, region = stack.platform.cluster, stack.platform.network, stack.region
    if not isinstance(cluster, EksCluster) or network is None or region is None:
        raise TypeError("the loader lets no `cluster.kind: eks` pass without network and region")
    platform, protect = stack.platform.name, cluster.deletion_protection
    at_aws = aws_provider(stack)
    opts = pulumi.ResourceOptions(providers=[at_aws])
    keys = Keys("keys", KeysArgs(platform, region, protect), opts=opts)
    vpc = Network("network", NetworkArgs(platform, region, network, keys.logs_arn, protect), opts=opts)
    control = Cluster(
        "cluster",
        ClusterArgs(platform, cluster, vpc.subnet_ids["control"], keys.cluster_arn, keys.logs_arn, region),
        opts=opts,
    )
    identities = Identities("identities", IdentitiesArgs(stack, control.cluster_name), opts=opts)
    walls = SecurityGroups(
        "security-groups",
        SecurityGroupsArgs(platform, vpc.vpc_id, groups(stack), {CLUSTER: control.security_group_id}),
        opts=opts,
    )
    early = AddOns(
        "networking",
        AddOnsArgs(
            control.cluster_name,
            tuple(each for each in add_ons(cluster) if each.before_nodes),
            list(identities.associations.values()),
        ),
        opts=opts,
    )
    arguments = node_group_arguments(stack)
    nodes = NodeGroups(
        "node-groups",
        NodeGroupsArgs(
            platform,
            control.cluster_name,
            cluster.version,
            arguments,
            vpc.subnet_ids,
            walls.ids[NODES],
            keys.cluster_arn,
            [*early.resources, *vpc.ready],
        ),
        opts=opts,
    )
    late = AddOns(
        "workloads",
        AddOnsArgs(
            control.cluster_name,
            tuple(each for each in add_ons(cluster) if not each.before_nodes),
            [*nodes.groups.values(), *identities.associations.values()],
        ),
        opts=opts,
    )
    return Foundation(
        aws=at_aws,
        keys=keys,
        network=vpc,
        cluster=control,
        identities=identities,
        groups=walls,
        ready=[*control.access, *nodes.groups.values(), *late.resources],
        protect=protect,
    )

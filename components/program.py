"""The whole program: a stack's components in the order in which they come up, and what it says when it is done."""

import pulumi

from components.access import provider, provider_of_existing
from components.foundation import Foundation, foundation
from components.mesh import mesh
from components.objects import Deployed
from components.partner import partners
from components.shard import shard
from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

Outputs = dict[str, pulumi.Input[object]]


def deploy(stack: Stack) -> None:
    """Register everything that a stack deploys, and export what others need of it.

    Three shapes of a stack: a platform with its cluster at AWS, applications and partners on somebody's cluster, and a
    shard (`platform.shared`), which holds nothing but partners of a platform that another stack deploys.
    """
    for name, value in _deployed(stack).items():
        pulumi.export(name, value)


def _deployed(stack: Stack) -> Outputs:
    if stack.platform.shared is not None:
        return shard(stack, stack.platform.shared.stack)
    if isinstance(stack.platform.cluster, ExistingCluster):
        return _existing(stack, stack.platform.cluster)
    return _platform(stack)


def _platform(stack: Stack) -> Outputs:
    """From the VPC to the partners. Ids of security groups are late: objects that name them are compiled with them."""
    base = foundation(stack)
    compiled = compile_stack(stack, base.security_group_ids)
    deployed = Deployed()
    access = provider(
        stack.platform.name,
        kubeconfig=base.cluster.kubeconfig,
        identifier=stack.platform.name,
        after=base.ready,
    )
    outputs = mesh(stack, compiled, deployed, access, base)
    return outputs | _reached(base) | {"partners": partners(stack, compiled, deployed, access)}


def _reached(base: Foundation) -> Outputs:
    """What shards and people need of the foundation."""
    return {
        "clusterName": base.cluster.cluster_name,
        "kubeconfig": base.cluster.kubeconfig,
        "securityGroupIds": dict(base.security_group_ids),
        "natAddresses": base.network.nat_addresses,
        "vpcId": base.network.vpc_id,
    }


def _existing(stack: Stack, cluster: ExistingCluster) -> Outputs:
    """On somebody's cluster: no AWS resource at all."""
    compiled, deployed = compile_stack(stack), Deployed()
    access = provider_of_existing(stack.platform.name, cluster)
    outputs = mesh(stack, compiled, deployed, access, None)
    return outputs | {"partners": partners(stack, compiled, deployed, access)}

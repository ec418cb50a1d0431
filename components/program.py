"""The whole program: a stack's components in the order in which they come up, and what it says when it is done."""

import pulumi

from components.access import provider, provider_of_existing
from components.foundation import Foundation, foundation
from components.mesh import mesh
from components.objects import Deployed
from components.partner import Partner, PartnerArgs
from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled

Outputs = dict[str, pulumi.Input[object]]


def deploy(stack: Stack) -> Outputs:
    """Register everything that a stack deploys; returns what it exports.

    Three shapes of a stack: a platform with its cluster at AWS, applications and partners on somebody's cluster, and a
    shard (`platform.shared`), which holds nothing but partners of a platform that another stack deploys.
    """
    if stack.platform.shared is not None:
        return _shard(stack, stack.platform.shared.stack)
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
    return outputs | _partners(stack, compiled, deployed, access) | _reached(base)


def _reached(base: Foundation) -> Outputs:
    """What shards and people need of the foundation."""
    return {
        "clusterName": base.cluster.cluster_name,
        "kubeconfig": base.cluster.kubeconfig,
        "natAddresses": base.network.nat_addresses,
        "vpcId": base.network.vpc_id,
    }


def _existing(stack: Stack, cluster: ExistingCluster) -> Outputs:
    """On somebody's cluster: no AWS resource at all."""
    compiled, deployed = compile_stack(stack), Deployed()
    access = provider_of_existing(stack.platform.name, cluster)
    outputs = mesh(stack, compiled, deployed, access, None)
    return outputs | _partners(stack, compiled, deployed, access)


def _shard(stack: Stack, platform: str) -> Outputs:
    """Partners alone; the cluster is the platform's, found by its outputs (or by our own kubeconfig where it is given).

    A partner's pull request then previews this stack: its partners, and nothing of the platform.
    """
    compiled, deployed = compile_stack(stack), Deployed()
    cluster = stack.platform.cluster
    if isinstance(cluster, ExistingCluster):
        access = provider_of_existing(stack.platform.name, cluster)
    else:
        reference = pulumi.StackReference(platform)
        access = provider(
            stack.platform.name,
            kubeconfig=reference.require_output("kubeconfig"),
            identifier=reference.require_output("clusterName"),
        )
    return _partners(stack, compiled, deployed, access)


def _partners(stack: Stack, compiled: Compiled, deployed: Deployed, access: pulumi.ProviderResource) -> Outputs:
    for partner in stack.partners:
        manifests: tuple[Manifest, ...] = compiled.partners[partner.name]
        Partner(
            partner.name,
            PartnerArgs(
                manifests=manifests,
                inbound_hosts=[entry.host for entry in partner.inbound],
                outbound_hosts=[entry.host for entry in partner.outbound],
                deployed=deployed,
            ),
            opts=pulumi.ResourceOptions(providers=[access]),
        )
    return {"partners": [partner.name for partner in stack.partners]}

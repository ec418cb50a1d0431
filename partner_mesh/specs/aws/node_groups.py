"""Node groups: placement, taints, and how many pods with security groups of their own fit on a node."""

from dataclasses import dataclass
from typing import Final

from partner_mesh.config.platform import EksCluster, NodeGroup
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import DEDICATED_LABEL
from partner_mesh.specs.aws.subnets import Tier
from partner_mesh.specs.stack import gateway_node_group

AMI_TYPES: Final[dict[str, str]] = {
    "al2023": "AL2023_x86_64_STANDARD",
    "al2023-arm64": "AL2023_ARM_64_STANDARD",
    "bottlerocket": "BOTTLEROCKET_x86_64",
    "bottlerocket-arm64": "BOTTLEROCKET_ARM_64",
}

# Bottlerocket keeps its operating system on the first volume and containers on the second.
_DATA_VOLUMES: Final[dict[str, tuple[str, ...]]] = {
    "al2023": ("/dev/xvda",),
    "al2023-arm64": ("/dev/xvda",),
    "bottlerocket": ("/dev/xvda", "/dev/xvdb"),
    "bottlerocket-arm64": ("/dev/xvda", "/dev/xvdb"),
}
_BOTTLEROCKET_SYSTEM_GIB: Final = 4


@dataclass(frozen=True, slots=True)
class NodeGroupArguments:
    """What a managed node group and its launch template are made with, but for ids."""

    name: str
    ami_type: str
    capacity_type: str
    instance_types: tuple[str, ...]
    minimum: int
    maximum: int
    desired: int
    desired_is_declared: bool  # False: an autoscaler may move it, so later differences are nobody's mistake
    labels: dict[str, str]
    taints: tuple[dict[str, str], ...]
    volumes: tuple[tuple[str, int], ...]  # (device, GiB)
    tier: Tier
    unavailable_percent: int = 33


def node_group_arguments(stack: Stack) -> tuple[NodeGroupArguments, ...]:
    """Arguments of every node group, in declared order; none where the cluster is somebody else's."""
    cluster = stack.platform.cluster
    if not isinstance(cluster, EksCluster):
        return ()
    leaving = {gateway_node_group(stack, gateway) for gateway, _ in stack.gateways("egress")}
    return tuple(
        _arguments(name, group, tier="egress" if name in leaving else "private")
        for name, group in cluster.node_groups.items()
    )


def _arguments(name: str, group: NodeGroup, *, tier: Tier) -> NodeGroupArguments:
    return NodeGroupArguments(
        name=name,
        ami_type=AMI_TYPES[group.ami],
        capacity_type={"on-demand": "ON_DEMAND", "spot": "SPOT"}[group.capacity],
        instance_types=group.instances,
        minimum=group.size.min,
        maximum=group.size.max,
        desired=group.size.min if group.size.desired is None else group.size.desired,
        desired_is_declared=group.size.desired is not None,
        labels={**group.labels, "partner-mesh.dev/node-group": name, **_dedicated_label(group)},
        taints=_taints(group),
        volumes=_volumes(group),
        tier=tier,
    )


def _dedicated_label(group: NodeGroup) -> dict[str, str]:
    return {DEDICATED_LABEL: group.dedicated} if group.dedicated is not None else {}


def _taints(group: NodeGroup) -> tuple[dict[str, str], ...]:
    """EKS spells effects its own way: NO_SCHEDULE is Kubernetes' NoSchedule."""
    if group.dedicated is None:
        return ()
    return ({"key": DEDICATED_LABEL, "value": group.dedicated, "effect": "NO_SCHEDULE"},)


def _volumes(group: NodeGroup) -> tuple[tuple[str, int], ...]:
    devices = _DATA_VOLUMES[group.ami]
    return (*((device, _BOTTLEROCKET_SYSTEM_GIB) for device in devices[:-1]), (devices[-1], group.disk_gib))

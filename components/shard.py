"""Partners in a stack of their own, on a platform that another stack deploys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.access import provider, provider_of_existing
from components.foundation import aws_provider
from components.load_balancers import alias
from components.objects import Deployed
from components.partner import partners
from components.security_groups import register_rule
from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.aws.group_rules import groups, partner_rules
from partner_mesh.specs.aws.load_balancers import LoadBalancer, load_balancers

Outputs = dict[str, pulumi.Input[object]]


@dataclass(frozen=True, slots=True)
class ShardEdgeArgs:
    """The stack of the shard, and the outputs of its platform."""

    stack: Stack
    group_ids: pulumi.Output[Mapping[str, str]]
    load_balancers: pulumi.Output[Mapping[str, Mapping[str, str]]]


class ShardEdge(pulumi.ComponentResource):
    """What the partners of a shard need at AWS: their edges in the platform's groups, names of their hosts.

    Outputs: `hosts` that have a record.
    """

    hosts: list[str]

    def __init__(self, name: str, args: ShardEdgeArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:shard:ShardEdge", name, None, opts)
        ids = {group.name: _at(args.group_ids, group.name) for group in groups(args.stack)}
        for rule in partner_rules(args.stack):
            register_rule(args.stack.platform.name, rule, ids, parent=self)
        self.hosts = []
        for balancer in load_balancers(args.stack):
            if balancer.kind == "network" and balancer.zone_id is not None:
                self._records(balancer, balancer.zone_id, _at(args.load_balancers, balancer.gateway))
        self.register_outputs({"hosts": self.hosts})

    def _records(self, balancer: LoadBalancer, zone_id: str, names: pulumi.Output[Any]) -> None:
        for host in balancer.hosts:
            alias(host, zone_id, _at(names, "dnsName"), _at(names, "zoneId"), parent=self)
            self.hosts.append(host)


def shard(stack: Stack, platform: str) -> Outputs:
    """Partners, their edges and their names; a partner's pull request previews these and nothing of the platform.

    Raises ValueError where more partners share a gateway than it takes: the platform has no shard of it to move to.
    """
    compiled, deployed = compile_stack(stack), Deployed()
    missing = [name for name in compiled.gateways if name not in stack.platform.gateways]
    if missing:
        raise ValueError(
            f"{', '.join(missing)}: a gateway of the platform has more partners than maxPartners; "
            "declare one more gateway in the platform and name it in some of the partners' files"
        )
    cluster = stack.platform.cluster
    if isinstance(cluster, ExistingCluster):
        access = provider_of_existing(stack.platform.name, cluster)
        return {"partners": partners(stack, compiled, deployed, access)}
    reference = pulumi.StackReference(platform)
    ShardEdge(
        "edge",
        ShardEdgeArgs(stack, reference.require_output("securityGroupIds"), reference.require_output("loadBalancers")),
        opts=pulumi.ResourceOptions(providers=[aws_provider(stack)]),
    )
    access = provider(
        stack.platform.name,
        kubeconfig=reference.require_output("kubeconfig"),
        identifier=reference.require_output("clusterName"),
    )
    return {"partners": partners(stack, compiled, deployed, access)}


def _at(output: pulumi.Output[Any], key: str) -> pulumi.Output[Any]:
    """One value of a mapping that is known late; a platform that has not got it yet says so by name."""
    return output.apply(lambda found: _found(found, key))


def _found(mapping: Mapping[str, Any], key: str) -> Any:
    if key not in mapping:
        raise pulumi.RunError(f"the platform's stack exports no {key!r}: deploy the platform first")
    return mapping[key]


def platform_outputs(stack: Stack) -> dict[str, Any]:
    """What a shard reads of its platform's stack, as stand-ins: for a plan, which asks nobody."""
    return {
        "kubeconfig": "stand-in",
        "clusterName": stack.platform.name,
        "securityGroupIds": {group.name: f"sg-{group.name}" for group in groups(stack)},
        "loadBalancers": {
            each.gateway: {"dnsName": f"{each.name}.elb.invalid", "zoneId": "ZSTANDIN"}
            for each in load_balancers(stack)
        },
    }

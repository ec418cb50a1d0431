"""Both ingress planes at AWS: controller, load balancers, firewall."""

from collections.abc import Mapping, Sequence

import pulumi

from components.firewall import Firewall, FirewallArgs
from components.foundation import Foundation
from components.load_balancers import LoadBalancers, LoadBalancersArgs
from components.objects import Deployed
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease
from partner_mesh.specs.aws.load_balancers import load_balancers

Outputs = dict[str, pulumi.Input[object]]


def edge(
    stack: Stack,
    controllers: Sequence[ChartRelease],
    gateways: Mapping[str, tuple[pulumi.Resource, ...]],
    deployed: Deployed,
    base: Foundation,
    *,
    access: pulumi.ProviderResource,
) -> Outputs:
    """Load balancers of the web plane behind the firewall, of the partner plane with fixed addresses."""
    balancers = load_balancers(stack)
    made = LoadBalancers(
        "load-balancers",
        LoadBalancersArgs(
            platform=stack.platform.name,
            balancers=balancers,
            controllers=controllers,
            identity=base.identities.associations.get("load-balancer-controller"),
            vpc_id=base.network.vpc_id,
            subnet_ids=base.network.subnet_ids["public"],
            security_group_ids=base.load_balancer_groups(),
            deployed=deployed,
            gateways=gateways,
            protect=base.protect,
        ),
        opts=pulumi.ResourceOptions(providers=[base.aws, access]),
    )
    web = {each.gateway: made.arns[each.gateway] for each in balancers if each.kind == "application"}
    outputs: Outputs = {
        "loadBalancers": dict(made.dns_names),
        "partnerAddresses": dict(made.addresses),
        "certificateValidation": dict(made.validation_records),
    }
    if web:
        firewall = Firewall(
            "firewall",
            FirewallArgs(stack.platform.name, stack.platform.firewall, web, base.keys.logs_arn),
            opts=pulumi.ResourceOptions(providers=[base.aws]),
        )
        outputs["webAclArn"] = firewall.web_acl_arn
    return outputs

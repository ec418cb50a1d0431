"""Both ingress planes at AWS: controller, load balancers, firewall."""

from collections.abc import Mapping, Sequence

import pulumi

from components.access_logs import AccessLogs, AccessLogsArgs
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
    balancers, platform = load_balancers(stack), stack.platform.name
    at_aws = pulumi.ResourceOptions(providers=[base.aws])
    logs = None
    if any(each.kind == "application" for each in balancers):
        retention = stack.platform.firewall.log_retention_days
        logs = AccessLogs("access-logs", AccessLogsArgs(platform, retention, base.protect), opts=at_aws)
    made = LoadBalancers(
        "load-balancers",
        LoadBalancersArgs(
            platform=platform,
            balancers=balancers,
            controllers=controllers,
            identity=base.identities.associations.get("load-balancer-controller"),
            vpc_id=base.network.vpc_id,
            ways=base.network.ready,
            subnet_ids=base.network.subnet_ids["public"],
            security_group_ids=base.load_balancer_groups(),
            deployed=deployed,
            gateways=gateways,
            access_logs=logs,
            protect=base.protect,
        ),
        opts=pulumi.ResourceOptions(providers=[base.aws, access]),
    )
    web = {each.gateway: made.arns[each.gateway] for each in balancers if each.kind == "application"}
    outputs: Outputs = {
        "loadBalancers": dict(made.names),
        "partnerAddresses": dict(made.addresses),
        "certificateValidation": dict(made.validation_records),
    }
    if web:
        firewall = Firewall(
            "firewall",
            FirewallArgs(platform, stack.platform.firewall, web, base.keys.logs_arn),
            opts=at_aws,
        )
        outputs["webAclArn"] = firewall.web_acl_arn
    return outputs

"""The VPC: zones, tiers of subnets, ways out, flow logs and endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pulumi
import pulumi_aws as aws

from partner_mesh.config.platform import Network as NetworkConfig
from partner_mesh.specs.aws import iam
from partner_mesh.specs.aws.subnets import ENDPOINT_SERVICES, Subnet, Tier, closed, nat_of, subnet_tags, subnets

ANYWHERE: Final = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """The network's section, the cluster that will find its subnets by tags, and the key of log groups."""

    platform: str
    region: str
    network: NetworkConfig
    logs_key_arn: pulumi.Input[str]
    protect: bool


class Network(pulumi.ComponentResource):
    """A VPC with four tiers of subnets over N zones, NAT gateways with addresses that stay, flow logs and endpoints.

    `egress` subnets always have a way to the internet; `private` ones only until endpoints cover what nodes need;
    `control` ones never. Outputs: `vpc_id`, `subnet_ids` by tier, `nat_addresses` (what partners allow-list),
    `ready` (the ways in and out: a node without one does not join, a load balancer is refused).
    """

    vpc_id: pulumi.Output[str]
    subnet_ids: dict[Tier, list[pulumi.Output[str]]]
    nat_addresses: list[pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: NetworkArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:network:Network", name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            args.platform,
            cidr_block=args.network.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # interface endpoints answer under the services' own names
            tags={"Name": args.platform},
            opts=self._children,
        )
        self.vpc_id = vpc.id
        # A group that nobody chose on purpose admits nobody (CIS AWS 5.4).
        aws.ec2.DefaultSecurityGroup(f"{args.platform}-default", vpc_id=vpc.id, opts=self._children)
        self._made = self._subnets()
        self.nat_addresses, self.ready = [], []
        self._routes()
        if args.network.flow_logs:
            self._flow_logs()
        self._endpoints()
        self.subnet_ids = {
            tier: [made.id for subnet, made in self._made.items() if subnet.tier == tier]
            for tier in ("public", "private", "egress", "control")
        }
        self.register_outputs(
            {"vpcId": self.vpc_id, "subnetIds": dict(self.subnet_ids), "natAddresses": self.nat_addresses}
        )

    def _subnets(self) -> dict[Subnet, aws.ec2.Subnet]:
        zones = aws.get_availability_zones_output(
            state="available",
            # Local Zones and Wavelength must be opted into and hold neither control planes nor NAT gateways.
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            opts=pulumi.InvokeOutputOptions(parent=self),
        ).names
        return {
            subnet: aws.ec2.Subnet(
                f"{self._args.platform}-{subnet.name}",
                vpc_id=self.vpc_id,
                cidr_block=subnet.cidr,
                availability_zone=zones.apply(partial(_zone, subnet.zone)),
                map_public_ip_on_launch=False,
                tags=subnet_tags(subnet, self._args.platform),
                # The zone is chosen once: a zone that AWS opens later must not move a subnet that is there.
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["availabilityZone"]),
            )
            for subnet in subnets(self._args.network.cidr, self._args.network.zones)
        }

    def _routes(self) -> None:
        platform, network = self._args.platform, self._args.network
        gateway = aws.ec2.InternetGateway(platform, vpc_id=self.vpc_id, tags={"Name": platform}, opts=self._children)
        self._tables: dict[str, aws.ec2.RouteTable] = {}
        public = self._table("public")
        self._route("public", public, gateway_id=gateway.id)
        nats = [self._nat(index, gateway) for index in range(network.nat_gateways)]
        leaving: set[Tier] = {"egress"} if closed(network.endpoints) else {"egress", "private"}
        for subnet, made in self._made.items():
            table = public if subnet.tier == "public" else self._table(subnet.name)
            self.ready.append(
                aws.ec2.RouteTableAssociation(
                    f"{platform}-{subnet.name}", route_table_id=table.id, subnet_id=made.id, opts=self._children
                )
            )
            if subnet.tier in leaving:
                nat = nats[nat_of(subnet.zone, network.nat_gateways)]
                self._route(subnet.name, table, nat_gateway_id=nat.id)

    def _route(
        self,
        name: str,
        table: aws.ec2.RouteTable,
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> None:
        """A way to the internet: through the internet gateway, or through a NAT gateway."""
        self.ready.append(
            aws.ec2.Route(
                f"{self._args.platform}-{name}",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                gateway_id=gateway_id,
                nat_gateway_id=nat_gateway_id,
                opts=self._children,
            )
        )

    def _table(self, name: str) -> aws.ec2.RouteTable:
        named = f"{self._args.platform}-{name}"
        table = aws.ec2.RouteTable(named, vpc_id=self.vpc_id, tags={"Name": named}, opts=self._children)
        self._tables[name] = table
        return table

    def _nat(self, index: int, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
        named = f"{self._args.platform}-nat-{index}"
        # Partners have this address in their firewalls: losing it cuts us off from every one of them.
        address = aws.ec2.Eip(
            named,
            domain="vpc",
            tags={"Name": named},
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect),
        )
        self.nat_addresses.append(address.public_ip)
        public = next(made for subnet, made in self._made.items() if (subnet.tier, subnet.zone) == ("public", index))
        return aws.ec2.NatGateway(
            named,
            allocation_id=address.allocation_id,
            subnet_id=public.id,
            tags={"Name": named},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
        )

    def _flow_logs(self) -> None:
        named = iam.role_name(self._args.platform, "flow-logs")
        log_group = aws.cloudwatch.LogGroup(
            named,
            name=f"/aws/vpc/{self._args.platform}",
            retention_in_days=self._args.network.flow_log_retention_days,
            kms_key_id=self._args.logs_key_arn,
            opts=self._children,
        )
        role = aws.iam.Role(
            named,
            name=named,
            assume_role_policy=iam.document([iam.trust("vpc-flow-logs.amazonaws.com")]),
            opts=self._children,
        )
        policy = aws.iam.RolePolicy(
            named,
            role=role.name,
            policy=log_group.arn.apply(lambda arn: iam.document(iam.flow_log_statements(arn))),
            opts=self._children,
        )
        aws.ec2.FlowLog(
            named,
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=log_group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,  # seconds: the other choice is 600
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _endpoints(self) -> None:
        endpoints, platform = self._args.network.endpoints, self._args.platform
        if "s3" in endpoints:  # a gateway endpoint costs nothing: image layers come from S3
            tables = [table.id for name, table in self._tables.items() if not name.startswith("control")]
            self.ready.append(
                aws.ec2.VpcEndpoint(
                    f"{platform}-s3",
                    vpc_id=self.vpc_id,
                    vpc_endpoint_type="Gateway",
                    service_name=f"com.amazonaws.{self._args.region}.s3",
                    route_table_ids=tables,
                    opts=self._children,
                )
            )
        services = [service for endpoint in endpoints for service in ENDPOINT_SERVICES.get(endpoint, ())]
        if not services:
            return
        group = aws.ec2.SecurityGroup(
            f"{platform}-endpoints",
            name=f"{platform}-endpoints",
            description="Interface endpoints: HTTPS from inside the VPC",
            vpc_id=self.vpc_id,
            opts=self._children,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{platform}-endpoints-https",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=self._args.network.cidr,
            opts=self._children,
        )
        for service in services:
            self.ready.append(
                aws.ec2.VpcEndpoint(
                    f"{platform}-{service.replace('.', '-')}",
                    vpc_id=self.vpc_id,
                    vpc_endpoint_type="Interface",
                    service_name=f"com.amazonaws.{self._args.region}.{service}",
                    private_dns_enabled=True,
                    subnet_ids=[made.id for subnet, made in self._made.items() if subnet.tier == "private"],
                    security_group_ids=[group.id],
                    opts=self._children,
                )
            )


def _zone(index: int, names: Sequence[str]) -> str:
    """The zone at an index of the sorted names; a region with fewer says so instead of failing on an index."""
    ordered = sorted(names)
    if index >= len(ordered):
        raise ValueError(f"network.zones asks for {index + 1} zones, but the region offers {len(ordered)}")
    return ordered[index]

"""Load balancers of both ingress planes, their addresses, certificates and names, and what joins them to pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.access_logs import AccessLogs
from components.objects import Deployed, declare, release
from partner_mesh.model import ChartRelease
from partner_mesh.specs.aws.load_balancers import (
    READINESS_PATH,
    SSL_POLICY,
    LoadBalancer,
    target_group_binding,
)


@dataclass(frozen=True, slots=True)
class LoadBalancersArgs:
    """The load balancers, their subnets (`public`) and groups by gateway, and what is on the cluster."""

    platform: str
    balancers: tuple[LoadBalancer, ...]
    controllers: Sequence[ChartRelease]
    identity: pulumi.Resource | None  # the controller's role: pods that start get it, pods that run do not
    vpc_id: pulumi.Input[str]
    ways: Sequence[pulumi.Resource]  # AWS refuses a public load balancer before its VPC has a way to the internet
    subnet_ids: list[pulumi.Output[str]]
    security_group_ids: Mapping[str, pulumi.Input[str]]
    deployed: Deployed
    gateways: Mapping[str, Sequence[pulumi.Resource]]  # what brings a gateway's Service
    access_logs: AccessLogs | None  # of ALBs; an NLB that passes TCP through writes none
    protect: bool


class LoadBalancers(pulumi.ComponentResource):
    """An ALB for each web gateway, an NLB with fixed addresses for each partner gateway.

    Outputs by gateway: `arns`, `names` (what DNS records point at), `addresses` (what partners call and allow-list);
    `validation_records` (what to put into DNS where the zone is not ours).
    """

    arns: dict[str, pulumi.Output[str]]
    names: dict[str, dict[str, pulumi.Output[str]]]
    addresses: dict[str, list[pulumi.Output[str]]]
    validation_records: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: LoadBalancersArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:load_balancers:LoadBalancers", name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        self.arns, self.names, self.addresses, self.validation_records = {}, {}, {}, {}
        for controller in args.controllers:
            release(controller, args.deployed, parent=self, after=[args.identity] if args.identity is not None else [])
        for balancer in args.balancers:
            self._plane(balancer)
        self.register_outputs(
            {
                "addresses": dict(self.addresses),
                "arns": dict(self.arns),
                "names": dict(self.names),
                "validationRecords": dict(self.validation_records),
            }
        )

    def _plane(self, balancer: LoadBalancer) -> None:
        made = self._application(balancer) if balancer.kind == "application" else self._network(balancer)
        self.arns[balancer.gateway] = made.arn
        self.names[balancer.gateway] = {"dnsName": made.dns_name, "zoneId": made.zone_id}
        group = self._target_group(balancer)
        listener = self._listener(balancer, made, group)
        # The controller serves the binding, and on the way down must still be there to take the targets out.
        declare(
            balancer.gateway,
            [target_group_binding(balancer, group.arn)],
            self._args.deployed,
            parent=self,
            after=[listener, *self._args.gateways.get(balancer.gateway, ())],
        )
        self._records(balancer, made)

    def _application(self, balancer: LoadBalancer) -> aws.lb.LoadBalancer:
        logs = self._args.access_logs
        return aws.lb.LoadBalancer(
            balancer.name,
            name=balancer.name,
            load_balancer_type="application",
            internal=False,
            subnets=self._args.subnet_ids,
            security_groups=[self._args.security_group_ids[balancer.gateway]],
            drop_invalid_header_fields=True,
            # One trusted proxy before the gateway: it appends the caller's address, the gateway counts from the end.
            xff_header_processing_mode="append",
            preserve_host_header=True,
            desync_mitigation_mode="strictest",
            enable_waf_fail_open=False,
            enable_deletion_protection=self._args.protect,
            access_logs=aws.lb.LoadBalancerAccessLogsArgs(bucket=logs.bucket, enabled=True) if logs else None,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=self._args.protect,
                depends_on=[*self._args.ways, *(logs.ready if logs else ())],
            ),
        )

    def _network(self, balancer: LoadBalancer) -> aws.lb.LoadBalancer:
        addresses = [
            aws.ec2.Eip(
                f"{balancer.name}-{index}",
                domain="vpc",
                tags={"Name": f"{balancer.name}-{index}"},
                # Partners call this address and have it in their firewalls.
                opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect),
            )
            for index in range(len(self._args.subnet_ids))
        ]
        self.addresses[balancer.gateway] = [address.public_ip for address in addresses]
        if balancer.shield:
            self._shield(balancer, addresses)
        return aws.lb.LoadBalancer(
            balancer.name,
            name=balancer.name,
            load_balancer_type="network",
            internal=False,
            subnet_mappings=[
                aws.lb.LoadBalancerSubnetMappingArgs(subnet_id=subnet, allocation_id=address.allocation_id)
                for subnet, address in zip(self._args.subnet_ids, addresses, strict=True)
            ],
            # An NLB made without a group can never get one.
            security_groups=[self._args.security_group_ids[balancer.gateway]],
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=self._args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect, depends_on=list(self._args.ways)),
        )

    def _shield(self, balancer: LoadBalancer, addresses: Sequence[aws.ec2.Eip]) -> None:
        for index, address in enumerate(addresses):
            named = f"{balancer.name}-{index}"
            aws.shield.Protection(named, name=named, resource_arn=address.arn, opts=self._children)

    def _target_group(self, balancer: LoadBalancer) -> aws.lb.TargetGroup:
        network = balancer.kind == "network"
        return aws.lb.TargetGroup(
            balancer.name,
            name=balancer.name,
            vpc_id=self._args.vpc_id,
            target_type="ip",
            protocol=balancer.protocol,
            port=balancer.target_port,
            # Off by default for `ip` targets; without it a gateway sees the load balancer's address for everyone.
            preserve_client_ip="true" if network else None,
            connection_termination=True if network else None,
            deregistration_delay=30,  # seconds
            health_check={
                "protocol": "HTTP",
                "port": str(balancer.health_port),
                "path": READINESS_PATH,
                "interval": 10,
                "healthy_threshold": 2,
                "unhealthy_threshold": 2,
            },
            opts=self._children,
        )

    def _listener(
        self, balancer: LoadBalancer, made: aws.lb.LoadBalancer, group: aws.lb.TargetGroup
    ) -> aws.lb.Listener:
        forward = [aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group.arn)]
        if balancer.kind == "network":
            return aws.lb.Listener(
                balancer.name,
                load_balancer_arn=made.arn,
                port=443,
                protocol="TCP",
                default_actions=forward,
                opts=self._children,
            )
        self._redirect(balancer, made)
        certificate, after = self._certificate(balancer)
        return aws.lb.Listener(
            balancer.name,
            load_balancer_arn=made.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=SSL_POLICY,
            certificate_arn=certificate,
            default_actions=forward,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _redirect(self, balancer: LoadBalancer, made: aws.lb.LoadBalancer) -> None:
        """Whoever types the host alone arrives at port 80: sent on to HTTPS, never served."""
        redirect = aws.lb.ListenerDefaultActionRedirectArgs(protocol="HTTPS", port="443", status_code="HTTP_301")
        aws.lb.Listener(
            f"{balancer.name}-redirect",
            load_balancer_arn=made.arn,
            port=80,
            protocol="HTTP",
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="redirect", redirect=redirect)],
            opts=self._children,
        )

    def _certificate(self, balancer: LoadBalancer) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """The ALB's certificate, valid by DNS; a listener takes none that is not issued."""
        certificate = aws.acm.Certificate(
            balancer.name,
            domain_name=balancer.hosts[0],
            subject_alternative_names=list(balancer.hosts[1:]),
            validation_method="DNS",
            opts=self._children,
        )
        records = [self._validation_record(balancer, host, certificate) for host in balancer.hosts]
        validation = aws.acm.CertificateValidation(
            balancer.name,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records if record is not None] or None,
            opts=self._children,
        )
        return validation.certificate_arn, [validation]

    def _validation_record(
        self, balancer: LoadBalancer, host: str, certificate: aws.acm.Certificate
    ) -> aws.route53.Record | None:
        """The record that proves a host to be ours: made where the zone is known, else told as an output."""
        told = certificate.domain_validation_options.apply(lambda options: _proof(host, options))
        if balancer.zone_id is None:
            self.validation_records[host] = told.apply(" ".join)
            return None
        return aws.route53.Record(
            f"{balancer.name}-validate-{host}",
            zone_id=balancer.zone_id,
            name=told[0],
            type=told[1],
            records=[told[2]],
            ttl=300,
            allow_overwrite=True,  # two certificates of one host share their record
            opts=self._children,
        )

    def _records(self, balancer: LoadBalancer, made: aws.lb.LoadBalancer) -> None:
        if balancer.zone_id is not None:
            for host in balancer.hosts:
                alias(host, balancer.zone_id, made.dns_name, made.zone_id, parent=self)


def _proof(
    host: str, options: Sequence[aws.acm.outputs.CertificateDomainValidationOption] | None
) -> tuple[str, str, str]:
    """Name, type and value of the record that ACM asks for. ACM always asks; a provider that only echoes inputs, in a
    rehearsal of `up`, does not: it gets a record that proves nothing.
    """
    for one in options or ():
        if one.domain_name == host:
            return str(one.resource_record_name), str(one.resource_record_type), str(one.resource_record_value)
    return f"_not-asked-for.{host}.", "CNAME", "not-asked-for.invalid."


def alias(
    host: str,
    zone_id: str,
    dns_name: pulumi.Input[str],
    target_zone_id: pulumi.Input[str],
    *,
    parent: pulumi.Resource,
) -> None:
    """A host's record in our zone: the load balancer's own name, without a second look-up."""
    aws.route53.Record(
        host,
        zone_id=zone_id,
        name=host,
        type="A",
        aliases=[aws.route53.RecordAliasArgs(name=dns_name, zone_id=target_zone_id, evaluate_target_health=True)],
        opts=pulumi.ResourceOptions(parent=parent),
    )

"""Load balancers as data: one ALB a web gateway, one NLB a partner gateway (or shard), and what joins them to pods."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Literal

from partner_mesh.config.platform import Gateway
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs.aws.iam import target_group_prefix
from partner_mesh.specs.shards import Shard, Shards, shards
from partner_mesh.specs.stack import (
    GATEWAY_SERVICE_PORT,
    GATEWAY_STATUS_PORT,
    GATEWAY_TARGET_PORT,
    owned,
    web_gateway,
)

# TLS 1.3 and 1.2 with forward secrecy only (docs: "Security policies for your Application Load Balancer").
SSL_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
READINESS_PATH: Final = "/healthz/ready"
_LONGEST_NAME: Final = 32  # of load balancers and target groups


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """One load balancer, its one target group and their attributes.

    ALB: answers TLS for `hosts`, judged by the firewall, re-encrypts towards the gateway. NLB: passes TCP through with
    the client's address, so that the partner's TLS ends at the gateway and allow-lists see who calls.
    """

    gateway: str
    kind: Literal["application", "network"]
    name: str
    hosts: tuple[str, ...]
    source_ranges: tuple[str, ...]
    zone_id: str | None
    shield: bool
    protocol: Literal["HTTPS", "TCP"]
    target_port: int = GATEWAY_TARGET_PORT
    health_port: int = GATEWAY_STATUS_PORT

    @property
    def fixed_addresses(self) -> bool:
        """Whether its addresses are ours and stay: partners put them into their firewalls."""
        return self.kind == "network"


def load_balancers(stack: Stack) -> tuple[LoadBalancer, ...]:
    """Every load balancer, web plane first; each shard of a partner gateway has its own."""
    web = tuple(_web(stack, name, gateway) for name, gateway in stack.gateways("ingress", "web"))
    formed = shards(stack)
    hosts = _partner_hosts(stack, formed)
    return (*web, *(_partner(stack, shard, hosts[shard.name]) for shard in formed.gateways.values()))


def _web(stack: Stack, name: str, gateway: Gateway) -> LoadBalancer:
    hosts = ((gateway.host,) if gateway.host is not None else ()) + gateway.hosts
    routed = tuple(
        route.host
        for application in stack.applications.values()
        for route in application.web
        if route.host is not None and web_gateway(stack, route) == name
    )
    return LoadBalancer(
        gateway=name,
        kind="application",
        name=elb_name(stack, name),
        hosts=tuple(dict.fromkeys((*hosts, *routed))),
        source_ranges=gateway.source_ranges or ("0.0.0.0/0",),
        zone_id=gateway.zone_id,
        shield=gateway.shield,
        protocol="HTTPS",
    )


def _partner(stack: Stack, shard: Shard, hosts: tuple[str, ...]) -> LoadBalancer:
    """Its group admits everyone: 60 rules do not hold the partners' ranges, which Calico and the mesh judge."""
    gateway = stack.platform.gateways[shard.declared]
    return LoadBalancer(
        gateway=shard.name,
        kind="network",
        name=elb_name(stack, shard.name),
        hosts=hosts,
        source_ranges=gateway.source_ranges or ("0.0.0.0/0",),
        zone_id=gateway.zone_id,
        shield=gateway.shield,
        protocol="TCP",
    )


def _partner_hosts(stack: Stack, formed: Shards) -> dict[str, tuple[str, ...]]:
    """Hosts that partners call, by the gateway that serves them, in the partners' order."""
    hosts: dict[str, dict[str, None]] = {name: {} for name in formed.gateways}
    for partner in stack.partners:
        for entry in partner.inbound:
            hosts[formed.serving(stack, partner, entry).name][entry.host] = None
    return {name: tuple(found) for name, found in hosts.items()}


def elb_name(stack: Stack, gateway: str) -> str:
    """A name of at most 32 characters that begins as the controller's policy expects; a hash where it would be cut."""
    prefix = target_group_prefix(stack)
    room = _LONGEST_NAME - len(prefix)
    if len(gateway) <= room:
        return f"{prefix}{gateway}"
    digest = hashlib.sha256(gateway.encode()).hexdigest()[:6]
    return f"{prefix}{gateway[: room - 7].rstrip('-')}-{digest}"


def target_group_binding(balancer: LoadBalancer, target_group_arn: Any) -> Manifest:
    """The controller registers the gateway's pods in the target group; the ARN is a late value.

    Without `spec.networking`: rules between load balancer and gateway are ours, the controller touches no group.
    """
    return Manifest(
        "elbv2.k8s.aws/v1beta1",
        "TargetGroupBinding",
        balancer.gateway,
        gateway_namespace(balancer.gateway),
        labels=owned(gateway=balancer.gateway),
        body={
            "spec": {
                "serviceRef": {"name": balancer.gateway, "port": GATEWAY_SERVICE_PORT},
                "targetGroupARN": target_group_arn,
                "targetType": "ip",
                "ipAddressType": "ipv4",
            }
        },
    )


def target_group_bindings(stack: Stack) -> tuple[Manifest, ...]:
    """All of them with stand-in ARNs, for whoever reads objects without deploying; none on somebody else's cluster."""
    if stack.existing:
        return ()
    region = stack.region or "region"
    return tuple(
        target_group_binding(
            each, f"arn:aws:elasticloadbalancing:{region}:000000000000:targetgroup/{each.name}/stand-in"
        )
        for each in load_balancers(stack)
    )

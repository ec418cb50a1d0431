"""What a stack costs a month before any traffic: capacity that is there because the configuration says so.

Traffic (NAT, load-balancer units, transfer, log volume) depends on use and is left out, named in `LEFT_OUT`. Node
groups count at their smallest and at their largest size, so that a line is a range.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from partner_mesh.config.platform import EksCluster
from partner_mesh.config.stack import Stack
from partner_mesh.specs import prices
from partner_mesh.specs.prices import HOURS, Price

LEFT_OUT: Final = "traffic: NAT and transfer per GB, load-balancer capacity units, WAF requests, log and trace volume"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: a month's US dollars at least and at most."""

    component: str
    item: str
    least: float
    most: float
    confirmed: bool


def _line(component: str, item: str, price: Price, least: float, most: float | None = None) -> Line:
    """`least` and `most` are quantities in the price's unit a month (hours already multiplied)."""
    return Line(
        component, item, price.usd * least, price.usd * (least if most is None else most), price.confirmed is not None
    )


def monthly(stack: Stack) -> tuple[Line, ...]:
    """The bill's lines, in the order of the components.

    Raises ValueError, saying what is missing, for a region or an instance type that the price table does not know.
    """
    cluster = stack.platform.cluster
    if not isinstance(cluster, EksCluster):
        return ()
    region = stack.region or ""
    if region not in prices.regions():
        raise ValueError(f"no prices for region {region!r}: the table has {', '.join(prices.regions())}")
    service = prices.SERVICES[region]
    return (
        *_network(stack, service),
        *_cluster(cluster, region, service),
        *_load_balancers(stack, service),
        *_firewall(stack),
        *_secrets(stack),
    )


def _network(stack: Stack, service: dict[str, Price]) -> Iterator[Line]:
    network = stack.platform.network
    if network is None:
        return
    yield _line("network", f"{network.nat_gateways} NAT gateway(s)", service["nat"], network.nat_gateways * HOURS)
    yield _line("network", f"{network.nat_gateways} NAT address(es)", service["ipv4"], network.nat_gateways * HOURS)
    # S3's endpoint is a gateway endpoint and free; ECR needs two (api, dkr).
    interfaces = sum(2 if name == "ecr" else 1 for name in network.endpoints if name != "s3")
    if interfaces:
        count = interfaces * network.zones
        yield _line(
            "network",
            f"{interfaces} interface endpoint(s) in {network.zones} zones",
            service["endpoint"],
            count * HOURS,
        )


def _cluster(cluster: EksCluster, region: str, service: dict[str, Price]) -> Iterator[Line]:
    yield _line("cluster", "EKS control plane", service["eks"], HOURS)
    yield _line("cluster", "2 KMS keys (Secrets and volumes; logs)", prices.EVERYWHERE["kms"], 2)
    for name, group in cluster.node_groups.items():
        kind = group.instances[0]
        price = prices.instance(region, kind)
        if price is None:
            raise ValueError(
                f"node group {name}: no price for {kind} in {region}; add it to partner_mesh/specs/prices.py"
            )
        least, most = group.size.min, group.size.max
        yield _line("node groups", f"{name}: {least}–{most} × {kind}", price, least * HOURS, most * HOURS)
        disks = service["gp3"]
        yield _line("node groups", f"{name}: volumes", disks, least * group.disk_gib, most * group.disk_gib)


def _load_balancers(stack: Stack, service: dict[str, Price]) -> Iterator[Line]:
    zones = stack.platform.network.zones if stack.platform.network else 1
    for name, gateway in stack.platform.gateways.items():
        if gateway.exposure == "web":
            yield _line("load balancers", f"{name}: ALB", service["alb"], HOURS)
            yield _line("load balancers", f"{name}: ALB addresses", service["ipv4"], zones * HOURS)
        elif gateway.exposure == "partner":
            yield _line("load balancers", f"{name}: NLB", service["nlb"], HOURS)
            yield _line("load balancers", f"{name}: {zones} fixed addresses", service["ipv4"], zones * HOURS)
        if gateway.shield:
            yield _line("load balancers", f"{name}: Shield Advanced", prices.EVERYWHERE["shield"], 1)


def _firewall(stack: Stack) -> Iterator[Line]:
    if not stack.gateways("ingress", "web"):
        return
    firewall = stack.platform.firewall
    rules = len(firewall.managed_rules) + len(firewall.rate_rules) + 1
    rules += sum(1 for part in (firewall.blocked_countries, firewall.blocked_ranges, firewall.allowed_ranges) if part)
    yield _line("firewall", "web ACL", prices.EVERYWHERE["waf"], 1)
    yield _line("firewall", f"{rules} rules", prices.EVERYWHERE["waf-rule"], rules)


def _secrets(stack: Stack) -> Iterator[Line]:
    if stack.platform.secrets.store != "aws-secrets-manager":
        return
    names = {gateway.certificate for gateway in stack.platform.gateways.values() if gateway.certificate}
    for partner in stack.partners:
        names |= {inbound.client_certificate.ca for inbound in partner.inbound}
        names |= {inbound.certificate for inbound in partner.inbound if inbound.certificate}
        for outbound in partner.outbound:
            names |= {name for name in (outbound.tls.certificate, outbound.tls.ca) if name}
            names |= {outbound.token.secret} if outbound.token else set()
    yield _line("secrets", f"{len(names)} secrets", prices.EVERYWHERE["secret"], len(names))

"""Edge topology: what each kind of gateway can and cannot do (WAFv2 attaches to an ALB, client TLS ends at an NLB's
target), and which address block a workload behind it can judge.
"""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config.platform import Gateway
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding
from partner_mesh.model.path import PathTemplate

_TWO_WAYS: Final = "use exposure: partner (NLB, client certificates) or exposure: web (ALB with WAF)"


def gateways_fit(world: World) -> Iterator[Finding]:
    """An ingress gateway has an exposure, and an egress gateway none."""
    if world.platform is None:
        return
    for name, gateway in world.platform.gateways.items():
        place: Path = ("platform", "gateways", name, "exposure")
        if gateway.direction == "ingress" and gateway.exposure is None:
            yield Finding(place, "is missing", _TWO_WAYS)
        if gateway.direction == "egress" and gateway.exposure is not None:
            yield Finding(place, "an egress gateway is exposed to nobody", "take exposure away")


def web_gateways(world: World) -> Iterator[Finding]:
    """A web gateway has a host and a certificate, and asks for no client certificates: the ALB ends TLS."""
    for name, gateway in world.gateways("ingress", "web").items():
        place: Path = ("platform", "gateways", name)
        if gateway.host is None:
            yield Finding((*place, "host"), "is missing", "name the host of the web UI")
        if gateway.certificate is None:
            yield Finding(
                (*place, "certificate"), "is missing", "name the Secret with the gateway's server certificate"
            )
        if gateway.client_certificates:
            reason = "the ALB ends TLS, so no client certificate reaches a web gateway"
            yield Finding((*place, "clientCertificates"), reason, _TWO_WAYS)
        yield from _only_partner(place, gateway)


def partner_gateways(world: World) -> Iterator[Finding]:
    """A partner gateway has no host of its own and no firewall, and always asks for client certificates."""
    for name, gateway in world.gateways("ingress", "partner").items():
        place: Path = ("platform", "gateways", name)
        if gateway.firewall:
            yield Finding(
                (*place, "firewall"), "WAF attaches to an ALB, and this gateway stands behind an NLB", _TWO_WAYS
            )
        if gateway.client_certificates is False:
            reason = "a partner gateway admits nobody without a client certificate"
            yield Finding((*place, "clientCertificates"), reason, _TWO_WAYS)
        if gateway.host is not None or gateway.hosts:
            key = "host" if gateway.host is not None else "hosts"
            yield Finding((*place, key), "the hosts of a partner gateway are its partners'", "take it away")
        if gateway.source_ranges:
            reason = "the addresses that a partner gateway admits are its partners'"
            yield Finding((*place, "sourceRanges"), reason, "list them in each partner's inbound.sourceRanges")


def egress_gateways(world: World) -> Iterator[Finding]:
    """An egress gateway serves nobody from outside: nothing of an ingress gateway applies to it."""
    for name, gateway in world.gateways("egress").items():
        place: Path = ("platform", "gateways", name)
        given = {
            "host": gateway.host,
            "hosts": gateway.hosts,
            "certificate": gateway.certificate,
            "clientCertificates": gateway.client_certificates,
            "firewall": gateway.firewall,
            "sourceRanges": gateway.source_ranges,
            "loadBalancerRanges": gateway.load_balancer_ranges,
            "zoneId": gateway.zone_id,
            "shield": gateway.shield,
        }
        for key, value in given.items():
            if value:
                yield Finding((*place, key), f"{key} is about ingress, and {name} is an egress gateway", "take it away")
        yield from _only_partner(place, gateway)


def load_balancers(world: World) -> Iterator[Finding]:
    """Who may stand in front of a gateway: our own load balancer, or, in somebody else's network, named addresses.

    Whoever passes by the load balancer passes by its firewall, and may claim any client's address.
    """
    platform = world.platform
    if platform is None:
        return
    for name, gateway in world.gateways("ingress").items():
        place: Path = ("platform", "gateways", name, "loadBalancerRanges")
        if platform.network is not None and gateway.load_balancer_ranges:
            yield Finding(place, "the load balancer stands in the network's public subnets", "take it away")
        open_web = platform.environment == "prod" and gateway.exposure == "web"
        if platform.network is None and not gateway.load_balancer_ranges and open_web:
            reason = "is missing: any private address could pass by the load balancer and its firewall"
            yield Finding(place, reason, "list the load balancer's subnets")


def gateway_api(world: World) -> Iterator[Finding]:
    """What the Gateway API cannot say is said in Istio's: partners, shares of versions, retries, path templates."""
    if world.platform is None:
        return
    for name, gateway in world.platform.gateways.items():
        if gateway.api == "gateway-api" and gateway.exposure != "web":
            reason = "partners need exact names of client certificates and capture, which the Gateway API has not"
            yield Finding(("platform", "gateways", name, "api"), reason, "leave api away")
    web = world.gateways("ingress", "web")
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            declared = web.get(route.gateway or next(iter(web), ""))
            if declared is None or declared.api != "gateway-api":
                continue
            place: Path = ("applications", name, "web", number)
            templates = [path for path in (route.path, route.rewrite) if path and PathTemplate(path).wildcards]
            given = {
                "rewrite": route.rewrite is not None and bool(templates),
                "retries": route.retries is not None,
                "versions": bool(application.versions),
            }
            for key in (key for key, wrong in given.items() if wrong):
                at: Path = ("applications", name, key) if key == "versions" else (*place, key)
                yield Finding(at, f"an HTTPRoute cannot say {key} as they are meant here", "use api: istio")


def _only_partner(place: Path, gateway: Gateway) -> Iterator[Finding]:
    if gateway.enforce_at == "edge":
        yield Finding((*place, "enforceAt"), "only partner gateways can authorise at the edge", "take it away")
    if gateway.max_partners is not None:
        yield Finding((*place, "maxPartners"), "only partner gateways form shards", "take it away")


def block_kinds(world: World) -> Iterator[Finding]:
    """Policies by hand judge addresses by the kind of block that reaches the workload.

    Behind a partner gateway (NLB, client addresses preserved) the sidecar sees the gateway as `ipBlocks` and the client
    as `remoteIpBlocks`. Behind a web gateway there is one more hop, and the gateway itself judges.
    """
    routed = {route.application for _, _, entry in world.inbound() for route in entry.routes}
    for name, application in world.applications.items():
        web = bool(application.web)
        if not web and name not in routed:
            continue
        for number, policy in enumerate(application.policies):
            for index, rule in enumerate(policy.rules):
                for part, source in enumerate(rule.source):
                    place: Path = ("applications", name, "policies", number, "rules", index, "from", part)
                    if source.ip_blocks or source.not_ip_blocks:
                        key = "ipBlocks" if source.ip_blocks else "notIpBlocks"
                        reason = "the sidecar sees a gateway's address here, never the client's"
                        remedy = "list the blocks in the web gateway's sourceRanges" if web else "use remoteIpBlocks"
                        yield Finding((*place, key), reason, remedy)
                    if web and (source.remote_ip_blocks or source.not_remote_ip_blocks):
                        key = "remoteIpBlocks" if source.remote_ip_blocks else "notRemoteIpBlocks"
                        reason = "behind the ALB there is one hop more than a sidecar trusts"
                        yield Finding((*place, key), reason, "list the blocks in the web gateway's sourceRanges")


RULES: Final = {
    "exposure": gateways_fit,
    "web-gateway": web_gateways,
    "partner-gateway": partner_gateways,
    "egress-gateway": egress_gateways,
    "block-kind": block_kinds,
    "load-balancer-range": load_balancers,
    "gateway-api": gateway_api,
}

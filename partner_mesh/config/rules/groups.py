"""Security groups: rules with one peer, and no more of them than a group holds.

The edges counted here are those that `specs/security_group.py` makes rules of: one in at the callee's group, one out at
the caller's, for each pair of groups and port.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from partner_mesh.config.rules.hosts import everybody
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.support import GROUPS_PER_INTERFACE, RULES_PER_GROUP
from partner_mesh.config.translation import Finding

# RFC 1918, RFC 6598 (shared), RFC 4193 (unique local), link-local: what Calico's deny-internet leaves open as well.
_PRIVATE: Final = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("169.254.0.0/16"),
)
_PRIVATE_6: Final = IPv6Network("fc00::/7")
_OWN_GROUPS: Final = 2  # an application's own group, and the one of all pods for DNS, istiod and probes
_OF_A_GATEWAY: Final = 2  # its load balancer's requests and health checks
_OF_ALL_PODS: Final = 3  # ports of the sidecar that nodes probe and scrape, beside every port of an application

Edge = tuple[Path, Path, object]  # the caller's and the callee's place in the configuration, and the port


def group_peers(world: World) -> Iterator[Finding]:
    """A rule of a security group names one peer: a block (`to` outward, `from` inward) or a group."""
    for name, application in world.applications.items():
        group = application.security_group
        if group is None:
            continue
        for side, rules, peer, wrong in (
            ("egress", group.egress, "to", "from"),
            ("ingress", group.ingress, "from", "to"),
        ):
            for number, rule in enumerate(rules):
                given = {"to": rule.to, "from": rule.source, "group": rule.group}
                if given[wrong] is not None or (given[peer] is None) == (given["group"] is None):
                    place: Path = ("applications", name, "securityGroup", side, number)
                    reason = f"an {side} rule has exactly one peer: {peer} (a block) or group (a group's id)"
                    yield Finding(place, reason, f"write {peer}: 10.0.0.0/16 or group: sg-…")


def group_rules(world: World) -> Iterator[Finding]:
    """A security group's rules fit its quota: own ones, those of callers, routes and partners, and a gateway's."""
    count: dict[tuple[Path, str], int] = {}
    for source, destination, _ in dict.fromkeys(_edges(world)):
        for end in ((source, "egress"), (destination, "ingress")):
            count[end] = count.get(end, 0) + 1
    for name, application in world.applications.items():
        place: Path = ("applications", name)
        group = application.security_group
        for side, own in (("ingress", group.ingress if group else ()), ("egress", group.egress if group else ())):
            brought = count.pop((place, side), 0)
            if len(own) + brought > RULES_PER_GROUP:
                reason = _too_many(f"{len(own)} own rules and {brought} of callers, routes and partners")
                yield Finding((*place, "securityGroup", side), reason, "merge blocks, or name a group as the peer")
        if group is not None and len(group.group_ids) + _OWN_GROUPS > GROUPS_PER_INTERFACE:
            reason = f"an interface takes {GROUPS_PER_INTERFACE} groups, and {_OWN_GROUPS} are given"
            remedy = f"name {GROUPS_PER_INTERFACE - _OWN_GROUPS} at most"
            yield Finding((*place, "securityGroup", "groupIds"), reason, remedy)
    for (place, side), brought in count.items():
        if place[0] == "platform" and brought + _OF_A_GATEWAY > RULES_PER_GROUP:
            reason = _too_many(f"{brought} rules {side} of partners and applications and {_OF_A_GATEWAY} of its own")
            yield Finding(place, reason, "add a gateway of its kind, and name it in some of the entries")


def group_sources(world: World) -> Iterator[Finding]:
    """A load balancer's sources fit its security group (each once for HTTPS, once for the redirect from HTTP)."""
    for name, gateway in world.gateways("ingress", "web").items():
        if 2 * len(gateway.source_ranges) > RULES_PER_GROUP:
            reason = _too_many(f"{len(gateway.source_ranges)} blocks on two ports")
            yield Finding(("platform", "gateways", name, "sourceRanges"), reason, "merge blocks")


def public_blocks(world: World) -> Iterator[Finding]:
    """Applications reach no public address by themselves: the internet begins behind an egress gateway."""
    for name, application in world.applications.items():
        rules = application.security_group.egress if application.security_group is not None else ()
        for number, rule in enumerate(rules):
            if rule.to is None or everybody(rule.to):  # which is another rule's business
                continue
            if not _private(rule.to):
                place: Path = ("applications", name, "securityGroup", "egress", number, "to")
                reason = f"{rule.to} holds public addresses, and to them only egress gateways lead"
                yield Finding(place, reason, "call it as a partner (outbound), or name a private block")


def probed_ports(world: World) -> Iterator[Finding]:
    """Nodes probe every port of every application: the different ones fit the group that all pods share."""
    ports = {port.target for application in world.applications.values() for port in application.ports.values()}
    if len(ports) + _OF_ALL_PODS > RULES_PER_GROUP:
        reason = _too_many(f"{len(ports)} different ports of pods and {_OF_ALL_PODS} of the sidecar")
        yield Finding(("applications",), reason, "let applications listen on the same ports")


def _private(cidr: str) -> bool:
    block = ip_network(cidr)
    if isinstance(block, IPv6Network):
        return block.subnet_of(_PRIVATE_6)
    return any(block.subnet_of(own) for own in _PRIVATE)


def _too_many(what: str) -> str:
    return f"{what} are more than the {RULES_PER_GROUP} rules of a security group"


def _edges(world: World) -> Iterator[Edge]:
    for name, application in world.applications.items():
        own: Path = ("applications", name)
        for caller in application.callers:
            for port in caller.ports or application.ports:
                yield ("applications", caller.application), own, port
        for route in application.web:
            yield _gateway(world, route.gateway, "ingress", "web"), own, route.port
    for _, _, entry in world.inbound():
        for target in entry.routes:
            gateway = _gateway(world, entry.gateway, "ingress", "partner")
            yield gateway, ("applications", target.application), target.port
    for _, _, call in world.outbound():
        for name in call.callers:
            yield ("applications", name), _gateway(world, call.gateway, "egress", None), call.protocol == "tcp"


def _gateway(world: World, name: str | None, direction: str, exposure: str | None) -> Path:
    return "platform", "gateways", name or next(iter(world.gateways(direction, exposure)), "")


RULES: Final = {
    "group-peer": group_peers,
    "group-quota": group_rules,
    "group-source": group_sources,
    "public-block": public_blocks,
    "probed-port": probed_ports,
}

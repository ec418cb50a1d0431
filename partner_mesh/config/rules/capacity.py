"""What fits: pods on nodes, certificates on load balancers, rules in the web ACL, subnets in the VPC."""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Final

from partner_mesh.config.branch_interfaces import BRANCH_INTERFACES
from partner_mesh.config.platform import EksCluster, Gateway, NodeGroup
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.support import (
    CERTIFICATES_PER_ALB,
    GEOGRAPHIC_CAPACITY,
    IP_SET_CAPACITY,
    MANAGED_RULES_CAPACITY,
    PATH_PREFIX_CAPACITY,
    RATE_CAPACITY,
    WEB_ACL_CAPACITY,
)
from partner_mesh.config.translation import Finding

_GRAVITON: Final = re.compile(r"[a-z]+\d+g[a-z]*|a1")
_WIDEST_VPC, _NARROWEST_VPC = 16, 22  # eight zone slots with four tiers each, of which none is narrower than /28


def _eks(world: World) -> EksCluster | None:
    platform = world.platform
    return platform.cluster if platform is not None and isinstance(platform.cluster, EksCluster) else None


def sizes(world: World) -> Iterator[Finding]:
    """Least, start and most stand in that order: nodes of a group and replicas of a gateway."""
    if world.platform is None:
        return
    for name, group in world.platform.cluster.node_groups.items():
        place: Path = ("platform", "cluster", "nodeGroups", name, "size")
        size = group.size
        if size.min > size.max:
            yield Finding((*place, "min"), f"{size.min} is more than max ({size.max})", "make min ≤ max")
        elif size.desired is not None and not size.min <= size.desired <= size.max:
            reason = f"{size.desired} is not between min ({size.min}) and max ({size.max})"
            yield Finding((*place, "desired"), reason, "make min ≤ desired ≤ max, or leave it away")
    for name, gateway in world.platform.gateways.items():
        replicas = gateway.replicas
        if replicas.min > replicas.max:
            reason = f"{replicas.min} is more than max ({replicas.max})"
            yield Finding(("platform", "gateways", name, "replicas", "min"), reason, "make min ≤ max")


def instances(world: World) -> Iterator[Finding]:
    """Instance types have trunk interfaces (no t family), and the image is of their architecture."""
    cluster = _eks(world)
    for name, group in cluster.node_groups.items() if cluster is not None else ():
        for number, instance in enumerate(group.instances):
            place: Path = ("platform", "cluster", "nodeGroups", name, "instances", number)
            if instance not in BRANCH_INTERFACES:
                burstable = re.match(r"t\d", instance) is not None
                reason = (
                    "has no trunk interface, so no pod with a security group fits on it"
                    if burstable
                    else ("is not a type known to carry pods with security groups")
                )
                near = difflib.get_close_matches(instance, list(BRANCH_INTERFACES), 1, 0.7)
                remedy = f"did you mean {near[0]}?" if near and not burstable else "use a Nitro type as m6i.large"
                yield Finding(place, f"{instance[:40]} {reason}", remedy)
            elif bool(_GRAVITON.fullmatch(instance.partition(".")[0])) != group.ami.endswith("-arm64"):
                wanted = f"{group.ami.removesuffix('-arm64')}{'' if group.ami.endswith('-arm64') else '-arm64'}"
                reason = f"{instance} does not run the image {group.ami}: their architectures differ"
                yield Finding(place, reason, f"use ami: {wanted}, or another type")


def pods_fit(world: World) -> Iterator[Finding]:
    """Pods with security groups fit the branch interfaces of their node groups at their largest.

    Applications that name no group share all groups that are dedicated to nobody.
    """
    cluster = _eks(world)
    if cluster is None or world.platform is None:
        return
    shared = tuple(name for name, group in cluster.node_groups.items() if group.dedicated is None)
    wanted: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for name, application in world.applications.items():
        home = (application.node_group,) if application.node_group is not None else shared
        wanted.setdefault(home, []).append((name, application.replicas))
    for name, gateway in world.platform.gateways.items():
        own = gateway_home(name, gateway, cluster.node_groups)
        if own is not None:
            wanted.setdefault((own,), []).append((f"gateway {name}", gateway.replicas.max))
    for groups, pods in wanted.items():
        declared = [cluster.node_groups.get(group) for group in groups]
        rooms = [_room(group) for group in declared if group is not None]
        if not rooms or len(rooms) < len(groups) or 0 in rooms:
            continue  # an unknown group or type, which other rules name
        total = sum(count for _, count in pods)
        if total > sum(rooms):
            reason = (
                f"{total} pods with security groups ({', '.join(f'{name} {count}' for name, count in pods)}) do not "
                f"fit: at their largest the nodes have {sum(rooms)} branch interfaces"
            )
            place: Path = ("platform", "cluster", "nodeGroups", groups[0], "size", "max")
            yield Finding(place, reason, "allow more nodes, or use larger instances")


def _room(group: NodeGroup) -> int:
    """Branch interfaces of a group at its largest. The scheduler may get any of its types: the smallest decides."""
    return min(BRANCH_INTERFACES.get(instance, 0) for instance in group.instances) * group.size.max


def gateway_home(name: str, gateway: Gateway, groups: Mapping[str, NodeGroup]) -> str | None:
    """The node group of a gateway: the one it names, else the one dedicated to its name or its kind."""
    if gateway.node_group is not None:
        return gateway.node_group
    kind = {"web": "web", "partner": "partners", None: "egress"}[gateway.exposure]
    return next((group for wanted in (name, kind) for group, g in groups.items() if g.dedicated == wanted), None)


def nodes_apart(world: World) -> Iterator[Finding]:
    """Gateways and applications never share nodes: there, pods with different groups could not be told apart."""
    cluster = _eks(world)
    if cluster is None or world.platform is None:
        return
    homes: dict[str, str] = {}
    for name, gateway in world.platform.gateways.items():
        home = gateway_home(name, gateway, cluster.node_groups)
        place: Path = ("platform", "gateways", name, "nodeGroup")
        if home is None:
            yield Finding(place, "no node group is dedicated to it", f"add a node group with dedicated: {name}")
        elif home in cluster.node_groups and cluster.node_groups[home].dedicated is None:
            yield Finding(place, f"the nodes of {home} take any pod", f"set dedicated: {name} on that node group")
        else:
            homes.setdefault(home, name)
    for name, application in world.applications.items():
        group = application.node_group
        place = ("applications", name, "nodeGroup")
        if group is not None and group in homes:
            reason = f"{group} holds the gateway {homes[group]}, and the two never share nodes"
            yield Finding(place, reason, "use a node group without gateways")


def certificates(world: World) -> Iterator[Finding]:
    """The hosts of a web gateway fit the certificates of an ALB."""
    for name, gateway in world.gateways("ingress", "web").items():
        if len(gateway.hosts) > CERTIFICATES_PER_ALB:
            reason = (
                f"{len(gateway.hosts)} further hosts are more than the {CERTIFICATES_PER_ALB} certificates of an ALB"
            )
            yield Finding(("platform", "gateways", name, "hosts"), reason, "add a second web gateway")


def firewall(world: World) -> Iterator[Finding]:
    """The web ACL fits its capacity; its lists name things once, and what only counts is in use."""
    if world.platform is None:
        return
    acl = world.platform.firewall
    place: Path = ("platform", "firewall")
    for number, group in enumerate(acl.managed_rules):
        if group in acl.managed_rules[:number]:
            yield Finding((*place, "managedRules", number), f"{group} stands here twice", "name it once")
    for number, name in enumerate(acl.count_only):
        if name not in acl.managed_rules:
            yield Finding((*place, "countOnly", number), f"{name[:40]} is not among managedRules", "name one that is")
    seen: set[str] = set()
    for number, rule in enumerate(acl.rate_rules):
        if rule.name in seen:
            yield Finding((*place, "rateRules", number, "name"), f"{rule.name} stands here twice", "rename one of them")
        seen.add(rule.name)
    for number, block in enumerate(acl.blocked_ranges):
        if block in acl.allowed_ranges:
            yield Finding((*place, "blockedRanges", number), f"{block} is in allowedRanges too", "keep one of the two")
    units = sum(MANAGED_RULES_CAPACITY[group] for group in dict.fromkeys(acl.managed_rules)) + RATE_CAPACITY
    units += sum(RATE_CAPACITY + (PATH_PREFIX_CAPACITY if rule.path_prefix != "/" else 0) for rule in acl.rate_rules)
    units += IP_SET_CAPACITY * (bool(acl.blocked_ranges) + bool(acl.allowed_ranges))
    units += GEOGRAPHIC_CAPACITY * bool(acl.blocked_countries)
    if units > WEB_ACL_CAPACITY:
        reason = f"the rules take {units} of a web ACL's {WEB_ACL_CAPACITY} capacity units"
        yield Finding((*place, "rateRules"), reason, "use fewer rules")


def network(world: World) -> Iterator[Finding]:
    """A cluster that we create has a region and a VPC with room for its subnets and no more NAT gateways than zones."""
    if _eks(world) is None or world.platform is None:
        return
    if world.region is None:
        yield Finding(("region",), "is missing", "set aws:region, which cluster.kind: eks needs")
    vpc = world.platform.network
    if vpc is None:
        yield Finding(("platform", "network"), "is missing", "add cidr, zones and natGateways, which kind: eks needs")
        return
    block = ipaddress.ip_network(vpc.cidr)
    if block.version != 4 or not _WIDEST_VPC <= block.prefixlen <= _NARROWEST_VPC:
        reason = f"{vpc.cidr} does not hold the subnets of a VPC"
        remedy = f"use an IPv4 block between /{_WIDEST_VPC} and /{_NARROWEST_VPC}"
        yield Finding(("platform", "network", "cidr"), reason, remedy)
    if vpc.nat_gateways > vpc.zones:
        reason = f"{vpc.nat_gateways} NAT gateways are more than the {vpc.zones} zones"
        yield Finding(("platform", "network", "natGateways"), reason, "use one, or one a zone")


def tracing(world: World) -> Iterator[Finding]:
    """Spans for otlp and zipkin go to an endpoint that is named."""
    if world.platform is None:
        return
    spans = world.platform.observability.tracing
    if spans.backend in ("otlp", "zipkin") and spans.endpoint is None:
        place: Path = ("platform", "observability", "tracing", "endpoint")
        yield Finding(place, "is missing", f"name the host:port of the {spans.backend} collector")


RULES: Final = {
    "size-order": sizes,
    "instance-type": instances,
    "branch-interfaces": pods_fit,
    "shared-nodes": nodes_apart,
    "load-balancer-certificates": certificates,
    "firewall": firewall,
    "network": network,
    "tracing": tracing,
}

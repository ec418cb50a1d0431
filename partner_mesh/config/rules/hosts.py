"""Hosts, aliases and address blocks: one owner each, and never everybody by accident."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding

# Wider than any block that one company sends from: /8 is what the first legacy holders had, /19 is the widest that
# registries give out in IPv6 (RIPE-738, "initial allocation").
WIDEST_V4: Final = 8
WIDEST_V6: Final = 19


def one_owner(world: World) -> Iterator[Finding]:
    """A host of ours belongs to one gateway or one inbound entry: istiod silently skips the second server of a host."""
    owners = _gateway_hosts(world)
    for path, partner, entry in world.inbound():
        if entry.host in owners:
            reason = f"{entry.host} already belongs to {owners[entry.host]}"
            yield Finding((*path, "host"), reason, "give each entry a host of its own")
        owners.setdefault(entry.host, f"partner {partner.name}")


def one_gateway(world: World) -> Iterator[Finding]:
    """A web host belongs to one gateway, and is named there once."""
    seen: dict[str, str] = {}
    for name, gateway in world.gateways("ingress", "web").items():
        hosts: list[tuple[Path, str | None]] = [(("host",), gateway.host)]
        hosts += [(("hosts", number), host) for number, host in enumerate(gateway.hosts)]
        for part, host in hosts:
            if host is not None and host in seen:
                place: Path = ("platform", "gateways", name, *part)
                yield Finding(place, f"{host} already belongs to gateway {seen[host]}", "name a host once")
            if host is not None:
                seen.setdefault(host, name)


def one_callee(world: World) -> Iterator[Finding]:
    """A host outside is described by one outbound entry: two would be two ServiceEntries of one host."""
    owners: dict[str, str] = {}
    for path, partner, entry in world.outbound():
        if entry.host in owners:
            reason = f"{entry.host} is already an outbound host of partner {owners[entry.host]}"
            yield Finding((*path, "host"), reason, "put callers and paths of one host into one entry")
        owners.setdefault(entry.host, partner.name)


def not_ourselves(world: World) -> Iterator[Finding]:
    """A host is ours or theirs; both only where one partner's loopback test (`hairpin`) wants it so."""
    ours = _gateway_hosts(world)
    looped: dict[str, str] = {}
    for _, partner, inbound in world.inbound():
        ours.setdefault(inbound.host, f"partner {partner.name}'s inbound entry")
        if partner.hairpin:
            looped[inbound.host] = partner.name
    for path, partner, entry in world.outbound():
        if entry.host in ours and looped.get(entry.host) != partner.name:
            reason = f"{entry.host} is a host of ours ({ours[entry.host]})"
            yield Finding((*path, "host"), reason, "name the partner's host; inside the mesh use callers")
        if entry.alias is not None and (entry.alias.host in ours):
            reason = f"{entry.alias.host} is a host of ours ({ours[entry.alias.host]})"
            yield Finding((*path, "alias", "host"), reason, "use an internal name that nobody else serves")


def one_alias(world: World) -> Iterator[Finding]:
    """A prefix at an internal alias (host and port) leads to one outbound entry. An alias' host is no partner's."""
    owners: dict[tuple[str, int, str], str] = {}
    outside = {entry.host: partner.name for _, partner, entry in world.outbound()}
    for path, partner, entry in world.outbound():
        if entry.alias is None:
            continue
        alias = (entry.alias.host, entry.alias.port, entry.alias.prefix)
        if alias in owners:
            reason = f"{alias[2]} at {alias[0]}:{alias[1]} already leads to partner {owners[alias]}"
            yield Finding((*path, "alias", "prefix"), reason, "give each entry a prefix of its own")
        owners.setdefault(alias, partner.name)
        if entry.alias.host in outside:
            reason = f"{entry.alias.host} is a host of partner {outside[entry.alias.host]}"
            yield Finding((*path, "alias", "host"), reason, "use an internal name, as partners.internal")


def allow_lists(world: World) -> Iterator[Finding]:
    """An inbound entry lists the partner's addresses, or says `anySource: true`; never both, never everybody.

    No block is wider than /8, in IPv6 /19: nobody sends from more.
    """
    for path, _, entry in world.inbound():
        if entry.any_source and entry.source_ranges:
            yield Finding((*path, "anySource"), "sourceRanges and anySource: true contradict", "keep one of the two")
        if not entry.any_source and not entry.source_ranges:
            yield Finding(
                (*path, "sourceRanges"),
                "is missing: empty never means all",
                "list the partner's address blocks, or say anySource: true",
            )
        for number, block in enumerate(entry.source_ranges):
            if everybody(block):
                yield Finding(
                    (*path, "sourceRanges", number),
                    f"{block} is wider than any one company's addresses",
                    f"list the partner's own blocks (IPv4 /{WIDEST_V4} or narrower), or say anySource: true",
                )


def named_blocks(world: World) -> Iterator[Finding]:
    """The Kubernetes API and security groups open to named addresses only: the internet is the egress gateway's."""
    if world.platform is not None and world.platform.cluster.kind == "eks":
        endpoint = world.platform.cluster.endpoint
        place: Path = ("platform", "cluster", "endpoint")
        for number, block in enumerate(endpoint.allowed_cidrs):
            if everybody(block):
                reason = f"{block} opens the Kubernetes API to everybody"
                yield Finding((*place, "allowedCidrs", number), reason, "list the blocks of your offices and runners")
        if not endpoint.private and not endpoint.allowed_cidrs:
            yield Finding(place, "nobody could reach the Kubernetes API", "set private: true or list allowedCidrs")
    for name, application in world.applications.items():
        group = application.security_group
        if group is None:
            continue
        for side, rules in (("egress", group.egress), ("ingress", group.ingress)):
            for number, rule in enumerate(rules):
                place = ("applications", name, "securityGroup", side, number)
                peer = rule.to or rule.source
                if peer is not None and everybody(peer):
                    remedy = "name the peer's block; hosts outside are a partner's outbound entries"
                    yield Finding((*place, "to" if rule.to else "from"), f"{peer} is everybody", remedy)


def _gateway_hosts(world: World) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, gateway in world.gateways("ingress", "web").items():
        for host in (gateway.host, *gateway.hosts):
            if host is not None:
                owners.setdefault(host, f"gateway {name}")
    for name, application in world.applications.items():
        for route in application.web:
            if route.host is not None:
                owners.setdefault(route.host, f"the web routes of {name}")
    return owners


def everybody(block: str) -> bool:
    """Whether a block is wider than anybody's own."""
    network = ipaddress.ip_network(block)
    return network.prefixlen < (WIDEST_V4 if network.version == 4 else WIDEST_V6)


RULES: Final = {
    "host-owner": one_owner,
    "web-host-owner": one_gateway,
    "outbound-host-owner": one_callee,
    "own-host": not_ourselves,
    "alias-owner": one_alias,
    "allow-list": allow_lists,
    "open-block": named_blocks,
}

"""References resolve: applications, ports, versions, node groups, gateways, certificates."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from partner_mesh.config.application import Application
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding


def _near(name: str, options: Iterable[str]) -> str:
    """A remedy for a name that resolves to nothing."""
    known = list(options)
    near = difflib.get_close_matches(name, known[:2000], 1, 0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"name one of {', '.join(known[:12])}{', …' if len(known) > 12 else ''}" if known else "declare it first"


def callers_exist(world: World) -> Iterator[Finding]:
    """Callers are applications, each once, never the application itself; the ports they may call are declared."""
    for name, application in world.applications.items():
        seen: set[str] = set()
        for number, caller in enumerate(application.callers):
            place: Path = ("applications", name, "callers", number)
            if caller.application == name:
                yield Finding(place, f"{name} calls itself", "leave it away: a pod's calls to itself stay in the pod")
            elif not world.knows(caller.application):
                yield Finding(
                    place,
                    f"there is no application {caller.application}",
                    _near(caller.application, world.applications),
                )
            elif caller.application in seen:
                yield Finding(
                    place, f"{caller.application} stands here twice", "put its ports and paths into one entry"
                )
            seen.add(caller.application)
            for index, port in enumerate(caller.ports):
                if port not in application.ports:
                    yield Finding(
                        (*place, "ports", index), f"{name} has no port {port}", _near(port, application.ports)
                    )


def routes_lead_somewhere(world: World) -> Iterator[Finding]:
    """A partner's route leads to an application's port that is declared, and to a version that is."""
    for path, _, entry in world.inbound():
        for number, route in enumerate(entry.routes):
            place = (*path, "routes", number)
            if not world.knows(route.application):
                remedy = _near(route.application, world.applications)
                yield Finding((*place, "to"), f"there is no application {route.application}", remedy)
                continue
            application = world.applications.get(route.application)
            if application is None:
                continue
            if route.port not in application.ports:
                reason = f"{route.application} has no port {route.port}"
                yield Finding((*place, "to"), reason, _near(route.port, application.ports))
            elif (entry.protocol == "tcp") != (application.ports[route.port].protocol == "tcp"):
                theirs = application.ports[route.port].protocol
                reason = f"the entry's protocol is {entry.protocol} and the port's is {theirs}"
                yield Finding((*place, "to"), reason, "lead tcp to a tcp port, and requests to a port that speaks HTTP")
            if route.version is not None and route.version not in application.versions:
                reason = f"{route.application} has no version {route.version}"
                yield Finding((*place, "version"), reason, _near(route.version, application.versions))


def outbound_callers_exist(world: World) -> Iterator[Finding]:
    """Those who may call a partner (`from`) are applications, each once."""
    for path, _, entry in world.outbound():
        for number, caller in enumerate(entry.callers):
            if not world.knows(caller):
                remedy = _near(caller, world.applications)
                yield Finding((*path, "from", number), f"there is no application {caller}", remedy)
            elif caller in entry.callers[:number]:
                yield Finding((*path, "from", number), f"{caller} stands here twice", "name it once")


def versions_exist(world: World) -> Iterator[Finding]:
    """Mirrors and own routes name versions that the application declares; a copy goes to another version."""
    for name, application in world.applications.items():
        named: list[tuple[Path, str | None]] = [
            (("mirror", "to"), application.mirror.to if application.mirror else None)
        ]
        named += [(("routes", number, "version"), route.version) for number, route in enumerate(application.routes)]
        for part, version in named:
            if version is not None and version not in application.versions:
                place: Path = ("applications", name, *part)
                yield Finding(place, f"{name} has no version {version}", _near(version, application.versions))


def node_groups_exist(world: World) -> Iterator[Finding]:
    """Node groups that applications and gateways name are declared."""
    if world.platform is None:
        return
    groups = world.platform.cluster.node_groups
    named: list[tuple[Path, str | None]] = [
        (("applications", name, "nodeGroup"), application.node_group)
        for name, application in world.applications.items()
    ]
    named += [
        (("platform", "gateways", name, "nodeGroup"), g.node_group) for name, g in world.platform.gateways.items()
    ]
    for place, group in named:
        if group is not None and group not in groups:
            yield Finding(place, f"there is no node group {group}", _near(group, groups))


def gateways_exist(world: World) -> Iterator[Finding]:
    """Entries and web routes are served by a gateway of their kind: the one they name, or the only one."""
    if world.platform is None:
        return
    for path, _, inbound in world.inbound():
        yield from _gateway(world, (*path, "gateway"), inbound.gateway, "ingress", "partner")
    for path, _, outbound in world.outbound():
        yield from _gateway(world, (*path, "gateway"), outbound.gateway, "egress", None)
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            place = ("applications", name, "web", number, "gateway")
            yield from _gateway(world, place, route.gateway, "ingress", "web")


def _gateway(world: World, place: Path, name: str | None, direction: str, exposure: str | None) -> Iterator[Finding]:
    suitable = world.gateways(direction, exposure)
    what = f"{exposure} gateway" if exposure else "egress gateway"
    declared = world.platform.gateways if world.platform is not None else {}
    if name is None and len(suitable) != 1:
        reason = f"there is no {what}" if not suitable else f"there are {len(suitable)} {what}s, and none is named"
        yield Finding(place, reason, f"name one of {', '.join(suitable)}" if suitable else f"declare a {what}")
    elif name is not None and name not in declared:
        yield Finding(place, f"there is no gateway {name}", _near(name, suitable))
    elif name is not None and name not in suitable:
        reason = f"{name} is no {what}"
        if exposure is not None:
            reason += ": client certificates need a partner exposure, and web UIs the firewall of a web exposure"
        yield Finding(place, reason, _near(name, suitable))


def ports_exist(world: World) -> Iterator[Finding]:
    """Web routes lead to an HTTP port: the one named, the only one, or `http`. Exceptions name ports of pods."""
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            place: Path = ("applications", name, "web", number, "port")
            port = route.port or _default_port(application)
            if port is None:
                reason = f"{name} has several ports, and none is called http"
                yield Finding(place, reason, f"name one of {', '.join(application.ports)}")
            elif port not in application.ports:
                yield Finding(place, f"{name} has no port {port}", _near(port, application.ports))
            elif application.ports[port].protocol == "tcp":
                yield Finding(place, f"the port {port} does not speak HTTP", "lead a web route to an HTTP port")
        if application.mutual_tls is not None:
            targets = {port.target for port in application.ports.values()}
            for target in application.mutual_tls.ports:
                if target not in targets:
                    place = ("applications", name, "mutualTls", "ports", str(target))
                    remedy = f"name a pod's port: {', '.join(map(str, sorted(targets)))}"
                    yield Finding(place, f"{name}'s pods have no port {target}", remedy)


def _default_port(application: Application) -> str | None:
    if len(application.ports) == 1:
        return next(iter(application.ports))
    return "http" if "http" in application.ports else None


def facts_are_used(world: World) -> Iterator[Finding]:
    """A fact about a certificate is about one that the partner's entries name: else a warning would never come."""
    for index, partner in world.partners.items():
        used: set[str | None] = set()
        for inbound in partner.inbound:
            gateways = [inbound.gateway] if inbound.gateway else list(world.gateways("ingress", "partner"))
            declared = [world.platform.gateways.get(name) for name in gateways] if world.platform else []
            used |= {inbound.certificate, inbound.client_certificate.ca}
            used |= {gateway.certificate for gateway in declared if gateway} | {f"{name}-server" for name in gateways}
        for outbound in partner.outbound:
            used |= {outbound.tls.certificate, outbound.tls.ca}
        seen: set[str] = set()
        for number, fact in enumerate(partner.certificates):
            place: Path = ("partners", index, "certificates", number, "name")
            if fact.name not in used:
                named = sorted(name for name in used if name)
                yield Finding(place, f"no entry of {partner.name} uses {fact.name}", _near(fact.name, named))
            if fact.name in seen:
                yield Finding(place, f"{fact.name} stands here twice", "keep the fact that is true")
            seen.add(fact.name)


RULES: Final = {
    "caller": callers_exist,
    "route-target": routes_lead_somewhere,
    "outbound-caller": outbound_callers_exist,
    "version": versions_exist,
    "node-group": node_groups_exist,
    "gateway": gateways_exist,
    "port": ports_exist,
    "certificate-fact": facts_are_used,
}

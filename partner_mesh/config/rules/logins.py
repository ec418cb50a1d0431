"""OIDC logins of web UIs: what must agree so that a user who signs in is then admitted."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config.application import Application
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding

PAGES: Final = "/oauth2/"  # the login's own pages


def logins(world: World) -> Iterator[Finding]:
    """A login belongs to the web UI of one host, which no other login has, in a mesh whose config is ours; its client
    is among the audiences, and `/oauth2/` is left to it.
    """
    owners: dict[tuple[str | None, str | None], str] = {}
    for name, application in world.applications.items():
        users = application.end_users
        if users is None or users.login is None:
            continue
        place: Path = ("applications", name, "endUsers", "login")
        if not application.web:
            yield Finding(place, f"{name} serves no web route", "add web routes, or take login away")
            continue
        if world.platform is not None and not world.platform.mesh.managed:
            reason = "the provider of a login is part of the mesh config, and the mesh is somebody else's"
            yield Finding(place, reason, "have its owner add one, and ask it by a policy with action CUSTOM")
        if users.login.client_id not in users.audiences:
            reason = "tokens of this client name it as their audience, and audiences does not list it"
            yield Finding((*place, "clientId"), reason, "add it to audiences: else whoever signs in is refused")
        found = served(world, application)
        if len(found) > 1:
            yield Finding(place, "a login serves one host, and the web routes have several", "keep one host")
        for host in found:
            if host in owners:
                reason = f"{owners[host]} has a login on this host already"
                yield Finding(place, reason, "give the web UI a host of its own")
            owners.setdefault(host, name)
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            if route.path.startswith(PAGES) and any(each in owners for each in served(world, application)):
                at: Path = ("applications", name, "web", number, "path")
                yield Finding(at, f"{PAGES} belongs to the login of this host", "serve it elsewhere")


def served(world: World, application: Application) -> tuple[tuple[str | None, str | None], ...]:
    """Gateways and hosts of an application's web routes, defaults resolved as far as they are known."""
    gateways = world.gateways("ingress", "web")
    found: dict[tuple[str | None, str | None], None] = {}
    for route in application.web:
        gateway = route.gateway or next(iter(gateways), None)
        declared = gateways.get(gateway) if gateway is not None else None
        found[gateway, route.host or (declared.host if declared is not None else None)] = None
    return tuple(found)


RULES: Final = {"login": logins}

"""Namespaces in ambient mode: what their pods cannot do, said when it is asked for and not when it silently fails.

Sources: istio.io, "Migrate policies" (EnvoyFilter is ignored there, VirtualService is alpha) and "Layer 7 features".
"""

from collections.abc import Container, Iterator
from typing import Final

from partner_mesh.config.application import Application
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding

_REMEDY: Final = "run it in a namespace with sidecars (dataPlane: sidecar)"


def ambient(world: World) -> Iterator[Finding]:
    """Applications in ambient mode have no partners, no routing of their own, no limits, and callers as they are."""
    names = _ambient(world)
    for name in names:
        application = world.applications[name]
        for key in _unsupported(application):
            reason = f"{key} is the work of a sidecar, and in ambient mode there is none"
            yield Finding(("applications", name, key), reason, _REMEDY)
        exception = application.mutual_tls
        if exception is not None and (exception.mode == "DISABLE" or "DISABLE" in exception.ports.values()):
            yield Finding(("applications", name, "mutualTls"), "ztunnel takes nothing but mutual TLS off", _REMEDY)
        if not application.speaks_of_requests:
            continue
        for number, caller in enumerate(application.callers):
            if caller.application in world.applications and caller.application not in names:
                place: Path = ("applications", name, "callers", number)
                reason = f"{caller.application} has a sidecar, which would pass by the waypoint that judges requests"
                yield Finding(place, reason, f"move {caller.application} to ambient mode as well, or {name} back")
    yield from _partners(world, names)


def _partners(world: World, names: Container[str]) -> Iterator[Finding]:
    for path, _, inbound in world.inbound():
        for number, route in enumerate(inbound.routes):
            if route.application in names:
                reason = f"{route.application} is in ambient mode, where nobody judges the partner's addresses"
                yield Finding((*path, "routes", number, "to"), reason, _REMEDY)
    for path, _, call in world.outbound():
        for number, name in enumerate(call.callers):
            if name in names:
                reason = f"{name} is in ambient mode: no sidecar leads its calls to the egress gateway"
                yield Finding((*path, "from", number), reason, _REMEDY)


def _ambient(world: World) -> dict[str, Application]:
    if world.platform is None:
        return {}
    settings = world.platform.mesh.namespaces
    return {
        name: application
        for name, application in world.applications.items()
        if application.namespace in settings and settings[application.namespace].data_plane == "ambient"
    }


def _unsupported(application: Application) -> list[str]:
    given = {
        "versions": application.versions,
        "mirror": application.mirror,
        "fault": application.fault,
        "routes": application.routes,
        "timeout": application.timeout,
        "retries": application.retries,
        "rateLimit": application.rate_limit,
        "maxRequestBytes": application.max_request_bytes,
        "telemetry": application.telemetry,
    }
    return [key for key, value in given.items() if value]


RULES: Final = {"ambient": ambient}

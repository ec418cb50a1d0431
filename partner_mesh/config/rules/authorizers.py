"""Policies that ask somebody (CUSTOM): he is declared, is one of ours, and may be called by those who ask."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding


def authorizers(world: World) -> Iterator[Finding]:
    """An authorizer is an application's port that speaks requests; a policy names one, in a mesh of ours."""
    if world.platform is None:
        return
    mesh = world.platform.mesh
    for name, each in mesh.authorizers.items():
        place: Path = ("platform", "mesh", "authorizers", name)
        if name.startswith(("login-", "access-log-", "partner-mesh-")):
            yield Finding(place, "could be the name of a provider of ours", "give it another name")
        if not mesh.managed:
            yield Finding(place, "the mesh config is somebody else's", "have its owner add the provider")
        application = world.applications.get(each.application)
        if application is None:
            if not world.knows(each.application):
                yield Finding((*place, "application"), f"there is no application {each.application}", "declare it")
        elif each.port not in application.ports:
            yield Finding((*place, "port"), f"{each.application} has no port {each.port}", "name a declared one")
        elif application.ports[each.port].protocol == "tcp":
            yield Finding((*place, "port"), "it is asked by requests, and tcp has none", "name an HTTP or gRPC port")


def askers(world: World) -> Iterator[Finding]:
    """Who asks an authorizer calls it: it is declared, and lists the asker among its callers."""
    if world.platform is None or not world.platform.mesh.managed:
        return
    declared = world.platform.mesh.authorizers
    for name, application in world.applications.items():
        for number, policy in enumerate(application.policies):
            if policy.action != "CUSTOM" or policy.provider is None:
                continue
            place: Path = ("applications", name, "policies", number, "provider")
            if policy.provider not in declared:
                reason = f"there is no authorizer {policy.provider}, and Istio would refuse every request"
                yield Finding(place, reason, "declare it in mesh.authorizers")
                continue
            asked = world.applications.get(declared[policy.provider].application)
            if asked is not None and name not in {caller.application for caller in asked.callers}:
                reason = f"{name} may not call {declared[policy.provider].application}"
                yield Finding(place, reason, f"list {name} among its callers")


RULES: Final = {"authorizer": authorizers, "authorizer-caller": askers}

"""Versions that go together, and upgrades that take one legal step after another."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config import upgrade
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.support import EKS_VERSIONS, ISTIO_SUPPORTS
from partner_mesh.config.translation import Finding


def supported(world: World) -> Iterator[Finding]:
    """Istio's revisions are in the support table, and support the cluster's Kubernetes; EKS offers it."""
    if world.platform is None:
        return
    mesh, cluster = world.platform.mesh, world.platform.cluster
    kubernetes = int(cluster.version.partition(".")[2]) if cluster.version is not None else None
    least, most = EKS_VERSIONS
    if cluster.kind == "eks" and kubernetes is not None and not least <= kubernetes <= most:
        reason = f"EKS does not offer Kubernetes {cluster.version}"
        yield Finding(("platform", "cluster", "version"), reason, f'use "1.{least}" to "1.{most}"')
    places: list[tuple[Path, str]] = [(("platform", "mesh", "revision"), mesh.revision)]
    if mesh.upgrade is not None:
        places.append((("platform", "mesh", "upgrade", "to"), mesh.upgrade.to))
    for place, revision in places:
        major, minor = upgrade.minor(revision)
        supports = ISTIO_SUPPORTS.get(minor) if major == 1 else None
        if supports is None:
            known = f"1.{min(ISTIO_SUPPORTS)} to 1.{max(ISTIO_SUPPORTS)}"
            yield Finding(place, f"Istio {major}.{minor} is not in the support table", f"use a version of {known}")
        elif kubernetes is not None and not supports[0] <= kubernetes <= supports[1]:
            reason = f"Istio 1.{minor} supports Kubernetes 1.{supports[0]} to 1.{supports[1]}, not {cluster.version}"
            yield Finding(place, reason, "upgrade the one that is behind first")


def legal_upgrade(world: World) -> Iterator[Finding]:
    """An upgrade goes forward, two minors at most: namespaces, then gateways, then promotion."""
    if world.platform is None:
        return
    mesh = world.platform.mesh
    namespaces = dict.fromkeys(application.namespace for application in world.applications.values())
    for key, reason, remedy in upgrade.faults(mesh, upgrade.sidecar_namespaces(mesh, tuple(namespaces))):
        if key.startswith("upgrade.namespaces") and not world.complete:
            continue  # perhaps the namespace of one that could not be read
        parts = (int(part) if part.isdigit() else part for part in key.split("."))
        yield Finding(("platform", "mesh", *parts), reason, remedy)


RULES: Final = {"supported-version": supported, "upgrade": legal_upgrade}

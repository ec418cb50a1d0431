"""Two clusters, one mesh: names that tell them apart, and what both must share."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding

EAST_WEST: Final = "eastwest"


def clusters(world: World) -> Iterator[Finding]:
    """Clusters and networks have names of their own, the mesh is ours, and the east-west gateway's name is free."""
    if world.platform is None or world.platform.mesh.multi_cluster is None:
        return
    mesh, own = world.platform.mesh, world.platform.mesh.multi_cluster
    place: Path = ("platform", "mesh", "multiCluster")
    if mesh.data_plane == "ambient":
        reason = "ztunnel and waypoints reach the other cluster by other gateways than sidecars do"
        yield Finding(place, reason, "join clusters with sidecars only")
    if not mesh.managed:
        yield Finding(place, "whoever runs the mesh joins its clusters", "take it away, or set mesh.managed: true")
    if EAST_WEST in world.platform.gateways:
        at: Path = ("platform", "gateways", EAST_WEST)
        yield Finding(at, "is the name of the gateway between the clusters", "give the gateway another name")
    names, networks = {own.cluster}, {own.network}
    for number, peer in enumerate(own.peers):
        if peer.name in names:
            reason = f"{peer.name} is the name of another cluster"
            yield Finding((*place, "peers", number, "name"), reason, "name each as its Secret does")
        if peer.network in networks:
            reason = f"{peer.network} is another cluster's network, and would be entered without its gateway"
            yield Finding((*place, "peers", number, "network"), reason, "name each network")
        names.add(peer.name)
        networks.add(peer.network)


RULES: Final = {"cluster": clusters}

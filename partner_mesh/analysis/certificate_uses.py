"""Which secret is used where: by servers of Gateways and by DestinationRules, as `credentialName` says."""

from partner_mesh.analysis.certificates import Use
from partner_mesh.analysis.gateways import Gateways
from partner_mesh.analysis.invariants.plaintext import tls_settings
from partner_mesh.analysis.mesh_config import NETWORKING, mesh_config
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items


def uses(loaded: Loaded) -> dict[str, Use]:
    """Secret's name → its use. A server's hosts add up over all servers that show it."""
    world = World(loaded)
    found: dict[str, Use] = {}
    for proxy in Gateways(world, mesh_config(world)).proxies.values():
        for server in proxy.servers:
            if server.credential:
                before = found.get(server.credential, Use(server.credential))
                hosts = dict.fromkeys((*before.hosts, *(host for _, host in server.hosts if "*" not in host)))
                peers = dict.fromkeys((*before.peers, *server.names))
                found[server.credential] = Use(server.credential, "server", tuple(hosts), tuple(peers))
    for resource in world.of(NETWORKING, "DestinationRule"):
        for tls in tls_settings(resource):
            name = str(tls.get("credentialName") or "")
            if name and name not in found:
                found[name] = Use(name, "client", (), tuple(map(str, items(tls.get("subjectAltNames")))))
    return found

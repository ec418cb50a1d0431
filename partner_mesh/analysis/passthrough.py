"""Doors between clusters: a gateway that passes connections on by server name and ends none (AUTO_PASSTHROUGH).

It asks no AuthorizationPolicy (`builtAutoPassthroughFilterChains`, istio pilot/pkg/networking/core/gateway.go): only
packets are judged there.

The server name is the callee's own (`outbound_.8080_._.stock.stock.svc.cluster.local`), so what lies behind the door is
every Service whose host it lists. The callee then judges an identity of the mesh that a workload of the other cluster
shows: who that is no object here says, so what policies might admit is `unknown`, and what they never admit `denied`.
"""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.authorization_layer import AuthorizationLayer
from partner_mesh.analysis.gateways import GatewayProxy, Server
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Client, Opinion, Verdict
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.mesh_config import visible
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import host_matches
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.ways import Way
from partner_mesh.model.record import replace

CALLER: Final = Client("workload of another cluster")
REASON: Final = "which workload of the other cluster calls, no object here says"
End = tuple[Pods, PortSet, str]  # pods, their ports, the host


class Passthrough:
    """What lies behind the doors, and for whom."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.authorization = AuthorizationLayer(mesh)

    def ends(self, proxy: GatewayProxy, server: Server) -> Iterator[End]:
        """Every pod and port behind the Services whose hosts the server lists and that the gateway is told of."""
        place = proxy.pods.namespace
        for listed in self.mesh.registry.hosts.values():
            for host in listed:
                known = host.service is not None and visible(host.exports, host.namespace, place)
                if not known or not any(host_matches(pattern, host.name) for _, pattern in server.hosts):
                    continue
                for port in host.ports:
                    for pods in self.mesh.registry.workloads(host):
                        if reached := self.mesh.registry.target(host, port, pods):
                            yield pods, reached, host.name

    def requests(self, pods: Pods, ports: PortSet) -> HttpSet | None:
        """What is asked of a port; None where no HTTP is read."""
        return None if ports <= self.mesh.bond(pods.endpoint).raw_ports else HttpSet.ALL

    def judged(self, way: Way, pods: Pods, ports: PortSet) -> Way:
        """After the callee's policies, for an identity of which nothing is known but that it is one of the mesh."""
        anybody = Peer(foreign_certificate=True, claims_remote=False)
        said = self.authorization.at_sidecar(self.mesh.bond(pods.endpoint), anybody, ports)
        return way.through([each if each.verdict is Verdict.DENIED else _doubted(each) for each in said])


def _doubted(opinion: Opinion) -> Opinion:
    because = tuple(replace(each, reason=REASON) for each in opinion.because)
    return replace(opinion, verdict=Verdict.UNKNOWN, because=because)

"""Hosts that only a VirtualService of the mesh knows: sidecars route calls to them, on port 80 and on no other.

istiod gives such a host a virtual host of the listener on port 80 (`serviceByPort[80]` in
`buildSidecarVirtualHostsForVirtualService`, pilot/pkg/networking/core/route/route.go). A sidecar has that listener when
some service that it knows speaks HTTP on port 80.
"""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.mesh_config import MeshConfig, exports_of
from partner_mesh.analysis.registry import Host, Registry, RegistryPort, Scope
from partner_mesh.analysis.routes import MESH, VirtualServices, gateways_of, hosts_of

PORT: Final = 80


class Captured:
    """All of them; what a workload's sidecar knows of them depends on its scope."""

    def __init__(self, registry: Registry, virtual_services: VirtualServices, mesh: MeshConfig) -> None:
        self._registry = registry
        self._listening = [
            host
            for host in (*(each for listed in registry.hosts.values() for each in listed), *registry.wildcards)
            if (port := host.port(PORT)) is not None and not port.is_raw
        ]
        self._homes: dict[str, list[Host]] = {}
        for each in self._listening:
            self._homes.setdefault(each.namespace, []).append(each)
        self.hosts = list(_hosts(registry, virtual_services, mesh))
        self._has_listener: dict[Scope, bool] = {}  # Sidecars are as many as namespaces, hosts as partners

    def sees(self, scope: Scope, host: Host) -> bool:
        """Whether a sidecar routes calls to one of `hosts`: it is told of it, listens, and knows no service of it."""
        services = self._registry.hosts.get(host.name, ())
        return (
            scope.sees(host, PORT)
            and self._listens(scope)
            and not any(scope.sees(each, PORT) and each.port(PORT) is not None for each in services)
        )

    def _listens(self, scope: Scope) -> bool:
        if scope not in self._has_listener:
            homes = {home for home, _, _ in scope.hosts}
            near = [self._listening] if not homes or "*" in homes else [self._homes.get(each, []) for each in homes]
            self._has_listener[scope] = any(scope.sees(each, PORT) for listed in near for each in listed)
        return self._has_listener[scope]


def _hosts(registry: Registry, virtual_services: VirtualServices, mesh: MeshConfig) -> Iterator[Host]:
    for resource in virtual_services.all:
        if MESH not in gateways_of(resource) or not resource.spec.get("http"):
            continue
        exports = exports_of(resource, mesh.default_virtual_service_export)
        for name in hosts_of(resource):
            if not any(each.service is not None for each in registry.hosts.get(name, ())):
                port = RegistryPort("http", PORT, "http")
                yield Host(name, resource.namespace, resource, exports, (port,), external=True)

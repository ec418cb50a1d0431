"""The hosts that the mesh knows: Services and ServiceEntries, who may see them, and the workloads behind them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partner_mesh.analysis.mesh_config import NETWORKING, MeshConfig, exports_of, selector, visible
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import Service, World
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass

HTTP_PROTOCOLS: Final = ("http", "http2", "grpc", "grpc-web", "http_proxy")
RAW_PROTOCOLS: Final = ("tcp", "tls", "https", "mongo", "mysql", "redis", "udp")
CLUSTER_SUFFIX: Final = "svc.cluster.local"


@dataclass(frozen=True, slots=True)
class RegistryPort:
    """One port of a registry host. `protocol` is "" where Istio detects it from the first bytes."""

    name: str
    number: int
    protocol: str = ""

    @property
    def is_http(self) -> bool:
        """Whether proxies read HTTP on this port without having to detect it."""
        return self.protocol in HTTP_PROTOCOLS

    @property
    def is_raw(self) -> bool:
        """Whether a proxy never looks into HTTP on this port."""
        return self.protocol in RAW_PROTOCOLS


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """A Service or one host of a ServiceEntry, as proxies know it."""

    name: str  # full; a ServiceEntry's may begin with "*."
    namespace: str
    resource: Resource
    exports: tuple[str, ...]
    ports: tuple[RegistryPort, ...]
    service: Service | None = None
    external: bool = False
    resolution: str = ""
    addresses: AddressSet = AddressSet.NONE

    def port(self, number: int | None) -> RegistryPort | None:
        """The port of this number; the only one where none is given."""
        if number is None:
            return self.ports[0] if len(self.ports) == 1 else None
        return next((each for each in self.ports if each.number == number), None)


def declared_protocol(name: str, app_protocol: str) -> str:
    """`appProtocol`, else the port name up to its first dash; "" where neither is one that Istio knows."""
    known = (*HTTP_PROTOCOLS, *RAW_PROTOCOLS)
    chosen = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}.get(
        app_protocol, app_protocol
    ).lower()
    if chosen in known:
        return chosen
    if name.lower().startswith("grpc-web"):
        return "grpc-web"
    head = name.partition("-")[0].lower()
    return head if head in known else ""


class Registry:
    """All hosts by name."""

    def __init__(self, world: World, mesh: MeshConfig) -> None:
        self.world = world
        self.mesh = mesh
        self.hosts: dict[str, list[Host]] = {}
        self.wildcards: list[Host] = []
        self.of_workload: dict[int, list[Host]] = {}
        for service in world.services:
            host = _of_service(service, mesh)
            self.hosts.setdefault(host.name, []).append(host)
            for pods in world.selected_by(service):
                self.of_workload.setdefault(id(pods), []).append(host)
        entries = sorted(world.of(NETWORKING, "ServiceEntry"), key=lambda each: (each.namespace, each.name))
        for resource in entries:
            for host in _of_entry(resource, mesh):
                if host.name.startswith("*"):
                    self.wildcards.append(host)
                else:
                    self.hosts.setdefault(host.name, []).append(host)
                for pods in self.entry_workloads(host):
                    self.of_workload.setdefault(id(pods), []).append(host)

    def lookup(self, name: str, namespace: str) -> Host | None:
        """The host of this full name that is visible from a namespace; the namespace's own first."""
        candidates = [each for each in self.hosts.get(name, ()) if visible(each.exports, each.namespace, namespace)]
        candidates.sort(key=lambda each: (each.namespace != namespace, each.service is None))
        if candidates:
            return candidates[0]
        for each in self.wildcards:
            if host_matches(each.name, name) and visible(each.exports, each.namespace, namespace):
                return each
        return None

    def workloads(self, host: Host) -> tuple[Pods, ...]:
        """The workloads behind a host."""
        return self.world.selected_by(host.service) if host.service is not None else self.entry_workloads(host)

    def entry_workloads(self, host: Host) -> tuple[Pods, ...]:
        """The workloads that a ServiceEntry selects."""
        labels = selector(host.resource, "workloadSelector")
        return self.world.select(host.namespace, labels) if labels and host.service is None else ()

    def target(self, host: Host, port: RegistryPort, pods: Pods) -> PortSet:
        """The port of the pods that a host's port leads to."""
        if host.service is not None:
            for each in host.service.ports:
                if each.port == port.number and each.protocol == "TCP":
                    return self.world.target(pods, each)
            return PortSet.NONE
        for document in items(host.resource.spec.get("ports")):
            if isinstance(document, Mapping) and document.get("number") == port.number:
                return PortSet.single("TCP", int(document.get("targetPort") or port.number))
        return PortSet.NONE


def full_name(host: str, namespace: str) -> str:
    """A destination's host as a full name: a name without a dot is a Service of the rule's own namespace."""
    if "." in host or "*" in host:
        return host.lower()
    return f"{host}.{namespace}.{CLUSTER_SUFFIX}".lower()


def host_matches(pattern: str, host: str) -> bool:
    """Whether a host, wildcard or not, lies within a pattern (`*`, `*.example.com` or exact)."""
    pattern, host = pattern.lower(), host.lower()
    if pattern.startswith("*"):
        rest = pattern[1:]
        return host.removeprefix("*").endswith(rest) and (host.startswith("*") or host != rest)
    return pattern == host


def _of_service(service: Service, mesh: MeshConfig) -> Host:
    annotation = service.resource.annotations.get("networking.istio.io/exportTo")
    exports = tuple(part.strip() for part in annotation.split(",")) if annotation else mesh.default_service_export
    ports = tuple(
        RegistryPort(each.name, each.port, declared_protocol(each.name, each.app_protocol))
        for each in service.ports
        if each.protocol == "TCP"
    )
    return Host(service.host, service.namespace, service.resource, exports, ports, service)


def _of_entry(resource: Resource, mesh: MeshConfig) -> Iterable[Host]:
    spec = resource.spec
    ports = tuple(
        RegistryPort(
            str(each.get("name") or ""),
            int(each["number"]),
            declared_protocol(str(each.get("name") or ""), str(each.get("protocol") or "").lower()),
        )
        for each in items(spec.get("ports"))
        if isinstance(each, Mapping) and isinstance(each.get("number"), int)
        # No proxy is told of a UDP port (istio `pilot/pkg/networking/core/cluster.go`).
        if str(each.get("protocol") or "").upper() != "UDP"
    )
    for name in items(spec.get("hosts")):
        yield Host(
            str(name).lower(),
            resource.namespace,
            resource,
            exports_of(resource, mesh.default_service_export),
            ports,
            external=spec.get("location") != "MESH_INTERNAL",
            resolution=str(spec.get("resolution") or "NONE"),
            addresses=_addresses(spec.get("addresses")),
        )


def _addresses(value: Any) -> AddressSet:
    found: list[AddressSet] = []
    for each in value if isinstance(value, list) else ():
        try:
            found.append(AddressSet.of(str(each)))
        except ValueError:
            continue
    return AddressSet.union(found)


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What a workload's sidecar is told of: the `egress.hosts` of the Sidecar object that binds it."""

    namespace: str
    resource: Resource | None = None
    hosts: tuple[tuple[str, str, int | None], ...] = ()  # (namespace or "*", host pattern, the listener's port)
    registry_only: bool | None = None  # None: the mesh's setting stands

    def sees(self, host: Host, port: int | None = None) -> bool:
        """Whether a host is known on a port, or at all."""
        if not visible(host.exports, host.namespace, self.namespace):
            return False
        if self.resource is None or not self.hosts:
            return True
        return any(
            home in ("*", host.namespace)
            and host_matches(pattern, host.name)
            and (only in (None, port) or port is None)
            for home, pattern, only in self.hosts
        )

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for workloads that are told the same."""
        return self.namespace, id(self.resource)


class Scopes:
    """All Sidecar objects."""

    def __init__(self, world: World, mesh: MeshConfig) -> None:
        self.mesh = mesh
        resources = sorted(world.of(NETWORKING, "Sidecar"), key=lambda each: (each.namespace, each.name))
        self._selecting: dict[str, list[Resource]] = {}
        self._plain: dict[str, Resource] = {}
        for resource in resources:
            if selector(resource, "workloadSelector"):
                self._selecting.setdefault(resource.namespace, []).append(resource)
            else:
                self._plain.setdefault(resource.namespace, resource)
        self._known: dict[tuple[str, int], Scope] = {}

    def of(self, namespace: str, labels: Mapping[str, str]) -> Scope:
        """The scope of a workload: the Sidecar that selects it, else its namespace's, else the root namespace's."""
        for resource in self._selecting.get(namespace, ()):
            if selector(resource, "workloadSelector").items() <= labels.items():
                return self._scope(namespace, resource)
        return self._scope(namespace, self._plain.get(namespace) or self._plain.get(self.mesh.root_namespace))

    def _scope(self, namespace: str, resource: Resource | None) -> Scope:
        key = namespace, id(resource)
        if key not in self._known:
            self._known[key] = _scope(namespace, resource)
        return self._known[key]


def _scope(namespace: str, resource: Resource | None) -> Scope:
    if resource is None:
        return Scope(namespace)
    hosts: list[tuple[str, str, int | None]] = []
    for listener in items(resource.spec.get("egress")):
        port = listener.get("port") if isinstance(listener, Mapping) else None
        number = port.get("number") if isinstance(port, Mapping) else None
        for each in items(listener.get("hosts")) if isinstance(listener, Mapping) else ():
            home, _, pattern = str(each).partition("/")
            hosts.append((namespace if home == "." else home, pattern, number))
    policy = resource.spec.get("outboundTrafficPolicy")
    mode = policy.get("mode") if isinstance(policy, Mapping) else None
    return Scope(namespace, resource, tuple(hosts), None if mode is None else mode == "REGISTRY_ONLY")

"""The mesh: everything that Istio objects say of each workload, read once and shared by the mesh's layers.

A world without any Istio object has no mesh, and the layers say nothing of it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from partner_mesh.analysis.authentication import (
    PeerAuthentications,
    PeerModes,
    Principal,
    RequestAuthentications,
)
from partner_mesh.analysis.authorization import Authorizations
from partner_mesh.analysis.bound_policies import Bound
from partner_mesh.analysis.destination_rules import DestinationRules
from partner_mesh.analysis.gateway_api import GatewayApi
from partner_mesh.analysis.gateways import GatewayProxy, Gateways
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    MUTUAL_TLS,
    Addresses,
    Because,
    Endpoint,
    Partner,
    Workload,
)
from partner_mesh.analysis.mesh_config import (
    EXTENSIONS,
    NETWORKING,
    SECURITY,
    Injection,
    MeshConfig,
    Selected,
    mesh_config,
)
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import Registry, Scope, Scopes
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.routes import VirtualServices
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.waypoints import Waypoint, Waypoints
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Bond:
    """Everything the mesh says of one workload, found once."""

    pods: Pods
    proxied: bool  # has a sidecar, or is a gateway
    ambient: bool
    gateway: GatewayProxy | None
    principal: Principal
    modes: PeerModes
    bound: Bound
    scope: Scope
    http_ports: PortSet  # declared as HTTP
    raw_ports: PortSet  # declared as something that is never read as HTTP
    excluded: PortSet  # inbound ports that the sidecar leaves alone
    extension: Because | None  # an EnvoyFilter or WasmPlugin changes what this proxy does
    waypoint: Waypoint | None = None
    hbone: bool = False  # its sidecar or gateway speaks HBONE

    @property
    def signature(self) -> tuple[Hashable, ...]:
        """Equal for workloads that are treated alike as destinations."""
        gateway = id(self.gateway) if self.gateway is not None else 0
        ports = (self.http_ports, self.raw_ports, self.excluded)
        return (self.proxied, self.ambient, gateway, self.modes.signature, self.bound.signature, ports,
                self.extension, id(self.waypoint) if self.waypoint is not None else 0)  # fmt: skip


class Mesh:
    """All Istio objects of a world, indexed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.config: MeshConfig = mesh_config(world)
        self.injection = Injection(world)
        self.peer_authentications = PeerAuthentications(world, self.config)
        self.request_authentications = RequestAuthentications(world, self.config)
        self.authorizations = Authorizations(world, self.config, self.request_authentications)
        self.registry = Registry(world, self.config)
        self.scopes = Scopes(world, self.config)
        self.gateway_api = GatewayApi(world)
        self.gateways = Gateways(world, self.config, self.gateway_api.gateways)
        self.virtual_services = VirtualServices(world, self.config, self.gateway_api.routes)
        self.destination_rules = DestinationRules(world, self.config, self.registry)
        self.waypoints = Waypoints(world, self.registry, self.authorizations, self.request_authentications)
        self._filters = Selected(world.of(NETWORKING, "EnvoyFilter"), self.config.root_namespace, "workloadSelector")
        self._plugins = Selected(world.of(EXTENSIONS, "WasmPlugin"), self.config.root_namespace)
        self._bonds: dict[Workload, Bond] = {}
        self._peers: dict[Endpoint, Peer] = {}

    @cached_property
    def present(self) -> bool:
        """Whether there is a mesh at all."""
        groups = {each.group for each in self.world.resources}
        return self.config.resource is not None or bool(groups & {NETWORKING, SECURITY})

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a person should know of the Istio objects."""
        return (*self.config.notes, *self.authorizations.notes, *self.gateway_api.notes, *self.gateways.notes)

    def bond(self, endpoint: Workload) -> Bond:
        """What the mesh says of a workload."""
        known = self._bonds.get(endpoint)
        if known is None:
            known = self._bonds[endpoint] = self._bond(self.world.workloads[endpoint])
        return known

    def _bond(self, pods: Pods) -> Bond:
        namespace, labels = pods.namespace, pods.labels
        gateway = self.gateways.proxies.get(pods.endpoint)
        ambient = self.injection.ambient(pods.namespace_labels, labels)
        proxied = (
            gateway is not None
            or _runs_proxy(pods)
            or (
                not pods.host_network
                and not ambient
                and self.injection.injected(namespace, pods.namespace_labels, labels, pods.annotations)
            )
        )
        http, raw = self._protocols(pods)
        waypoint = self.waypoints.by_workload.get(pods.endpoint)
        return Bond(
            pods,
            proxied,
            ambient,
            gateway,
            Principal(self.config.trust_domain, namespace, pods.service_account),
            self.peer_authentications.of(namespace, labels),
            self.authorizations.bound(namespace, labels),
            self.scopes.of(namespace, labels),
            http,
            raw,
            excluded_ports(pods.annotations.get("traffic.sidecar.istio.io/excludeInboundPorts", "")),
            self._extension(namespace, labels, is_gateway=gateway is not None),
            waypoint,
            self.config.hbone or waypoint is not None,
        )

    def _protocols(self, pods: Pods) -> tuple[PortSet, PortSet]:
        http, raw, detected = PortSet.NONE, PortSet.NONE, PortSet.NONE
        for host in self.registry.of_workload.get(id(pods), ()):
            for port in host.ports:
                target = self.registry.target(host, port, pods)
                if port.is_http:
                    http |= target
                elif port.is_raw:
                    raw |= target
                else:
                    detected |= target
        # A port that several Services name differently is judged as one whose protocol is detected.
        return http - raw - detected, raw - http - detected

    def _extension(self, namespace: str, labels: Mapping[str, str], *, is_gateway: bool) -> Because | None:
        contexts = {"ANY", "GATEWAY"} if is_gateway else {"ANY", "SIDECAR_INBOUND"}
        for resource in self._filters.of(namespace, labels):
            if _contexts(resource) & contexts:
                return Because.of(AUTHORISATION, resource, "EnvoyFilter is not modelled")
        for resource in self._plugins.of(namespace, labels):
            return Because.of(AUTHORISATION, resource, "WasmPlugin is not modelled")
        return None

    def in_mesh(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint has a mesh identity to show."""
        if not isinstance(endpoint, Workload):
            return False
        bond = self.bond(endpoint)
        return bond.proxied or bond.ambient

    def peer(self, endpoint: Endpoint) -> Peer:
        """The endpoint as a sidecar sees it that it calls directly."""
        known = self._peers.get(endpoint)
        if known is None:
            known = self._peers[endpoint] = self._peer(endpoint)
        return known

    def _peer(self, endpoint: Endpoint) -> Peer:
        if isinstance(endpoint, Workload):
            bond = self.bond(endpoint)
            principal = bond.principal if bond.proxied or bond.ambient else None
            return Peer(principal, bond.pods.addresses or None)
        if isinstance(endpoint, Addresses):
            return Peer(None, endpoint.addresses)
        if isinstance(endpoint, Partner):
            return Peer(None, endpoint.addresses, foreign_certificate=False)
        return Peer()

    def trusted_proxies(self, pods: Pods) -> int:
        """How many proxies in front of a gateway are believed: its own annotation, else the mesh's default."""
        return _trusted_proxies(pods.annotations.get("proxy.istio.io/config", ""), self.config.trusted_proxies)

    def changes_tls(self, server: Bond) -> bool:
        """Whether DestinationRules make some callers of a workload come without their identity."""
        if not self.destination_rules.known:
            return False
        return any(
            self.destination_rules.changes_tls(host.name) for host in self.registry.of_workload.get(id(server.pods), ())
        )

    def towards(self, client: Bond, server: Bond) -> tuple[str, Because | None]:
        """The client's TLS mode towards a workload by DestinationRule: "" where none says; of several Services the
        mode that is plain, if one is.
        """
        if not client.proxied or not self.changes_tls(server):
            return "", None
        found: tuple[str, Because | None] = ("", None)
        for host in self.registry.of_workload.get(id(server.pods), ()):
            rules = self.destination_rules.of(host, host.name, client.pods.namespace, client.pods.labels)
            said = self.destination_rules.tls(rules, "", None)
            if said is None:
                continue
            mode = str(said[0].get("mode") or "DISABLE")
            if mode != "ISTIO_MUTUAL":
                return mode, Because.of(MUTUAL_TLS, said[1], f"tls.mode {mode}")
            found = mode, Because.of(MUTUAL_TLS, said[1])
        return found


def _runs_proxy(pods: Pods) -> bool:
    """Whether the pod template itself holds a proxy: gateways of older charts, and manually injected workloads."""
    template: Any = pods.resource.spec
    inner = template.get("template") if isinstance(template, Mapping) else None
    spec = inner.get("spec") if isinstance(inner, Mapping) else template
    spec = spec if isinstance(spec, Mapping) else {}
    containers = [*(items(spec.get("containers"))), *(items(spec.get("initContainers")))]
    return any(isinstance(each, Mapping) and each.get("name") == "istio-proxy" for each in containers)


def excluded_ports(text: str) -> PortSet:
    """The TCP ports of an annotation `excludeInboundPorts` or `excludeOutboundPorts`; what is no number falls away."""
    return PortSet.union(PortSet.single("TCP", int(part)) for part in text.split(",") if part.strip().isdecimal())


def _contexts(resource: Resource) -> set[str]:
    """Where an EnvoyFilter's patches apply."""
    found: set[str] = set()
    for patch in items(resource.spec.get("configPatches")):
        match = patch.get("match") if isinstance(patch, Mapping) else None
        found.add(str((match or {}).get("context") or "ANY"))
    return found or {"ANY"}


@lru_cache(maxsize=1024)
def _trusted_proxies(annotation: str, default: int) -> int:
    import yaml  # noqa: PLC0415  # read for gateways only

    try:
        config = yaml.safe_load(annotation) if annotation else None
    except yaml.YAMLError:
        return default
    topology = config.get("gatewayTopology") if isinstance(config, Mapping) else None
    value = topology.get("numTrustedProxies") if isinstance(topology, Mapping) else None
    return value if isinstance(value, int) else default


class MeshLayer:
    """What the layers have in common: no callers of their own, no entries, the same world."""

    name = ""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    def endpoints(self) -> Sequence[Endpoint]:
        """None: who comes through a gateway is the journeys' matter."""
        return ()

    def address_sets(self) -> Iterable[AddressSet]:
        """None, unless a layer says otherwise."""
        return ()

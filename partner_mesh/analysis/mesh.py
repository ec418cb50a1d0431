"""The mesh as layers: egress registry, mTLS, authorisation, each asked for pairs of endpoints.

`Mesh` reads every Istio object once; the three layers share it. A world without any Istio object has no mesh, and the
layers say nothing of it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final

from partner_mesh.analysis.authentication import (
    DISABLE,
    STRICT,
    PeerAuthentications,
    PeerModes,
    Principal,
    RequestAuthentications,
)
from partner_mesh.analysis.authorization import Authorizations, Bound
from partner_mesh.analysis.gateways import OWN_PORTS, GatewayProxy, Gateways, Server, refusing
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    EGRESS_REGISTRY,
    MUTUAL_TLS,
    ROUTE,
    Addresses,
    Because,
    Endpoint,
    Layer,
    Opinion,
    Partner,
    Verdict,
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
from partner_mesh.analysis.registry import Host, Registry, Scope, Scopes
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.routes import DestinationRules, VirtualServices
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import Pods, World

PLAINTEXT: Final = "plaintext"


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

    @property
    def signature(self) -> tuple[Hashable, ...]:
        """Equal for workloads that are treated alike as destinations."""
        gateway = id(self.gateway) if self.gateway is not None else 0
        ports = (self.http_ports, self.raw_ports, self.excluded)
        return (self.proxied, self.ambient, gateway, self.modes.signature, self.bound.signature, ports,
                self.extension)  # fmt: skip


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
        self.gateways = Gateways(world, self.config)
        self.virtual_services = VirtualServices(world, self.config)
        self.destination_rules = DestinationRules(world, self.config, self.registry)
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
        return (*self.config.notes, *self.authorizations.notes, *self.gateways.notes)

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
            _excluded(pods.annotations.get("traffic.sidecar.istio.io/excludeInboundPorts", "")),
            self._extension(namespace, labels, is_gateway=gateway is not None),
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

    @cached_property
    def tls_is_changed(self) -> bool:
        """Whether that is so of any workload: only then does it matter from which namespace somebody calls."""
        return any(self.changes_tls(self.bond(endpoint)) for endpoint in self.world.workloads)

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
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return any(isinstance(each, Mapping) and each.get("name") == "istio-proxy" for each in containers)


def _excluded(text: str) -> PortSet:
    return PortSet.union(PortSet.single("TCP", int(part)) for part in text.split(",") if part.strip().isdecimal())


def _contexts(resource: Resource) -> set[str]:
    """Where an EnvoyFilter's patches apply."""
    found: set[str] = set()
    for patch in resource.spec.get("configPatches") or ():
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


class _MeshLayer:
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


class RegistryLayer(_MeshLayer):
    """REGISTRY_ONLY: a sidecar lets out only what its registry knows. It never sees UDP."""

    name = EGRESS_REGISTRY

    def address_sets(self) -> Iterable[AddressSet]:
        """The blocks that ServiceEntries write: known to a sidecar where the rest of the outside is not."""
        return [host.addresses for host in self._blocks] if self._matters else ()

    @cached_property
    def _blocks(self) -> list[Host]:
        """The outside hosts that are known by their addresses."""
        registry = self.mesh.registry
        hosts = (*registry.wildcards, *(host for listed in registry.hosts.values() for host in listed))
        return [host for host in hosts if host.addresses and host.external]

    def _closed(self, endpoint: Endpoint) -> bool:
        if not isinstance(endpoint, Workload):
            return False
        bond = self.mesh.bond(endpoint)
        if not bond.proxied or bond.gateway is not None:
            return False
        own = bond.scope.registry_only
        return self.mesh.config.registry_only if own is None else own

    @cached_property
    def _matters(self) -> bool:
        return self.mesh.present and (
            self.mesh.config.registry_only or any(self._closed(endpoint) for endpoint in self.mesh.world.workloads)
        )

    def distinguishes(self, endpoint: Endpoint) -> Hashable:
        """Workloads by what they see and by which Services lead to them."""
        if not self._matters:
            return None
        if isinstance(endpoint, Addresses):
            return tuple(id(host) for host in self._blocks if endpoint.addresses <= host.addresses)
        if not isinstance(endpoint, Workload):
            return type(endpoint).__name__
        bond = self.mesh.bond(endpoint)
        hosts = self.mesh.registry.of_workload.get(id(bond.pods), ())
        sees = bond.scope.signature if self._closed(endpoint) and self._tells_apart else None
        return self._closed(endpoint), sees, _left_alone(bond.pods), tuple(id(each) for each in hosts)

    @cached_property
    def _tells_apart(self) -> bool:
        """Whether two callers can be told of different hosts at all."""
        registry = self.mesh.registry
        hosts = [*registry.wildcards, *(host for listed in registry.hosts.values() for host in listed)]
        public = all("*" in host.exports for host in hosts if host.service is not None or host.addresses)
        return not public or any(self.mesh.bond(each).scope.resource for each in self.mesh.world.workloads)

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the registry of the source knows of the destination."""
        ports &= TCP
        if not ports or not self._matters or not self._closed(source) or not isinstance(source, Workload):
            return ()
        bond = self.mesh.bond(source)
        ports -= _left_alone(bond.pods)
        known: list[tuple[PortSet, Because]] = []
        if isinstance(destination, Workload):
            pods = self.mesh.world.workloads[destination]
            for host in self.mesh.registry.of_workload.get(id(pods), ()):
                for port in host.ports:
                    if bond.scope.sees(host, port.number):
                        target = self.mesh.registry.target(host, port, pods)
                        moved = "" if PortSet.single("TCP", port.number) == target else f"as its port {port.number}"
                        known.append((target, Because.of(EGRESS_REGISTRY, host.resource, moved)))
        elif isinstance(destination, Addresses):
            known = list(self._outside(bond, destination))
        found: list[Opinion] = []
        for reached, because in known:
            if reached & ports:
                found.append(Opinion(EGRESS_REGISTRY, Verdict.ALLOWED, reached & ports, (because,)))
                ports -= reached
        if ports:
            found.append(Opinion(EGRESS_REGISTRY, Verdict.DENIED, ports, (self._refusal(bond),)))
        return found

    def _outside(self, bond: Bond, destination: Addresses) -> Iterable[tuple[PortSet, Because]]:
        """Addresses are known only where a ServiceEntry writes them; a name is reached by name."""
        for host in self._blocks:
            if destination.addresses <= host.addresses:
                for port in host.ports:
                    if bond.scope.sees(host, port.number):
                        reached = PortSet.single("TCP", port.number)
                        yield reached, Because.of(EGRESS_REGISTRY, host.resource)

    def _refusal(self, bond: Bond) -> Because:
        reason = "REGISTRY_ONLY, and no host that is known here leads to the destination"
        resource = bond.scope.resource or self.mesh.config.resource
        if resource is None:
            return Because(EGRESS_REGISTRY, "REGISTRY_ONLY", reason=reason)
        return Because.of(EGRESS_REGISTRY, resource, reason)


def _left_alone(pods: Pods) -> PortSet:
    """Outbound ports that the sidecar does not capture."""
    if pods.annotations.get("traffic.sidecar.istio.io/excludeOutboundIPRanges", "") in ("*", "0.0.0.0/0"):
        return TCP
    return _excluded(pods.annotations.get("traffic.sidecar.istio.io/excludeOutboundPorts", ""))


class MutualTlsLayer(_MeshLayer):
    """mTLS: STRICT refuses whoever has no mesh identity to show; a gateway's server asks for its own certificates."""

    name = MUTUAL_TLS

    def distinguishes(self, endpoint: Endpoint) -> Hashable:
        """By identity, by what is asked for, and by the rules that change how one calls."""
        if not self.mesh.present:
            return None
        if not isinstance(endpoint, Workload):
            return type(endpoint).__name__
        bond = self.mesh.bond(endpoint)
        gateway = id(bond.gateway) if bond.gateway is not None else 0
        kind = (self.mesh.in_mesh(endpoint), bond.proxied, bond.ambient, gateway, bond.modes.signature, bond.excluded)
        return (kind, self._calls(bond)) if self.mesh.tls_is_changed else kind

    def _calls(self, bond: Bond) -> Hashable:
        """What DestinationRules can tell workloads apart by."""
        hosts = self.mesh.registry.of_workload.get(id(bond.pods), ()) if self.mesh.changes_tls(bond) else ()
        return bond.pods.namespace, tuple(id(each) for each in hosts)

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the destination's proxy demands of the source."""
        ports &= TCP
        if not ports or not self.mesh.present or not isinstance(destination, Workload):
            return ()
        bond = self.mesh.bond(destination)
        if bond.gateway is not None:
            return tuple(self._at_gateway(source, bond.gateway, ports))
        if not bond.proxied:
            return ()
        return tuple(self._at_sidecar(source, bond, ports - bond.excluded))

    def _at_sidecar(self, source: Endpoint, bond: Bond, ports: PortSet) -> Iterable[Opinion]:
        identified = self.mesh.in_mesh(source)
        said = ""
        because: Because | None = None
        if isinstance(source, Workload):
            said, because = self.mesh.towards(self.mesh.bond(source), bond)
        plain = not identified or said not in ("", "ISTIO_MUTUAL")
        for part, mode, resource in mode_parts(bond.modes, ports):
            by = (Because.of(MUTUAL_TLS, resource, mode),) if resource is not None else ()
            if plain and mode == STRICT:
                refusal = (because,) if because is not None and identified else by
                yield Opinion(MUTUAL_TLS, Verdict.DENIED, part, tuple(each for each in refusal if each))
            elif plain or mode == DISABLE:
                shown = tuple(replace(each, reason=f"{mode}: {PLAINTEXT}") for each in by)
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, shown or (_DEFAULT_PLAIN,))
            else:
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, by)

    def _at_gateway(self, source: Endpoint, proxy: GatewayProxy, ports: PortSet) -> Iterable[Opinion]:
        left = ports - PortSet.union(PortSet.single("TCP", each) for each in OWN_PORTS)
        for number in proxy.ports:
            part = PortSet.single("TCP", number) & left
            if not part:
                continue
            left -= part
            servers = proxy.on(number)
            open_to = [each for each in servers if self._admits(source, each)]
            if open_to:
                yield Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, refusing(open_to, MUTUAL_TLS, "admits the client"))
            else:
                reason = "asks for a client certificate of its own CA"
                yield Opinion(MUTUAL_TLS, Verdict.DENIED, part, refusing(servers, MUTUAL_TLS, reason))
        if left:
            yield Opinion(ROUTE, Verdict.DENIED, left, (Because(ROUTE, "no Gateway server listens on this port"),))

    def _admits(self, source: Endpoint, server: Server) -> bool:
        if server.tls == "ISTIO_MUTUAL":
            return self.mesh.in_mesh(source)
        return server.tls != "MUTUAL"


_DEFAULT_PLAIN: Final = Because(MUTUAL_TLS, "no PeerAuthentication", reason=f"PERMISSIVE by default: {PLAINTEXT}")


def mode_parts(modes: PeerModes, ports: PortSet) -> Iterable[tuple[PortSet, str, Resource | None]]:
    """The ports by the mode in force on them."""
    rest = ports
    for number, mode, resource in modes.ports:
        part = PortSet.single("TCP", number) & rest
        if part:
            rest -= part
            yield part, mode, resource
    if rest:
        yield rest, modes.mode, modes.decided_by


class AuthorizationLayer(_MeshLayer):
    """AuthorizationPolicy at the destination's proxy."""

    name = AUTHORISATION

    def address_sets(self) -> Iterable[AddressSet]:
        """The blocks that rules name."""
        return self.mesh.authorizations.addresses if self.mesh.present else ()

    def distinguishes(self, endpoint: Endpoint) -> Hashable:
        """As a source by what rules can tell, as a destination by what binds it."""
        if not self.mesh.present:
            return None
        sides = self.mesh.authorizations.sides(self.mesh.peer(endpoint))
        if not isinstance(endpoint, Workload):
            return sides
        bond = self.mesh.bond(endpoint)
        if not self.mesh.tls_is_changed:
            return sides, bond.signature
        hosts = self.mesh.registry.of_workload.get(id(bond.pods), ()) if self.mesh.changes_tls(bond) else ()
        return sides, bond.signature, bond.pods.namespace, tuple(id(each) for each in hosts)

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the policies of the destination say of the source."""
        ports &= TCP
        if not ports or not self.mesh.present or not isinstance(destination, Workload):
            return ()
        bond = self.mesh.bond(destination)
        peer = self.mesh.peer(source)
        if isinstance(source, Workload) and self.mesh.towards(self.mesh.bond(source), bond)[0] not in (
            "",
            "ISTIO_MUTUAL",
        ):
            peer = replace(peer, principal=None)
        if bond.gateway is not None:
            return tuple(self._at_gateway(peer, source, bond, bond.gateway, ports))
        if bond.ambient and bond.bound.policies:
            reason = Because(
                AUTHORISATION, f"namespace {bond.pods.namespace} is ambient", reason="ambient is not modelled"
            )
            return (Opinion(AUTHORISATION, Verdict.UNKNOWN, ports, (reason,)),)
        return tuple(self.at_sidecar(bond, peer, ports))

    def at_sidecar(
        self, bond: Bond, peer: Peer, ports: PortSet, *, bound: Bound | None = None, within: HttpSet = HttpSet.ALL
    ) -> Iterable[Opinion]:
        """What a sidecar's policies say of a peer; `bound` where not all of them, `within` where not all requests can
        matter.
        """
        ports -= bond.excluded
        if not bond.proxied or not ports:
            return
        if bond.extension is not None:
            yield Opinion(AUTHORISATION, Verdict.UNKNOWN, ports, (bond.extension,))
            return
        policies = bond.bound if bound is None else bound
        for part, mode, _ in mode_parts(bond.modes, ports):
            seen = replace(peer, principal=None) if mode == DISABLE else peer
            for ports_, http, raw in (
                (part & bond.raw_ports, False, True),
                (part & bond.http_ports, True, False),
                (part - bond.raw_ports - bond.http_ports, True, True),
            ):
                yield from self.mesh.authorizations.opinions(policies, seen, ports_, http=http, raw=raw, within=within)

    def _at_gateway(
        self, peer: Peer, source: Endpoint, bond: Bond, proxy: GatewayProxy, ports: PortSet
    ) -> Iterable[Opinion]:
        if bond.extension is not None:
            yield Opinion(AUTHORISATION, Verdict.UNKNOWN, ports, (bond.extension,))
            return
        trusted = self.mesh.trusted_proxies(bond.pods)
        for number in proxy.ports:
            part = PortSet.single("TCP", number) & ports
            servers = proxy.on(number)
            if not part or not servers:
                continue
            seen = gateway_peer(peer, servers[0], trusted, direct=isinstance(source, (Addresses, Partner)))
            yield from self.mesh.authorizations.opinions(bond.bound, seen, part, http=servers[0].is_http, raw=False)


def gateway_peer(peer: Peer, server: Server, trusted_proxies: int, *, direct: bool) -> Peer:
    """A peer as a gateway's listener sees it: a mesh identity only over ISTIO_MUTUAL, the client's address from the
    connection, or from X-Forwarded-For where proxies in front of it are believed.
    """
    remote = peer.addresses if direct and trusted_proxies == 0 else None
    if server.tls == "ISTIO_MUTUAL":
        return replace(peer, remote=remote)
    foreign = server.tls in ("MUTUAL", "OPTIONAL_MUTUAL")
    return replace(peer, principal=None, remote=remote, foreign_certificate=foreign)


def mesh_layers(mesh: Mesh) -> list[Layer]:
    """The layers in the order in which they are asked."""
    return [RegistryLayer(mesh), MutualTlsLayer(mesh), AuthorizationLayer(mesh)]

"""Gateways: which servers listen on a gateway's pods, what TLS each asks for, and whom that lets in.

Servers of all Gateway objects that select a pod are merged; on one port, a second TLS server for a host that is
already served is skipped without a word (istio `pilot/pkg/model/gateway.go`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partner_mesh.analysis.layers import MUTUAL_TLS, ROUTE, Because, Workload
from partner_mesh.analysis.mesh_config import NETWORKING, MeshConfig, selector
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import host_matches
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass

AUTO_PASSTHROUGH: Final = "AUTO_PASSTHROUGH"
TERMINATING: Final = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL")
PARTNER_LABEL: Final = "partner-mesh.dev/partner"
OWN_PORTS: Final = (15020, 15021, 15090)  # health and metrics of the proxy itself


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """One server of a Gateway on one workload."""

    resource: Resource
    index: int
    number: int  # the port as written
    port: int  # the port that the pods listen on
    protocol: str
    tls: str  # "" without TLS
    hosts: tuple[tuple[str, str], ...]  # (namespace of VirtualServices or "*", host pattern)
    credential: str = ""
    names: tuple[str, ...] = ()  # subjectAltNames
    redirects: bool = False

    @property
    def gateway(self) -> str:
        """`namespace/name` of the Gateway."""
        return f"{self.resource.namespace}/{self.resource.name}"

    @property
    def is_http(self) -> bool:
        """Whether the proxy reads HTTP here."""
        if self.protocol in ("HTTP", "HTTP2", "GRPC", "GRPC-WEB"):
            return True
        return self.protocol == "HTTPS" and self.tls in TERMINATING

    @property
    def partner(self) -> str:
        """The partner that the Gateway's label names."""
        return self.resource.labels.get(PARTNER_LABEL, "")

    def because(self, layer: str = MUTUAL_TLS, reason: str = "") -> Because:
        """The server as a reason."""
        return Because.of(layer, self.resource, reason, ("spec", "servers", self.index))

    def serves(self, host: str) -> bool:
        """Whether one of its host patterns holds this host."""
        return any(host_matches(pattern, host) for _, pattern in self.hosts)


@dataclass(frozen=True, slots=True, eq=False)
class GatewayProxy:
    """A workload that runs as a gateway, with all its servers in the order in which istiod merges them."""

    pods: Pods
    servers: tuple[Server, ...]

    @property
    def endpoint(self) -> Workload:
        """The workload."""
        return self.pods.endpoint

    def on(self, port: int) -> tuple[Server, ...]:
        """The servers on a port of the pods."""
        return tuple(each for each in self.servers if each.port == port)

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port of the pods that a server listens on."""
        return tuple(sorted({each.port for each in self.servers}))


class Gateways:
    """All gateway workloads."""

    def __init__(self, world: World, mesh: MeshConfig, converted: Iterable[Resource] = ()) -> None:
        self.world = world
        self.notes: list[Note] = []
        listed = [*world.of(NETWORKING, "Gateway"), *converted]
        self.resources = sorted(listed, key=lambda each: (each.name, each.namespace))
        self.proxies: dict[Workload, GatewayProxy] = {}
        bound: dict[Workload, tuple[Pods, list[Resource]]] = {}
        for resource in self.resources:
            chosen = selector(resource) or _plain_selector(resource)
            found = list(self._selected(chosen, resource.namespace if mesh.gateways_in_own_namespace else None))
            for pods in found:
                bound.setdefault(pods.endpoint, (pods, []))[1].append(resource)
            if not found:
                text = f"{resource.title} selects no workload among the objects: who comes in through it is not shown"
                self.notes.append(Note(resource.source, text))
        for endpoint, (pods, resources) in sorted(bound.items(), key=lambda each: str(each[0])):
            self.proxies[endpoint] = GatewayProxy(pods, tuple(self._servers(pods, resources)))

    def _selected(self, labels: Mapping[str, str], namespace: str | None) -> Iterable[Pods]:
        """The workloads that a Gateway selects. Without a selector it would bind every proxy that asks: none here."""
        if not labels:
            return
        for name in self.world.namespaces if namespace is None else [namespace]:
            yield from self.world.select(name, labels)

    def _servers(self, pods: Pods, resources: list[Resource]) -> Iterable[Server]:
        translation = self._ports_of(pods)
        taken: dict[tuple[int, str, str], Resource] = {}
        for resource in resources:
            for index, document in enumerate(items(resource.spec.get("servers"))):
                server = _server(resource, index, document, translation) if isinstance(document, Mapping) else None
                if server is None:
                    continue
                if server.tls:
                    bind = str(document.get("bind") or "")
                    keys = [(server.port, bind, f"{home}/{host}") for home, host in server.hosts]
                    owner = next((taken[key] for key in keys if key in taken), None)
                    if owner is not None:
                        text = (
                            f"{resource.title}: server {index} is skipped: {owner.title} serves its host on this port"
                        )
                        self.notes.append(Note(resource.source, text))
                        continue
                    taken.update(dict.fromkeys(keys, resource))
                yield server

    def _ports_of(self, pods: Pods) -> dict[int, int]:
        """Service port → target port, of every Service that leads to the gateway; the first of a port counts."""
        found: dict[int, int] = {}
        for service in self.world.services:
            if service.namespace != pods.namespace or not service.selector:
                continue
            if not service.selector.items() <= pods.labels.items():
                continue
            for port in service.ports:
                targets = [low for _, spans in self.world.target(pods, port).by_protocol() for low, _ in spans]
                if port.protocol == "TCP" and targets:
                    found.setdefault(port.port, targets[0])
        return found


def _plain_selector(resource: Resource) -> dict[str, str]:
    """A Gateway's `selector` is a plain map of labels."""
    value = resource.spec.get("selector")
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, Mapping) else {}


def _server(resource: Resource, index: int, document: Mapping[str, Any], ports: Mapping[int, int]) -> Server | None:
    port = document.get("port")
    number = port.get("number") if isinstance(port, Mapping) else None
    if not isinstance(port, Mapping) or not isinstance(number, int):
        return None
    tls = document.get("tls")
    tls = tls if isinstance(tls, Mapping) else {}
    redirects = tls.get("httpsRedirect") is True
    protocol = str(port.get("protocol") or "HTTP").upper()
    # The mode that is left out is the enumeration's first (istio api, networking/v1alpha3/gateway.proto).
    mode = str(tls.get("mode") or ("PASSTHROUGH" if tls else "SIMPLE" if protocol in ("HTTPS", "TLS") else ""))
    hosts: list[tuple[str, str]] = []
    for each in items(document.get("hosts")):
        home, slash, host = str(each).rpartition("/")
        home = resource.namespace if home == "." else home
        hosts.append((home if slash else "*", host.lower()))
    return Server(
        resource,
        index,
        number,
        ports.get(number, number),
        protocol,
        "" if redirects and protocol == "HTTP" else mode,
        tuple(hosts),
        str(tls.get("credentialName") or ""),
        tuple(str(each) for each in items(tls.get("subjectAltNames"))),
        redirects,
    )


def refusing(servers: Iterable[Server], layer: str = ROUTE, reason: str = "") -> tuple[Because, ...]:
    """A few of many servers, and how many more there are."""
    listed = list(servers)
    shown = [each.because(layer, reason) for each in listed[:3]]
    if len(listed) > 3:
        shown[-1] = listed[2].because(layer, f"{reason}, as do {len(listed) - 3} more servers".lstrip(", "))
    return tuple(shown)

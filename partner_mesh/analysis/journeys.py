"""Ways that lead through gateways: from outside to a workload, and from a workload to an outside host.

A pair of endpoints tells nothing of these: a partner's packets end at the gateway, and a request goes on where the
routes say. So each server of each gateway is followed to where its routes lead, once, and the answer is a connection
from the client to the workload. The work grows with the number of servers and routes, never with partners squared:
what "another partner" can do at a partner's host is decided by the servers that could serve that host.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from partner_mesh.analysis import http, passthrough, strings
from partner_mesh.analysis.ambient import Ambient
from partner_mesh.analysis.authentication import DISABLE, STRICT
from partner_mesh.analysis.authorization_layer import AuthorizationLayer
from partner_mesh.analysis.bound_policies import Bound
from partner_mesh.analysis.callers import Caller, Callers
from partner_mesh.analysis.gateways import AUTO_PASSTHROUGH, GatewayProxy, Server
from partner_mesh.analysis.http import HttpSet, Requests
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    MUTUAL_TLS,
    ROUTE,
    Addresses,
    Because,
    Endpoint,
    Opinion,
    Verdict,
    Workload,
)
from partner_mesh.analysis.mesh import Bond, Mesh
from partner_mesh.analysis.mutual_tls import mode_parts
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.policies_by_host import PoliciesByHost
from partner_mesh.analysis.registry import Host
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.routes import Leg, Proxy, Target, legs, raw_legs
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.ways import Fate, Way, settled
from partner_mesh.model.record import dataclass, replace

Hop = Callable[[Endpoint, Endpoint, PortSet], Sequence[Sequence[Opinion]]]
"""What each layer below says of packets between two endpoints, on ports of the destination."""


class Arrival(Protocol):
    """What each layer below says of a client from outside at a gateway's port, load balancers included."""

    def __call__(
        self, source: Addresses, gateway: Workload, ports: PortSet, *, forwarded: bool
    ) -> Sequence[Sequence[Opinion]]:
        """Stage by stage; `forwarded` where a proxy in between calls from an address of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Journey:
    """What comes of some requests from a client to a destination that lies behind a gateway."""

    source: Endpoint
    destination: Endpoint
    ports: PortSet  # of the destination
    fate: Fate
    gateway: Workload
    host: str


@dataclass(frozen=True, slots=True)
class End:
    """Where a leg ends: a workload and one of its ports."""

    pods: Pods
    ports: PortSet
    host: Host
    target: Target


class Ingress:
    """Journeys from outside to workloads."""

    def __init__(self, mesh: Mesh, hop: Hop, arrive: "Arrival") -> None:
        self.mesh = mesh
        self.hop = hop
        self.arrive = arrive
        self.callers = Callers(mesh)
        self.authorization = AuthorizationLayer(mesh)
        self._narrow: dict[tuple[int, str], Bound] = {}
        self._by_host: dict[int, PoliciesByHost] = {}
        self._hops: dict[tuple[Endpoint, Endpoint, PortSet], Sequence[Sequence[Opinion]]] = {}
        self.ambient = Ambient(mesh, self.carried)
        self.passthrough = passthrough.Passthrough(mesh)

    def journeys(self) -> Iterable[Journey]:
        """Every client at every server that faces outwards, in the order of gateways, servers, hosts."""
        for proxy in self.mesh.gateways.proxies.values():
            for server in proxy.servers:
                if server.tls == AUTO_PASSTHROUGH:
                    yield from self._through(proxy, server)
                elif server.tls != "ISTIO_MUTUAL" and not server.redirects:
                    yield from self._at(proxy, server)

    def _through(self, proxy: GatewayProxy, server: Server) -> Iterable[Journey]:
        """From the other cluster to what lies behind a door that ends no connection."""
        for pods, ports, host in self.passthrough.ends(proxy, server):
            asked = self.passthrough.requests(pods, ports)
            way = Way.begin(asked)
            port = PortSet.single("TCP", server.port)
            for opinions in self.arrive(Addresses(passthrough.CALLER.addresses), proxy.endpoint, port, forwarded=False):
                way = way.through(opinions)
            way = self.passthrough.judged(self.carried(way, proxy.endpoint, pods.endpoint, ports), pods, ports)
            nowhere = (server.because(ROUTE, "leads nowhere"),)
            for fate in settled([way], asked, nowhere):
                yield Journey(passthrough.CALLER, pods.endpoint, ports, fate, proxy.endpoint, host)

    def _at(self, proxy: GatewayProxy, server: Server) -> Iterable[Journey]:
        for home, pattern in server.hosts:
            routes = self._routes(proxy, server, home, pattern)
            for host, ends in routes:
                for caller in self.callers.at(proxy, server, host, self._cuts(proxy, host, ends)):
                    if server.tls and "*" not in host:  # the server was chosen by this name
                        caller = replace(caller, peer=replace(caller.peer, sni=host))  # noqa: PLW2901
                    yield from self._followed(proxy, server, caller, host, ends)

    def _cuts(self, proxy: GatewayProxy, host: str, ends: list[tuple[Leg, list[End]]]) -> list[AddressSet]:
        """The blocks of addresses that policies for this host tell apart, at the gateway and at the workloads."""
        bounds = {id(each): each for each in (self.mesh.bond(proxy.endpoint).bound,)}
        for leg, reached in ends:
            for end in reached:
                bound = self.mesh.bond(end.pods.endpoint).bound
                near = self.narrowed(bound, leg.rewrite.authority or host)
                bounds[id(near)] = near
        return [
            block
            for bound in bounds.values()
            for policy in bound.policies
            for _, rule in policy.rules
            for block in rule.mentioned.addresses
        ]

    # Where it leads --------------------------------------------------------------------------------------------

    def _routes(
        self, proxy: GatewayProxy, server: Server, home: str, pattern: str
    ) -> Iterable[tuple[str, list[tuple[Leg, list[End]]]]]:
        """For each host that VirtualServices serve here, the legs and where each ends."""
        bound = self.mesh.virtual_services.bound(server.gateway, proxy.pods.namespace, pattern)
        by_host: dict[str, list[Resource]] = {}
        for host, resource in bound:
            if home in ("*", resource.namespace):
                by_host.setdefault(host, []).append(resource)
        client = Proxy(proxy.pods.namespace, proxy.pods.labels, server.gateway)
        for host, resources in sorted(by_host.items()):
            if server.is_http:
                found = legs(resources, client, server.number)
            else:
                found = list(raw_legs(resources, client, server.number))
            yield host, [(leg, list(self.ends(leg, proxy.pods))) for leg in found]

    def ends(self, leg: Leg, client: Pods) -> Iterable[End]:
        """The workloads behind a leg's targets."""
        for each in leg.targets:
            host = self.mesh.registry.lookup(each.host, client.namespace)
            port = host.port(each.port) if host is not None else None
            if host is None or port is None:
                continue
            labels: dict[str, str] | None = {}
            if each.subset:
                rules = self.mesh.destination_rules.of(host, each.host, client.namespace, client.labels)
                labels = self.mesh.destination_rules.labels(rules, each.subset)
            for pods in self.mesh.registry.workloads(host):
                reached = self.mesh.registry.target(host, port, pods)
                if labels is not None and labels.items() <= pods.labels.items() and reached:
                    yield End(pods, reached, host, each)

    # What comes of it ------------------------------------------------------------------------------------------

    def _followed(
        self, proxy: GatewayProxy, server: Server, caller: Caller, host: str, ends: list[tuple[Leg, list[End]]]
    ) -> Iterable[Journey]:
        asked = requests_for(host) if server.is_http else None
        door = self._door(proxy, server, caller, host, asked)
        ways: dict[tuple[Workload, PortSet], list[Way]] = {}
        for leg, reached in ends:
            for end in reached:
                requests = None if asked is None else leg.requests
                way = door.taking(requests, leg.rewrite, leg.because)
                if leg.fate == "unknown":
                    why = Because.of(ROUTE, leg.because.resource, leg.reason) if leg.because.resource else leg.because
                    way = way.through((Opinion(ROUTE, Verdict.UNKNOWN, TCP, (why,)),))
                way = self.inside(way, proxy, end, caller.peer, host)
                ways.setdefault((end.pods.endpoint, end.ports), []).append(way)
            if leg.fate == "unknown" and not reached:  # nobody can say where it leads: the gateway stands for that
                why = Because.of(ROUTE, leg.because.resource, leg.reason) if leg.because.resource else leg.because
                way = door.taking(None if asked is None else leg.requests, leg.rewrite, leg.because)
                for fate in way.through((Opinion(ROUTE, Verdict.UNKNOWN, TCP, (why,)),)).open:
                    port = PortSet.single("TCP", server.port)
                    yield Journey(caller.endpoint, proxy.endpoint, port, fate, proxy.endpoint, host)
        nowhere = tuple(dict.fromkeys(leg.because for leg, _ in ends))[:3]
        otherwise = tuple(Because.of(ROUTE, each.resource, "no route leads here") for each in nowhere if each.resource)
        for (endpoint, ports), listed in ways.items():
            refused = Way(()) if caller.handshake is None or caller.handshake.verdict is not Verdict.DENIED else None
            if refused is None:  # nobody gets past the door: one answer for everything
                fates = [Fate(Verdict.DENIED, asked, caller.handshake.because)] if caller.handshake else []
            else:
                fates = settled(listed, asked, otherwise)
            for fate in fates:
                yield Journey(caller.endpoint, endpoint, ports, fate, proxy.endpoint, host)

    def _door(self, proxy: GatewayProxy, server: Server, caller: Caller, host: str, asked: HttpSet | None) -> Way:
        """Up to the gateway's own policies."""
        way = Way.begin(asked)
        if caller.handshake is not None:
            way = way.through((caller.handshake,))
            if caller.handshake.verdict is Verdict.DENIED:
                return way
        elif server.tls in ("MUTUAL", "OPTIONAL_MUTUAL"):
            way = way.through((Opinion(MUTUAL_TLS, Verdict.ALLOWED, TCP, (server.because(),)),))
        port = PortSet.single("TCP", server.port)
        client = Addresses(caller.endpoint.addresses)
        for opinions in self.arrive(client, proxy.endpoint, port, forwarded=self.behind(proxy)):
            way = way.through(opinions)
        bond = self.mesh.bond(proxy.endpoint)
        if bond.extension is not None:
            return way.through((Opinion(AUTHORISATION, Verdict.UNKNOWN, port, (bond.extension,)),))
        bound = self.narrowed(bond.bound, host)
        peer = caller.peer if not self.behind(proxy) else replace(caller.peer, addresses=None)
        within = HttpSet.ALL if asked is None else asked
        return way.through(
            self.mesh.authorizations.opinions(bound, peer, port, http=server.is_http, raw=False, within=within)
        )

    def inside(self, way: Way, proxy: GatewayProxy, end: End, peer: Peer, host: str) -> Way:
        """From the gateway to the workload: packets, mTLS, the workload's policies."""
        bond = self.mesh.bond(end.pods.endpoint)
        if bond.ambient:
            return self.ambient.entered(way, proxy, (end.host.service, end.target.port), (bond, end.ports), peer.token)
        way = self.carried(way, proxy.endpoint, end.pods.endpoint, end.ports)
        if not bond.proxied or not way.open:
            return way
        sender = self.mesh.bond(proxy.endpoint)
        identified, opinion = self.hand_over(sender, bond, end)
        way = way.through(opinion)
        # The gateway appends the address it sees to X-Forwarded-For, and the sidecar believes the last one: behind a
        # layer-7 load balancer that is the balancer's; without HTTP there is no header, only the gateway's address.
        reads_http = any(each.requests is not None for each in way.open)
        remote = peer.remote if reads_http and not self.behind(proxy) else proxy.pods.addresses or None
        seen = Peer(
            sender.principal if identified else None,
            proxy.pods.addresses or None,
            remote,
            peer.token,
            claims_remote=False,
        )
        authority = next((each.authority for each in reversed(way.rewrites) if each.authority), host)
        bound = self.narrowed(bond.bound, authority)
        within = requests_for(authority) if reads_http else HttpSet.ALL
        return way.through(list(self.authorization.at_sidecar(bond, seen, end.ports, bound=bound, within=within)))

    def hand_over(self, sender: Bond, receiver: Bond, end: End) -> tuple[bool, Sequence[Opinion]]:
        """Whether the sender's identity is shown to the receiver, and what the receiver's mode says of it."""
        rules = self.mesh.destination_rules.of(end.host, end.target.host, sender.pods.namespace, sender.pods.labels)
        said = self.mesh.destination_rules.tls(rules, end.target.subset, end.target.port)
        mode = str(said[0].get("mode") or "DISABLE") if said is not None else ""
        identified = mode == "ISTIO_MUTUAL" or (not mode and self.mesh.config.auto_mtls)
        found: list[Opinion] = []
        shown = False
        for part, wanted, resource in mode_parts(receiver.modes, end.ports):
            by = (Because.of(MUTUAL_TLS, resource, wanted),) if resource is not None else ()
            if not identified and wanted == STRICT:
                why = (Because.of(MUTUAL_TLS, said[1], f"tls.mode {mode}"),) if said is not None else by
                found.append(Opinion(MUTUAL_TLS, Verdict.DENIED, part, why))
                continue
            shown = identified and wanted != DISABLE
            found.append(Opinion(MUTUAL_TLS, Verdict.ALLOWED, part, by))
        return shown, found

    def narrowed(self, bound: Bound, host: str) -> Bound:
        """Of a workload's policies those that can say anything of a host: of a thousand partners' a handful."""
        if "*" in host:
            return bound
        key = (id(bound), host)
        if key not in self._narrow:
            index = self._by_host.get(key[0])
            if index is None:
                index = self._by_host[key[0]] = PoliciesByHost(bound)
            self._narrow[key] = index.near(host)
        return self._narrow[key]

    def behind(self, proxy: GatewayProxy) -> bool:
        """Whether a proxy stands in front of the gateway that tells it the client's address."""
        return self.mesh.trusted_proxies(proxy.pods) > 0

    def carried(self, way: Way, source: Endpoint, destination: Endpoint, ports: PortSet) -> Way:
        """After the layers that judge packets: security groups and network policies."""
        key = source, destination, ports
        if key not in self._hops:
            self._hops[key] = self.hop(source, destination, ports)
        for opinions in self._hops[key]:
            way = way.through(opinions)
        return way


@lru_cache(maxsize=16384)
def requests_for(host: str) -> HttpSet:
    """All requests for a host pattern, with a port in the Host header or without."""
    return http.of([Requests(strings.host_pattern(host))])

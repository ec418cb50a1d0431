"""Journeys from a workload to an outside host: by its own sidecar, or through an egress gateway.

The host is one of the registry (ServiceEntry), or one that only a VirtualService knows (`captured.py`). The sidecar's
routes for it decide what comes next; at an egress gateway the server, its policies and its own routes do. What leaves,
and how it is secured, is the last stage.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from partner_mesh.analysis.captured import Captured
from partner_mesh.analysis.gateways import GatewayProxy, Server
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.journeys import End, Ingress, Journey, requests_for
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    EGRESS_REGISTRY,
    MUTUAL_TLS,
    ROUTE,
    Addresses,
    Because,
    ExternalHost,
    Opinion,
    Verdict,
)
from partner_mesh.analysis.mesh import Bond, Mesh
from partner_mesh.analysis.mutual_tls import PLAINTEXT
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.registry import Host, RegistryPort
from partner_mesh.analysis.routes import MESH, Leg, Proxy, Target, legs, raw_legs
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.ways import Fate, Way, settled
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a way out: a host, a port of it, and the way that led there."""

    host: str
    port: int
    way: Way
    gateway: GatewayProxy | None


class Egress:
    """Journeys from workloads to outside hosts."""

    def __init__(self, mesh: Mesh, ingress: Ingress) -> None:
        self.mesh = mesh
        self.ingress = ingress  # its narrowing of policies and its hops serve here too
        outside = AddressSet.ALL - AddressSet.union(AddressSet.of(each) for each in _PRIVATE)
        self.internet = Addresses(outside)
        self.captured = Captured(mesh.registry, mesh.virtual_services, mesh.config)

    def journeys(self) -> Iterable[Journey]:
        """Every workload with every outside host that its sidecar is told of, in the order of workloads and hosts."""
        hosts = [
            host
            for name in sorted(self.mesh.registry.hosts)
            for host in self.mesh.registry.hosts[name]
            if host.external and host.service is None
        ]
        hosts += self.captured.hosts
        hosts.sort(key=lambda each: each.name)
        hosts += [each for each in self.mesh.registry.wildcards if each.external]
        unserved = {id(host) for host in self.captured.hosts}
        told = _told(hosts)
        by_namespace: dict[str, list[Host]] = {}
        for endpoint in self.mesh.world.workloads:
            bond = self.mesh.bond(endpoint)
            if not bond.proxied or bond.gateway is not None:
                continue
            namespace = bond.pods.namespace
            if namespace not in by_namespace:
                places = sorted({*told.get("*", ()), *told.get(namespace, ())})
                by_namespace[namespace] = [hosts[place] for place in places]
            for host in by_namespace[namespace]:
                known = self.captured.sees(bond.scope, host) if id(host) in unserved else bond.scope.sees(host)
                if known:
                    yield from self.between(bond, host)

    def between(self, bond: Bond, host: Host) -> Iterable[Journey]:
        """What comes of one workload's calls to one outside host."""
        for port in host.ports:
            if not bond.scope.sees(host, port.number):
                continue
            asked = requests_for(host.name) if not port.is_raw else None
            exits = list(self._exits(bond, host, port, asked))
            by_end: dict[tuple[str, int], list[Exit]] = {}
            for each in exits:
                by_end.setdefault((each.host, each.port), []).append(each)
            for (name, number), listed in by_end.items():
                otherwise = (Because.of(ROUTE, host.resource, "no route leads there"),)
                gateway = next((each.gateway for each in listed if each.gateway is not None), None)
                for fate in settled([each.way for each in listed], asked, otherwise):
                    via = gateway.endpoint if gateway is not None else bond.pods.endpoint
                    ports = PortSet.single("TCP", number)
                    yield Journey(bond.pods.endpoint, ExternalHost(name), ports, fate, via, host.name)

    def _exits(self, bond: Bond, host: Host, port: RegistryPort, asked: HttpSet | None) -> Iterable[Exit]:
        way = Way.begin(asked)
        known = Opinion(EGRESS_REGISTRY, Verdict.ALLOWED, TCP, (Because.of(EGRESS_REGISTRY, host.resource),))
        way = way.through((known,))
        found = self._legs(bond, host.name, MESH, port.number, http=asked is not None)
        if not found and host.resource.kind == "ServiceEntry":
            yield Exit(host.name, port.number, self._leaving(way, bond, host, port.number, ""), None)
        for leg in found:
            ahead = _along(way, leg, asked)
            for each in leg.targets:
                yield from self._onwards(ahead, bond, host, each)

    def _legs(self, bond: Bond, name: str, gateway: str, port: int, *, http: bool) -> list[Leg]:
        namespace = bond.pods.namespace
        bound = self.mesh.virtual_services.bound(gateway, namespace, name)
        resources = list(dict.fromkeys(resource for _, resource in bound))
        proxy = Proxy(namespace, bond.pods.labels, gateway)
        return legs(resources, proxy, port) if http else list(raw_legs(resources, proxy, port))

    def _onwards(self, way: Way, bond: Bond, called: Host, leads_to: Target) -> Iterable[Exit]:
        """From a route's target of the sidecar: outside at once, or to an egress gateway."""
        host = self.mesh.registry.lookup(leads_to.host, bond.pods.namespace)
        if host is None:
            why = Because.of(EGRESS_REGISTRY, called.resource, f"{leads_to.host} is not known here")
            lost = way.through((Opinion(EGRESS_REGISTRY, Verdict.DENIED, TCP, (why,)),))
            yield Exit(leads_to.host, leads_to.port or 0, lost, None)
            return
        if host.external and not self.mesh.registry.workloads(host):
            number = leads_to.port or (host.ports[0].number if host.ports else 0)
            yield Exit(host.name, number, self._leaving(way, bond, host, number, leads_to.subset), None)
            return
        port = host.port(leads_to.port)
        for pods in self.mesh.registry.workloads(host):
            proxy = self.mesh.gateways.proxies.get(pods.endpoint)
            if proxy is not None and port is not None:
                end = End(pods, self.mesh.registry.target(host, port, pods), host, leads_to)
                yield from self._at_gateway(way, bond, called, proxy, end)

    def _at_gateway(self, way: Way, bond: Bond, called: Host, proxy: GatewayProxy, end: End) -> Iterable[Exit]:
        """Through an egress gateway: the hop, its server's TLS, its policies, its routes."""
        name = next((each.authority for each in reversed(way.rewrites) if each.authority), called.name)
        way = self.ingress.carried(way, bond.pods.endpoint, proxy.endpoint, end.ports)
        rules = self.mesh.destination_rules.of(end.host, end.target.host, bond.pods.namespace, bond.pods.labels)
        said = self.mesh.destination_rules.tls(rules, end.target.subset, end.target.port)
        tls: Mapping[str, Any] = said[0] if said is not None else {}
        mode = str(tls.get("mode") or "")
        servers = [each for each in proxy.servers if PortSet.single("TCP", each.port) & end.ports]
        sni = str(tls.get("sni") or "")
        chosen = next((each for each in servers if not each.tls or each.serves(sni or name)), None)
        if chosen is None:
            none = tuple(each.because(ROUTE, f"no server for {sni or name}") for each in servers[:1])
            lost = way.through((Opinion(ROUTE, Verdict.DENIED, TCP, none or (_NOT_LISTENING,)),))
            yield Exit(name, 0, lost, proxy)
            return
        way, identified = self._handshake(way, chosen, mode, said[1] if said is not None else None)
        gateway = self.mesh.bond(proxy.endpoint)
        peer = Peer(bond.principal if identified else None, bond.pods.addresses or None, sni=sni or None)
        if gateway.extension is not None:
            way = way.through((Opinion(AUTHORISATION, Verdict.UNKNOWN, TCP, (gateway.extension,)),))
        else:
            bound = self.ingress.narrowed(gateway.bound, name)
            within = requests_for(name) if chosen.is_http else HttpSet.ALL
            way = way.through(
                self.mesh.authorizations.opinions(bound, peer, end.ports, http=chosen.is_http, raw=False, within=within)
            )
        asked = requests_for(name) if chosen.is_http else None
        found = self._legs(gateway, name, chosen.gateway, chosen.number, http=chosen.is_http)
        found = [leg for leg in found if self._served(chosen, leg)]
        if not found:
            why = chosen.because(ROUTE, f"no VirtualService of this gateway serves {name}")
            yield Exit(name, 443, way.through((Opinion(ROUTE, Verdict.DENIED, TCP, (why,)),)), proxy)
        for leg in found:
            ahead = _along(way, leg, asked)
            for each in leg.targets:
                host = self.mesh.registry.lookup(each.host, gateway.pods.namespace)
                if host is None:
                    why = (
                        Because.of(ROUTE, leg.because.resource, f"{each.host} is not known")
                        if leg.because.resource
                        else leg.because
                    )
                    yield Exit(
                        each.host, each.port or 0, ahead.through((Opinion(ROUTE, Verdict.DENIED, TCP, (why,)),)), proxy
                    )
                    continue
                number = each.port or (host.ports[0].number if len(host.ports) == 1 else 0)
                yield Exit(host.name, number, self._leaving(ahead, gateway, host, number, each.subset), proxy)

    def _served(self, server: Server, leg: Leg) -> bool:
        """Whether a server takes routes from a VirtualService of this namespace."""
        resource = leg.because.resource
        return resource is None or any(home in ("*", resource.namespace) for home, _ in server.hosts)

    def _handshake(self, way: Way, server: Server, mode: str, rule: Any) -> tuple[Way, bool]:
        """The server's TLS against the client's mode."""
        identified = mode == "ISTIO_MUTUAL" or (not mode and self.mesh.config.auto_mtls)
        if server.tls == "ISTIO_MUTUAL":
            verdict = Verdict.ALLOWED if identified else Verdict.DENIED
            because = server.because(MUTUAL_TLS, "" if identified else f"the client's mode is {mode}")
            return way.through((Opinion(MUTUAL_TLS, verdict, TCP, (because,)),)), identified
        if server.tls:
            return way, False
        if mode not in ("", "DISABLE") and rule is not None:
            because = Because.of(MUTUAL_TLS, rule, f"tls.mode {mode} towards a server without TLS")
            return way.through((Opinion(MUTUAL_TLS, Verdict.DENIED, TCP, (because,)),)), False
        because = server.because(MUTUAL_TLS, PLAINTEXT)
        return way.through((Opinion(MUTUAL_TLS, Verdict.ALLOWED, TCP, (because,)),)), False

    def _leaving(self, way: Way, bond: Bond, host: Host, port: int, subset: str) -> Way:
        """The last stage: packets to the internet, and how they are secured."""
        way = self.ingress.carried(way, bond.pods.endpoint, self.internet, PortSet.single("TCP", port))
        declared = host.port(port)
        if declared is not None and declared.is_raw and all(each.requests is None for each in way.open):
            return way  # TLS, if any, is the application's own
        rules = self.mesh.destination_rules.of(host, host.name, bond.pods.namespace, bond.pods.labels)
        said = self.mesh.destination_rules.tls(rules, subset, port)
        if said is None:
            because = Because.of(MUTUAL_TLS, host.resource, f"{PLAINTEXT}: no DestinationRule originates TLS")
            return way.through((Opinion(MUTUAL_TLS, Verdict.ALLOWED, TCP, (because,)),))
        mode = str(said[0].get("mode") or "DISABLE")
        reason = mode
        if mode == "DISABLE":
            reason = PLAINTEXT
        elif said[0].get("credentialName") and bond.gateway is None and not _selects(said[1]):
            reason = f"{PLAINTEXT}: a sidecar ignores credentialName without workloadSelector"
        return way.through((Opinion(MUTUAL_TLS, Verdict.ALLOWED, TCP, (Because.of(MUTUAL_TLS, said[1], reason),)),))


def _along(way: Way, leg: Leg, asked: HttpSet | None) -> Way:
    ahead = way.taking(None if asked is None else leg.requests, leg.rewrite, leg.because)
    if leg.fate == "unknown" and leg.because.resource is not None:
        why = Because.of(ROUTE, leg.because.resource, leg.reason)
        ahead = ahead.through((Opinion(ROUTE, Verdict.UNKNOWN, TCP, (why,)),))
    return ahead


def _selects(resource: Any) -> bool:
    return bool(resource.spec.get("workloadSelector"))


_NOT_LISTENING = Because(ROUTE, "no server of the egress gateway listens there")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10",
            "224.0.0.0/3", "0.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128", "ff00::/8")  # fmt: skip

__all__ = ["Egress", "Exit", "Fate"]


def _told(hosts: Sequence[Host]) -> dict[str, list[int]]:
    """Namespace, or `*` for all → the places of the hosts that are exported to it."""
    found: dict[str, list[int]] = {}
    for place, host in enumerate(hosts):
        for each in host.exports:
            found.setdefault(host.namespace if each == "." else each, []).append(place)
    return found

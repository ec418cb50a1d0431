"""Waypoints: the proxies that judge requests for Services whose pods have none of their own.

A waypoint obeys policies that name it, or a Service of its own, by `targetRefs`, and no selector (`ShouldAttachPolicy`,
istio pilot/pkg/model/policyattachment.go). It is called on port 15008 alone, by mutual TLS. Which Service is meant the
tunnel says and not the request: so a verdict holds for a request to any of them, and names the policy.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from partner_mesh.analysis.authentication import RequestAuthentications
from partner_mesh.analysis.authorization import Authorizations
from partner_mesh.analysis.bound_policies import Bound
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import AUTHORISATION, Because, Opinion, Verdict, Workload
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.registry import Registry
from partner_mesh.analysis.services import Service, ServicePort
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.ways import Way, settled
from partner_mesh.model.record import dataclass

GATEWAY_API: Final = "gateway.networking.k8s.io"
CLASS: Final = "istio-waypoint"
NAME_LABEL: Final = f"{GATEWAY_API}/gateway-name"
CLASS_LABEL: Final = f"{GATEWAY_API}/gateway-class-name"
USE: Final = "istio.io/use-waypoint"
HBONE: Final = PortSet.single("TCP", 15008)


@dataclass(frozen=True, slots=True, eq=False)
class Waypoint:
    """One waypoint: its pods, and the Services that they judge requests for."""

    pods: Pods
    name: str  # of the Gateway
    services: tuple[Service, ...]


class Waypoints:
    """All waypoints, by their workload and by the Services they serve."""

    def __init__(
        self, world: World, registry: Registry, authorizations: Authorizations, tokens: RequestAuthentications
    ) -> None:
        self.world = world
        self.registry = registry
        self.authorizations = authorizations
        self.tokens = tokens
        self._bounds: dict[tuple[str, str, str], Bound] = {}

    @cached_property
    def by_workload(self) -> Mapping[Workload, Waypoint]:
        """Those whose pods are known: istiod makes them, so files alone may not hold them."""
        named = {
            (each.namespace, each.name)
            for each in self.world.of(GATEWAY_API, "Gateway")
            if each.spec.get("gatewayClassName") == CLASS
        }
        found = {}
        for endpoint, pods in self.world.workloads.items():
            name = pods.labels.get(NAME_LABEL, "")
            if name and (pods.labels.get(CLASS_LABEL) == CLASS or (pods.namespace, name) in named):
                key = (pods.namespace, name)
                served = tuple(each for each in self.world.services if self._used_by(each) == key)
                found[endpoint] = Waypoint(pods, name, served)
        return found

    def of(self, service: Service) -> Waypoint | None:
        """The waypoint that judges requests to a Service; None where there is none, or none of its pods are known."""
        key = self._used_by(service)
        return next((w for w in self.by_workload.values() if (w.pods.namespace, w.name) == key), None)

    def _used_by(self, service: Service) -> tuple[str, str] | None:
        for labels in (service.resource.labels, self.world.namespaces.get(service.namespace, {})):
            if name := labels.get(USE):
                return None if name == "none" else (labels.get(f"{USE}-namespace", service.namespace), name)
        return None

    def bound(self, waypoint: Waypoint, service: Service) -> Bound:
        """The policies that hold for requests to a Service at its waypoint."""
        key = (waypoint.pods.namespace, waypoint.name, f"{service.namespace}/{service.name}")
        if key not in self._bounds:
            targets = [(waypoint.pods.namespace, "Gateway", waypoint.name)]
            targets.append((service.namespace, "Service", service.name))
            self._bounds[key] = Bound(self.authorizations.attached(targets), self.tokens.attached(targets))
        return self._bounds[key]

    def judging(self, waypoint: Waypoint) -> Bound:
        """The policies of a waypoint for any of its Services."""
        key = (waypoint.pods.namespace, waypoint.name, "")
        if key not in self._bounds:
            targets = [(waypoint.pods.namespace, "Gateway", waypoint.name)]
            targets += [(each.namespace, "Service", each.name) for each in waypoint.services]
            self._bounds[key] = Bound(self.authorizations.attached(targets), self.tokens.attached(targets))
        return self._bounds[key]

    def opinions(self, waypoint: Waypoint, peer: Peer) -> Iterator[Opinion]:
        """What comes of a caller's requests, to whichever of the waypoint's Services."""
        ways = [
            Way.begin(HttpSet.ALL).through(self.judged(waypoint, service, port, peer))
            for service in waypoint.services
            for port in service.ports
            if port.protocol == "TCP"
        ]
        nobody = (Because(AUTHORISATION, f"waypoint {waypoint.name}", reason="serves no Service"),)
        for fate in settled(ways, HttpSet.ALL, nobody):
            whole = fate.requests is None or fate.requests == HttpSet.ALL
            yield Opinion(AUTHORISATION, fate.verdict, HBONE, fate.because, None if whole else fate.requests)

    def judged(
        self, waypoint: Waypoint, service: Service, port: ServicePort, peer: Peer, within: HttpSet = HttpSet.ALL
    ) -> tuple[Opinion, ...]:
        """What the policies say of requests to one port of a Service: it is the Service's port that they see."""
        host = self.registry.lookup(service.host, service.namespace)
        declared = host.port(port.port) if host is not None else None
        single = PortSet.single("TCP", port.port)
        if declared is not None and declared.is_raw:
            reason = "a port that is no HTTP is not modelled at a waypoint"
            because = Because.of(AUTHORISATION, service.resource, reason)
            return (Opinion(AUTHORISATION, Verdict.UNKNOWN, single, (because,)),)
        bound = self.bound(waypoint, service)
        return self.authorizations.opinions(bound, peer, single, http=True, raw=False, within=within)

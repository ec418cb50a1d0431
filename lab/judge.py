"""What the analyser says of a probe: the same question that the data plane is asked, put in the analyser's terms.

The analyser knows workloads, partners and kinds of clients; a probe knows addresses, names and certificates. Here one
is told as the other: which server its server name finds, whose certificate it shows, which destination its address is.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lab.membership import contains
from lab.probe import OUTSIDE, Observation, Probe, Token
from lab.world import Server, World, endpoints, world
from lab.world import Workload as Pod
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.journeys import Journey
from partner_mesh.analysis.layers import (
    Addresses,
    Because,
    Client,
    Endpoint,
    ExternalHost,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.through_gateways import journeys

Document = Mapping[str, Any]
NETWORK_POLICY: Final = "NetworkPolicy"
ROOT: Final = "istio-system"
NO_TOKEN: Final = Because("authentication", "no RequestAuthentication takes the token")


@dataclass(frozen=True, slots=True)
class Expected:
    """A verdict on one probe. `reaches` are pods' keys or outside hosts, one of which answers if it is allowed."""

    verdict: Verdict
    reaches: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()

    @property
    def layer(self) -> str:
        """Which layer decided."""
        return self.because[-1].layer if self.because else ""

    def agrees(self, seen: Observation) -> bool:
        """Whether an observation is what was expected; of what the analyser cannot tell, anything is."""
        if self.verdict is Verdict.UNKNOWN:
            return True
        if self.verdict is Verdict.ALLOWED:
            return seen.reached in self.reaches
        return not seen.permitted

    def lines(self) -> list[str]:
        """For a person: the verdict, and a line for each object that made it."""
        to = f" to {' or '.join(self.reaches)}" if self.verdict is Verdict.ALLOWED else ""
        by = dict.fromkeys(f"  {b.layer}: {b.object}{f' ({b.reason})' if b.reason else ''}" for b in self.because)
        return [f"{self.verdict.value}{to}, because of", *by]

    def sentence(self) -> str:
        """The same in one line."""
        first, *rest = self.lines()
        return f"{first} {'; '.join(line.strip() for line in rest)}"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        decided = [each.document() for each in self.because]
        return {"verdict": self.verdict.value, "reaches": list(self.reaches), "decidedBy": decided}


@dataclass(frozen=True, slots=True)
class _Part:
    """Some requests to one destination, and what comes of them."""

    destination: Endpoint
    verdict: Verdict
    requests: HttpSet | None
    because: tuple[Because, ...]


@dataclass(slots=True)
class Judge:
    """The analyser over one set of documents."""

    documents: Sequence[Document]
    world: World = field(init=False)
    reach: Reach = field(init=False)
    _inward: dict[str, list[Journey]] = field(init=False, default_factory=dict)  # by host
    _outward: dict[tuple[str, str], list[Journey]] = field(init=False, default_factory=dict)  # workload and host
    _pods: dict[str, Workload] = field(init=False)

    def __post_init__(self) -> None:
        self.world = world(self.documents)
        self.reach = Reach.of(of_documents(self.documents))
        self._pods = {f"{w.namespace}/{w.name}": w for w in self.reach.world.workloads}
        for journey in journeys(self.reach):
            if isinstance(journey.source, Workload):
                key = f"{journey.source.namespace}/{journey.source.name}", journey.host
                self._outward.setdefault(key, []).append(journey)
            else:
                self._inward.setdefault(journey.host, []).append(journey)

    def expected(self, probe: Probe) -> Expected:
        """What should come of a probe."""
        if probe.source == OUTSIDE:
            return self._from_outside(probe)
        if probe.to in self._pods:
            # By a pod's address the sidecar still goes where the Host leads: to any pod of that Service.
            host = probe.host.partition(":")[0]
            return self._inside(probe, [probe.to, *(self._behind(host, None) or ())])
        if (pods := self._behind(probe.to, probe.port)) is not None:
            return self._inside(probe, pods)
        raw = probe.protocol == "tcp" or probe.server_name is not None  # the sidecar reads no HTTP inside it
        found = [j for j in self._outward.get((probe.source, probe.to), ()) if (j.fate.requests is None) is raw]
        return _combined([_part(j) for j in found], probe, "no host of that name is known")

    # -- from outside

    def _from_outside(self, probe: Probe) -> Expected:
        if probe.to in self._pods:
            packets = self._parts_between(_addresses(self.reach, probe.address or ""), self._pods[probe.to], probe)
            if packets.verdict is Verdict.DENIED or not any(s.workload == probe.to for s in self.world.servers):
                return packets
        server = self._server(probe)
        if server is None:
            return Expected(Verdict.DENIED, (), (Because("route", f"no server for the name {probe.server_name!r}"),))
        if (stopped := self._packets(probe, server)) is not None:
            return stopped
        if not self._takes(server.workload, probe.token):
            return Expected(Verdict.DENIED, (), (NO_TOKEN,))
        host = probe.host.partition(":")[0]
        raw = probe.protocol == "tcp"
        name = (probe.server_name or "") if raw else host
        here = [j for j in self._inward.get(name, ()) if _name(j.gateway) == server.workload]
        found = [j for j in here if self._is(j.source, probe, server, name)]
        parts = [self._with_token(_part(j), probe.token) for j in found]
        return _combined(parts, probe, f"nothing leads to {name} for this client")

    def _packets(self, probe: Probe, server: Server) -> Expected | None:
        """What refuses this one address at the gateway, if packets do.

        A journey answers for a block of addresses, and of several one that gets through is enough for it
        (`analysis.through_gateways`).
        """
        services = (d for d in self.documents if d["kind"] == "Service")
        ports = (
            number
            for service in services
            for port in service["spec"].get("ports", ())
            if port["port"] == server.port
            for pod, number in endpoints(self.world, service, port)
            if pod.key == server.workload
        )
        if probe.to in self._pods or (target := next(ports, None)) is None:
            return None
        source, pod = _addresses(self.reach, probe.address or ""), self._pods[server.workload]
        found = self._parts_between(source, pod, replace(probe, port=target))
        return found if found.verdict is Verdict.DENIED and found.layer == NETWORK_POLICY else None

    def _server(self, probe: Probe) -> Server | None:
        """Whose server name it is; a server of any host takes what no other takes, also no name at all."""
        behind = [s for s in self.world.servers if s.mode != "ISTIO_MUTUAL" and self._serves(s, probe)]
        if probe.server_name is None:
            return None
        named = [s for s in behind if probe.server_name in s.hosts and s.mode != "SIMPLE"]
        wild = [s for s in behind if s.mode == "SIMPLE"]
        return next(iter([*named, *wild]), None)

    def _serves(self, server: Server, probe: Probe) -> bool:
        """Whether the probe's connection ends at a server's gateway: dialled by a host of it, or at its pod."""
        front = next((self.world.hosts[host] for host in server.hosts if host in self.world.hosts), None)
        return probe.to == server.workload or self.world.hosts.get(probe.to, probe.to) == front

    def _with_token(self, part: _Part, token: Token | None) -> _Part:
        """The same with a token that the destination's own proxy refuses, whatever it would allow."""
        if self._takes(_name(part.destination), token):
            return part
        return replace(part, verdict=Verdict.DENIED, because=(NO_TOKEN,))

    def _takes(self, pod: str, token: Token | None) -> bool:
        """Whether a pod's proxy lets a token pass: one of its rules takes it, or it has none and does not look."""
        workload = self.world.workloads.get(pod)
        if token is None or workload is None:
            return True
        rules = [
            rule
            for document in self.documents
            if document["kind"] == "RequestAuthentication" and _selects(document, workload)
            for rule in document["spec"].get("jwtRules", ())
        ]
        good = not token.expired and not token.forged
        return not rules or (good and any(_signed_for(token, rule) for rule in rules))

    def _is(self, client: Endpoint, probe: Probe, server: Server, host: str) -> bool:
        """Whether one of the analyser's clients is who sends the probe."""
        if isinstance(client, Client) and client.name in {"anonymous", "user without token"}:
            return self._certified(probe, server) is None and probe.token is None
        if isinstance(client, Client) and client.name == "user with token":
            return probe.token is not None
        shown = self._certified(probe, server)
        if shown is None or not isinstance(client, Partner | Client):
            return False
        crossed = probe.server_name != host or shown is not server
        if isinstance(client, Client) and client.name == "another partner":
            return crossed
        return not crossed and AddressSet.of(probe.address or "") <= client.addresses

    def _certified(self, probe: Probe, server: Server) -> Server | None:
        """Whose certificate the probe shows: that of the server it asks for if it fits, else another's."""
        certificate = probe.certificate
        if certificate is None or certificate.expired:
            return None
        fits = [
            s
            for s in [server, *self.world.servers]
            if certificate.authority == f"{s.namespace}/{s.credential}"
            and (not s.names or set(certificate.names) & set(s.names))
        ]
        return fits[0] if fits else None

    # -- inside

    def _behind(self, name: str, port: int | None) -> list[str] | None:
        """The pods of a Service by one of its names, if it has the port; None for what is no Service of the cluster."""
        for service in (d for d in self.documents if d["kind"] == "Service"):
            short = f"{service['metadata']['name']}.{service['metadata'].get('namespace')}"
            if name in (short, f"{short}.svc", f"{short}.svc.cluster.local"):
                if port is not None and all(each["port"] != port for each in service["spec"].get("ports", ())):
                    return []
                return [pod.key for pod in self.world.pods_of(service)]
        return None

    def _inside(self, probe: Probe, pods: Iterable[str]) -> Expected:
        parts: list[_Part] = []
        for pod in pods:
            if (destination := self._pods.get(pod)) is not None:
                parts += self._between(self._pods[probe.source], destination, probe.port)
        return _combined(parts, probe, "no such destination")

    def _parts_between(self, source: Endpoint | None, destination: Workload, probe: Probe) -> Expected:
        parts = self._between(source, destination, probe.port) if source is not None else []
        return _combined(list(parts), probe, "no such source")

    def _between(self, source: Endpoint, destination: Workload, port: int) -> Iterator[_Part]:
        ports = PortSet.single("TCP", port)
        results = self.reach.results([source], [destination], ports)
        for each in results.connections():
            if each.ports & ports:
                http = each.http if isinstance(each.http, HttpSet) else None
                yield _Part(each.destination, each.verdict, http, each.decided_by)


def _selects(document: Document, pod: Pod) -> bool:
    """Whether a policy of Istio's applies to a pod: of the root namespace to all, else to its own namespace's."""
    if document["metadata"]["namespace"] not in {ROOT, pod.namespace}:
        return False
    wanted = document["spec"].get("selector", {}).get("matchLabels", {})
    return bool(wanted.items() <= dict(pod.labels).items())


def _signed_for(token: Token, rule: Mapping[str, Any]) -> bool:
    audiences = set(rule.get("audiences") or ())
    return bool(rule["issuer"] == token.issuer and (not audiences or audiences & set(token.audiences)))


def _part(journey: Journey) -> _Part:
    return _Part(journey.destination, journey.fate.verdict, journey.fate.requests, journey.fate.because)


def _addresses(reach: Reach, address: str) -> Endpoint | None:
    own = AddressSet.of(str(ipaddress.ip_address(address)))
    parts = (e for e in reach.universe.endpoints if isinstance(e, Addresses) and own <= e.addresses)
    return next(parts, None)


def _combined(parts: Sequence[_Part], probe: Probe, otherwise: str) -> Expected:
    """The best of what comes of this very request: allowed to some, else not to be told, else refused."""
    mine = [part for part in parts if part.requests is None or contains(part.requests, probe)]
    for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED):
        same = [part for part in mine if part.verdict is verdict]
        if same:
            reaches = tuple(dict.fromkeys(_name(part.destination) for part in same))
            return Expected(verdict, reaches, same[0].because)
    return Expected(Verdict.DENIED, (), (Because("route", otherwise),))


def _name(endpoint: Endpoint) -> str:
    if isinstance(endpoint, Workload):
        return f"{endpoint.namespace}/{endpoint.name}"
    return endpoint.name if isinstance(endpoint, ExternalHost) else str(endpoint)

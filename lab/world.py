"""Who takes part in the lab, read from the documents alone: pods, services, the hosts of partners, the load balancers.

Nothing here starts anything. Addresses are handed out in document order: pods from `POD_RANGE`, load balancers and the
hosts of partners from documentation ranges, always avoiding every block that a document names as a client's.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from lab.gateway_api import converted

Document = Mapping[str, Any]

POD_RANGE: Final = "10.40.128.0/20"
PUBLIC_RANGES: Final = ("203.0.113.0/24", "198.18.0.0/16")  # RFC 5737 and RFC 2544: nobody's
STRANGERS: Final = ("192.0.2.0/24", "100.127.0.0/24")  # one address of these is the client whom no document names
WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")
CLUSTER: Final = tuple(  # what cannot be outside: pods, services, the node, loopback
    ipaddress.IPv4Network(block) for block in (POD_RANGE, "10.96.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
)
DNS_ADDRESS: Final = "10.96.0.10"
OUTSIDE_ADDRESS: Final = "192.0.2.1"  # of the world outside itself
PARTNER_LABEL: Final = "partner-mesh.dev/partner"


@dataclass(frozen=True, slots=True)
class Workload:
    """One pod the lab runs. `key` is `<namespace>/<name>` of the workload and names the pod in probes."""

    namespace: str
    name: str
    service_account: str
    labels: Mapping[str, str]
    template: Document  # the pod template
    address: str

    @property
    def key(self) -> str:
        """What probes call it."""
        return f"{self.namespace}/{self.name}"

    @property
    def netns(self) -> str:
        """The name of its network namespace."""
        return f"{self.namespace}.{self.name}"

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """Name and number of each container port, in declared order."""
        return tuple(
            (port.get("name", ""), port["containerPort"])
            for container in self.template["spec"].get("containers", ())
            for port in container.get("ports", ())
            if port.get("protocol", "TCP") == "TCP"
        )


@dataclass(frozen=True, slots=True)
class Server:
    """One TLS server of a Gateway: what a partner or a browser connects to."""

    namespace: str
    gateway: str  # the Gateway object
    workload: str  # key of the gateway's pod
    port: int
    hosts: tuple[str, ...]
    mode: str
    credential: str | None
    names: tuple[str, ...]  # subjectAltNames the client certificate must have one of
    partner: str = ""  # whose it is, by the Gateway's label
    protocol: str = "HTTPS"


@dataclass(frozen=True, slots=True)
class Remote:
    """A host of a partner outside: where our calls end. `tls` maps a port to its DestinationRule TLS settings."""

    host: str
    address: str
    ports: tuple[tuple[int, str], ...]  # number and protocol as the ServiceEntry says
    tls: Mapping[int, Mapping[str, Any]]
    credential_namespace: str | None  # where the client certificate's Secret is read


@dataclass(frozen=True, slots=True)
class World:
    """All of it. Look-ups by key or host raise KeyError for what does not exist."""

    workloads: Mapping[str, Workload]
    servers: tuple[Server, ...]
    remotes: Mapping[str, Remote]
    balancers: Mapping[str, str]  # gateway Service `<namespace>/<name>` -> public address
    client_ranges: tuple[str, ...]  # what outside clients may bind
    stranger: str  # one more of them, whom no document names
    hosts: Mapping[str, str] = field(default_factory=dict)  # public host -> load balancer address
    issuers: tuple[tuple[str, str, str], ...] = ()  # of end users' tokens: name, and host and path of its keys

    def pods_of(self, service: Document) -> list[Workload]:
        """The pods that a Service selects."""
        selector = service.get("spec", {}).get("selector")
        namespace = service["metadata"].get("namespace", "default")
        if not selector:
            return []
        return [
            w
            for w in self.workloads.values()
            if w.namespace == namespace and selector.items() <= dict(w.labels).items()
        ]


def world(documents: Sequence[Document], *, pod_range: str = POD_RANGE) -> World:
    """Read a world off documents: rendered charts, compiled objects and inventory together."""
    taken = _blocks(documents)
    pods, public = _addresses(pod_range, ()), _public(taken)
    workloads = {w.key: w for w in _workloads(documents, pods)}
    services = [d for d in documents if d["kind"] == "Service"]
    balancers = {
        _key(s): next(public) for s in services if s.get("spec", {}).get("type") == "LoadBalancer" or _is_gateway(s)
    }
    servers = tuple(_servers(converted(documents), workloads))
    strangers = [address for block in STRANGERS for address in reversed(list(_addresses(block, taken)))]
    stranger, issuers = next(iter(strangers), OUTSIDE_ADDRESS), tuple(dict.fromkeys(_issuers(documents)))
    clients = tuple(dict.fromkeys([*(str(block) for block in taken), f"{stranger}/32"]))
    return World(
        workloads,
        servers,
        {r.host: r for r in [*_remotes(documents, public), *_key_servers(issuers, public)]},
        balancers,
        clients,
        stranger,
        _hosts(servers, workloads, services, balancers),
        issuers,
    )


def endpoints(world: World, service: Document, port: Mapping[str, Any]) -> list[tuple[Workload, int]]:
    """Where a Service's port leads: pods and the numbers of their ports."""
    target, found = port.get("targetPort", port["port"]), []
    for pod in world.pods_of(service):
        number = target if isinstance(target, int) else dict(pod.ports).get(target)
        if number is not None:
            found.append((pod, number))
    return found


def _workloads(documents: Iterable[Document], addresses: Iterator[str]) -> Iterator[Workload]:
    for document in documents:
        if document["kind"] not in WORKLOADS or document["metadata"].get("name", "").startswith("istio-cni"):
            continue  # the lab itself plays the CNI
        template = document["spec"]["template"]
        yield Workload(
            document["metadata"].get("namespace", "default"),
            document["metadata"]["name"],
            template["spec"].get("serviceAccountName", "default"),
            template.get("metadata", {}).get("labels", {}),
            template,
            next(addresses),
        )


def _servers(documents: Iterable[Document], workloads: Mapping[str, Workload]) -> Iterator[Server]:
    for document in documents:
        if not (document["kind"] == "Gateway" and document["apiVersion"].startswith("networking.istio.io/")):
            continue
        namespace, spec = document["metadata"]["namespace"], document["spec"]
        pods = [
            w
            for w in workloads.values()
            if w.namespace == namespace and spec["selector"].items() <= dict(w.labels).items()
        ]
        for server in spec["servers"]:
            tls = server.get("tls", {})
            for pod in pods:
                yield Server(
                    namespace,
                    document["metadata"]["name"],
                    pod.key,
                    server["port"]["number"],
                    tuple(_server_hosts(server, document, documents)),
                    tls.get("mode", "PLAINTEXT"),
                    tls.get("credentialName"),
                    tuple(tls.get("subjectAltNames", ())),
                    document["metadata"].get("labels", {}).get(PARTNER_LABEL, ""),
                    server["port"].get("protocol", "HTTPS"),
                )


def _server_hosts(server: Document, gateway: Document, documents: Iterable[Document]) -> Iterator[str]:
    """A server's own hosts; for one that takes any, those of the routes bound to its Gateway."""
    namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
    for host in (host.rpartition("/")[2] for host in server["hosts"]):
        if host != "*":
            yield host
            continue
        for route in documents:
            if route["kind"] == "VirtualService":
                own = {name} if route["metadata"]["namespace"] == namespace else set()
                if {f"{namespace}/{name}", *own} & set(route["spec"].get("gateways", ())):
                    yield from route["spec"]["hosts"]


def _remotes(documents: Sequence[Document], addresses: Iterator[str]) -> Iterator[Remote]:
    rules: dict[str, list[Document]] = {}
    for document in documents:
        if document["kind"] == "DestinationRule":
            rules.setdefault(document["spec"]["host"], []).append(document)
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] != "ServiceEntry" or spec.get("location") != "MESH_EXTERNAL":
            continue
        if spec.get("resolution") != "DNS" or spec.get("endpoints"):
            continue  # an alias of something inside, or an address block: no host of a partner
        ports = tuple((port.get("targetPort", port["number"]), port["protocol"]) for port in document["spec"]["ports"])
        for host in document["spec"]["hosts"]:
            tls: dict[int, Mapping[str, Any]] = {}
            namespace = None
            for rule in rules.get(host, ()):
                policy = rule["spec"].get("trafficPolicy", {})
                for number, settings in _tls_by_port(policy, ports):
                    tls[number] = settings
                    namespace = rule["metadata"].get("namespace")
            yield Remote(host, next(addresses), ports, tls, namespace)


def _issuers(documents: Iterable[Document]) -> Iterator[tuple[str, str, str]]:
    """Who signs end users' tokens, and where istiod reads the keys."""
    for document in documents:
        if document["kind"] == "RequestAuthentication":
            for rule in document["spec"].get("jwtRules", ()):
                if (address := urlsplit(rule.get("jwksUri", ""))).hostname:
                    yield rule["issuer"], address.hostname, address.path


def _key_servers(issuers: Iterable[tuple[str, str, str]], addresses: Iterator[str]) -> Iterator[Remote]:
    for host in dict.fromkeys(host for _, host, _ in issuers):
        yield Remote(host, next(addresses), ((443, "HTTPS"),), {}, None)


def _tls_by_port(
    policy: Mapping[str, Any], ports: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for level in policy.get("portLevelSettings", ()):
        if "tls" in level:
            yield level["port"]["number"], level["tls"]
    if "tls" in policy:
        for number, protocol in ports:
            if protocol in {"HTTPS", "TLS"}:
                yield number, policy["tls"]


def _hosts(
    servers: Iterable[Server],
    workloads: Mapping[str, Workload],
    services: Sequence[Document],
    balancers: Mapping[str, str],
) -> dict[str, str]:
    """Each public host resolves to the load balancer in front of the gateway that serves it."""
    found: dict[str, str] = {}
    for server in servers:
        pod = workloads[server.workload]
        for service in services:
            selector = service.get("spec", {}).get("selector") or {}
            if (
                _key(service) in balancers
                and selector
                and service["metadata"]["namespace"] == pod.namespace
                and selector.items() <= dict(pod.labels).items()
                and server.mode != "ISTIO_MUTUAL"
            ):
                for host in server.hosts:
                    found.setdefault(host, balancers[_key(service)])
    return found


def _is_gateway(service: Document) -> bool:
    """An ingress gateway behind a load balancer that Pulumi owns has a ClusterIP Service; its selector tells."""
    selector = service.get("spec", {}).get("selector") or {}
    return "istio" in selector and service["metadata"].get("namespace") not in {"istio-system"}


def _key(document: Document) -> str:
    return f"{document['metadata'].get('namespace', 'default')}/{document['metadata']['name']}"


def _blocks(documents: Iterable[Document]) -> list[ipaddress.IPv4Network]:
    """Every IPv4 block that a document names as a client's, in order, each once; half the Internet is no client."""
    found: dict[ipaddress.IPv4Network, None] = {}
    for document in documents:
        for text in _strings(_client_fields(document)):
            try:
                block = ipaddress.IPv4Network(text, strict=False)
            except ValueError:
                continue
            if block.prefixlen >= 8 and not any(block.overlaps(ours) for ours in CLUSTER):
                found[block] = None
    return list(found)


def _client_fields(document: Document) -> Any:
    """The part of a document that holds client addresses."""
    spec = document.get("spec", {})
    if document["kind"] == "AuthorizationPolicy":
        return [source for rule in spec.get("rules", ()) for source in rule.get("from", ())]
    if document["kind"] in {"NetworkSet", "GlobalNetworkSet"}:
        return spec.get("nets", ())
    if document["kind"] == "NetworkPolicy" and document["apiVersion"].startswith("networking.k8s.io/"):
        peers = [peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())]
        return [peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer]
    return ()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _strings(inner)


def _addresses(block: str, avoid: Sequence[ipaddress.IPv4Network]) -> Iterator[str]:
    whole = ipaddress.IPv4Network(block)
    near = [taken for taken in avoid if taken.overlaps(whole)]
    for address in list(whole.hosts())[9:]:
        if not any(address in taken for taken in near):
            yield str(address)


def _public(avoid: Sequence[ipaddress.IPv4Network]) -> Iterator[str]:
    for block in PUBLIC_RANGES:
        yield from _addresses(block, avoid)

"""Primary networks of OVN-Kubernetes: a namespace with its own network is parted from every other.

UserDefinedNetwork and ClusterUserDefinedNetwork with role Primary (k8s.ovn.org). A namespace takes one only where it
bears the label from its creation on; what a pod opens with an annotation is reached from the cluster's default network.
What a NodePort or LoadBalancer Service publishes is reached from everywhere as the outside reaches it: see the
outside's rows. Facts: OVN-Kubernetes, docs/features/user-defined-networks/user-defined-networks.md.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import yaml

from partner_mesh.analysis.kinds import Alike, BothSides, Kinds
from partner_mesh.analysis.layers import (
    PRIMARY_NETWORK,
    Because,
    Endpoint,
    IngressController,
    Opinion,
    Verdict,
    Workload,
)
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import LabelIndex, SelectorError, label_selector
from partner_mesh.analysis.sets import PROTOCOLS, AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.model.record import dataclass

GROUP: Final = "k8s.ovn.org"
LABEL: Final = "k8s.ovn.org/primary-user-defined-network"
OPEN_PORTS: Final = "k8s.ovn.org/open-default-ports"
_NAME_SERVERS: Final = (("kube-system", "kube-dns"), ("openshift-dns", "dns-default"))


@dataclass(frozen=True, slots=True)
class Home:
    """Which network a workload calls from: `network` is None for the cluster's default one."""

    network: Resource | None = None
    doubt: str = ""  # why it cannot be told
    on_node: bool = False
    opened: PortSet = PortSet.NONE  # to the default network
    name_server: PortSet = PortSet.NONE  # what every network reaches, for names to be resolved


def role(network: Resource) -> str:
    """`Primary` or `Secondary`; "" where the network does not say."""
    spec = network.spec.get("network") if network.kind == "ClusterUserDefinedNetwork" else network.spec
    spec = spec if isinstance(spec, Mapping) else {}
    found = [each.get("role") for each in (spec.get("layer2"), spec.get("layer3")) if isinstance(each, Mapping)]
    return str(found[0]) if found else ""


def networks(world: World) -> Iterator[Resource]:
    """Every user-defined network."""
    yield from world.of(GROUP, "UserDefinedNetwork")
    yield from world.of(GROUP, "ClusterUserDefinedNetwork")


def takes(network: Resource, world: World) -> list[str]:
    """The namespaces that a network is for. Raises SelectorError where its selector cannot be read."""
    if network.namespace:
        return [network.namespace]
    names = list(world.namespaces)
    chosen = label_selector(network.spec.get("namespaceSelector")).mask(LabelIndex(list(world.namespaces.values())))
    return [name for position, name in enumerate(names) if chosen >> position & 1]


class PrimaryNetworkLayer:
    """Two workloads meet only in one network, but for what is opened to others."""

    name = PRIMARY_NETWORK

    def __init__(self, world: World) -> None:
        self.world = world
        self.notes: list[Note] = []
        self._networks, self._doubts = self._assigned()
        self._homes: dict[Endpoint, Home] = {}

    def endpoints(self) -> Sequence[Endpoint]:
        """No callers of its own."""
        return ()

    def address_sets(self) -> Iterator[AddressSet]:
        """None: a network's own addresses mean nothing outside it."""
        yield from ()

    def kinds(self, universe: Universe) -> Kinds:
        """Workloads by their home, the ingress controller, and everybody else."""
        if not self._networks and not self._doubts:
            return Alike()
        return BothSides(universe, self._trait, self._trait)

    def _trait(self, endpoint: Endpoint) -> Hashable:
        if isinstance(endpoint, Workload):
            home = self.home(endpoint)
            place = endpoint.namespace if home.doubt else ""  # of two in doubt it counts whether they are in one
            return home.network and home.network.title, home.doubt, place, home.on_node, home.opened, home.name_server
        return isinstance(endpoint, IngressController)

    def home(self, workload: Workload) -> Home:
        """Where a workload calls from, and what of it is open to others."""
        if workload not in self._homes:
            pods = self.world.workloads[workload]
            network = None if pods.host_network else self._networks.get(workload.namespace)
            doubt = "" if pods.host_network else self._doubts.get(workload.namespace, "")
            opened = _opened(pods.annotations.get(OPEN_PORTS, "")) if network is not None or doubt else PortSet.NONE
            self._homes[workload] = Home(
                network,
                doubt,
                pods.host_network,
                opened,
                self._name_servers.get(workload, PortSet.NONE),
            )
        return self._homes[workload]

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """Judged are two workloads, and the ingress controller, of which nobody knows where it runs."""
        if not isinstance(destination, Workload) or not (self._networks or self._doubts):
            return ()
        there = self.home(destination)
        if isinstance(source, IngressController) and (there.network is not None or there.doubt):
            reason = there.doubt or "whether the ingress controller is in this network is not among the objects"
            return _opinions(ports, there.opened, Verdict.UNKNOWN, _because(there.network, reason))
        if not isinstance(source, Workload):
            return ()
        here = self.home(source)
        if doubt := here.doubt or there.doubt:
            if source.namespace == destination.namespace and here.on_node == there.on_node:
                return ()  # in one network, whichever it is
            return _opinions(ports, PortSet.NONE, Verdict.UNKNOWN, _because(here.network or there.network, doubt))
        return self._across(here, there, ports)

    @staticmethod
    def _across(here: Home, there: Home, ports: PortSet) -> Sequence[Opinion]:
        """From one home to another; a node's network is the default one, but for what a primary network reaches."""
        if here.network is there.network:
            return ()
        if there.on_node:
            reason = "whether its node is reached from this network is not modelled"
            return _opinions(ports, PortSet.NONE, Verdict.UNKNOWN, _because(here.network, reason))
        free = there.opened if here.network is None else there.name_server
        return _opinions(ports, free, Verdict.DENIED, _because(there.network or here.network))

    def _assigned(self) -> tuple[dict[str, Resource], dict[str, str]]:
        """Namespace → its primary network; namespace → why that cannot be told."""
        found: dict[str, list[Resource]] = {}
        doubts: dict[str, str] = {}
        for network in networks(self.world):
            if role(network) != "Primary":
                continue
            try:
                chosen = takes(network, self.world)
            except SelectorError as error:
                chosen = list(self.world.namespaces)
                self._note(network, f"namespaceSelector: {error}")
                doubts.update(dict.fromkeys(chosen, f"{network.title}: namespaceSelector: {error}"))
            for name in chosen:
                found.setdefault(name, []).append(network)
        written = {each.name for each in self.world.of("", "Namespace")}
        kept: dict[str, Resource] = {}
        for name, candidates in found.items():
            if name not in written:
                doubts.setdefault(name, f"whether namespace {name} bears the label {LABEL} is not among the objects")
            elif LABEL not in self.world.namespaces[name]:
                self._note(candidates[0], f"namespace {name} lacks the label {LABEL}: it stays in the default network")
            elif len(candidates) > 1:
                doubts.setdefault(name, f"namespace {name} has {len(candidates)} primary networks; it takes one")
            elif name not in doubts:
                kept[name] = candidates[0]
        for name, doubt in doubts.items():
            if name in found and (name in written) <= (len(found[name]) > 1):
                self._note(found[name][0], f"{doubt}: what it parts is unknown")
        return kept, doubts

    def _note(self, network: Resource, text: str) -> None:
        self.notes.append(Note(network.source, f"{network.title}: {text}"))

    @cached_property
    def _name_servers(self) -> dict[Workload, PortSet]:
        found: dict[Workload, PortSet] = {}
        for namespace, name in _NAME_SERVERS:
            service = self.world.service(namespace, name)
            for pods in self.world.selected_by(service) if service is not None else ():
                found[pods.endpoint] = PortSet.union(self.world.target(pods, port) for port in service.ports)  # type: ignore[union-attr]  # the loop is empty without one
        return found


def _because(network: Resource | None, reason: str = "") -> Because:
    if network is None:
        return Because(PRIMARY_NETWORK, "no primary network that is certain", None, reason)
    return Because.of(PRIMARY_NETWORK, network, reason)


def _opinions(ports: PortSet, free: PortSet, otherwise: Verdict, because: Because) -> list[Opinion]:
    parts = ((Verdict.ALLOWED, ports & free), (otherwise, ports - free))
    return [Opinion(PRIMARY_NETWORK, verdict, part, (because,)) for verdict, part in parts if part]


def _opened(written: str) -> PortSet:
    """The ports of the annotation: a list of `protocol` and `port`, as YAML or JSON. What cannot be read opens none."""
    try:
        entries: Any = yaml.safe_load(written) if written else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return PortSet.NONE
    found: list[PortSet] = []
    for each in entries if isinstance(entries, list) else ():
        protocol = str(each.get("protocol")).upper() if isinstance(each, Mapping) else ""
        port = each.get("port") if isinstance(each, Mapping) else None
        if protocol in PROTOCOLS and isinstance(port, int) and 1 <= port <= 65535:
            found.append(PortSet.single(protocol, port))
    return PortSet.union(found)

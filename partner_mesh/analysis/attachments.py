"""Further networks that pods are attached to: NetworkAttachmentDefinitions and user-defined secondary networks.

Which workload is on which of them, with which addresses. Formats: the Network Plumbing Working Group's multi-network
specification (annotation `k8s.v1.cni.cncf.io/networks`, a list of names or JSON), KubeVirt's `networks[].multus`, and
OVN-Kubernetes, which makes an attachment of every secondary UserDefinedNetwork.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from partner_mesh.analysis.layers import Workload
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.primary_network import networks, role, takes
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import SelectorError
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.topology import World
from partner_mesh.model.record import dataclass, field

GROUP: Final = "k8s.cni.cncf.io"
ANNOTATION: Final = "k8s.v1.cni.cncf.io/networks"
_OVERLAY: Final = "ovn-k8s-cni-overlay"
_PRIVATE: Final = (
    "cniVersion",
    "name",
    "netAttachDefName",
    "ipam",
    "ips",
    "mtu",
)  # of one attachment, not of its network

Name = tuple[str, str]  # namespace and name of an attachment definition


@dataclass(eq=False, slots=True)
class Network:
    """One network and who is on it. `leads_out` says that something outside the cluster may be on it too."""

    title: str
    resource: Resource | None = None
    leads_out: bool = True
    names: set[Name] = field(default_factory=set)
    members: dict[Workload, AddressSet] = field(default_factory=dict)  # with what is known of their addresses


def further_networks(world: World, notes: list[Note]) -> list[Network]:
    """Every network besides the pods' own that some workload is on."""
    defined = dict(_defined(world, notes))
    found: dict[int, Network] = {}
    for endpoint, pods in world.workloads.items():
        for name, addresses in _attached(pods, notes):
            network = defined.get(name)
            if network is None:
                network = defined[name] = Network("/".join(name), names={name})
                text = (
                    f"NetworkAttachmentDefinition {network.title} is not among the objects: what it leads to is unknown"
                )
                notes.append(Note(pods.resource.source, f"{pods.resource.title}: {text}"))
            known = network.members.get(endpoint, AddressSet.NONE)
            network.members[endpoint] = known | addresses
            found[id(network)] = network
    return list(found.values())


def primary_attachments(world: World) -> Iterator[Resource]:
    """Attachment definitions that are a namespace's primary network: OVN-Kubernetes' form before UserDefinedNetwork."""
    for each in world.of(GROUP, "NetworkAttachmentDefinition"):
        if _config(each).get("role") == "primary":
            yield each


def _defined(world: World, notes: list[Note]) -> Iterator[tuple[Name, Network]]:
    """Attachment definitions by name. Those of one name and one configuration are one network in several namespaces."""
    alike: dict[str, Network] = {}
    for each in world.of(GROUP, "NetworkAttachmentDefinition"):
        config = _config(each)
        if not config:
            notes.append(Note(each.source, f"{each.title}: spec.config is not readable: what it leads to is unknown"))
        plugin = _plugin(config)
        overlay = plugin.get("type") == _OVERLAY
        essence = {key: value for key, value in plugin.items() if key not in _PRIVATE}
        name = config.get("name") if overlay else each.name
        key = json.dumps([str(name), essence or [each.namespace]], sort_keys=True, default=str)
        network = alike.setdefault(key, Network(each.title, each, not overlay or plugin.get("topology") == "localnet"))
        network.names.add((each.namespace, each.name))
        yield (each.namespace, each.name), network
    for each in networks(world):
        if role(each) == "Secondary" or each.spec.get("topology") == "Localnet":
            try:
                namespaces = takes(each, world)
            except SelectorError:
                continue  # then whoever names it is on a network that is not among the objects
            network = Network(each.title, each, "Localnet" in str(each.spec.get("network")))
            for namespace in namespaces:
                network.names.add((namespace, each.name))
                yield (namespace, each.name), network


def _config(definition: Resource) -> Mapping[str, Any]:
    """The CNI configuration. Read as YAML, which forgives a comma too many, as some hand-written ones have."""
    written = definition.spec.get("config")
    try:
        found = yaml.safe_load(written) if isinstance(written, str) else written
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _plugin(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plugin that makes the interface: the first of a chain."""
    chain = config.get("plugins")
    first = chain[0] if isinstance(chain, list) and chain else config
    return first if isinstance(first, Mapping) else {}


def _attached(pods: Pods, notes: list[Note]) -> Iterator[tuple[Name, AddressSet]]:
    written = pods.annotations.get(ANNOTATION, "").strip()
    if written.startswith("["):
        try:
            entries = json.loads(written)
        except (ValueError, RecursionError):
            entries = []
            text = f"annotation {ANNOTATION} is no JSON: its networks are not counted"
            notes.append(Note(pods.resource.source, f"{pods.resource.title}: {text}"))
        for each in entries:
            if isinstance(each, Mapping) and each.get("name"):
                yield (str(each.get("namespace") or pods.namespace), str(each["name"])), _addresses(each.get("ips"))
    elif written:
        for part in written.split(","):
            if part.strip():
                yield _name(part.strip().partition("@")[0], pods.namespace), AddressSet.NONE
    for name in _of_machine(pods.resource):
        yield _name(name, pods.namespace), AddressSet.NONE


def _of_machine(resource: Resource) -> Iterator[str]:
    """The networks of a KubeVirt VirtualMachine."""
    value: Any = resource.spec if resource.kind == "VirtualMachine" else None
    for step in ("template", "spec", "networks"):
        value = value.get(step) if isinstance(value, Mapping) else None
    for each in value if isinstance(value, list) else ():
        multus = each.get("multus") if isinstance(each, Mapping) else None
        if isinstance(multus, Mapping) and multus.get("networkName"):
            yield str(multus["networkName"])


def _name(written: str, namespace: str) -> Name:
    home, slash, name = written.partition("/")
    return (home, name) if slash else (namespace, written)


def _addresses(written: Any) -> AddressSet:
    found: list[AddressSet] = []
    for each in written if isinstance(written, list) else ():
        try:
            found.append(AddressSet.of(str(each).partition("/")[0]))
        except ValueError:
            continue
    return AddressSet.union(found)

"""What is known of a workload's pods: what every selector and rule may ask, read off a template or running Pods."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from partner_mesh.analysis.layers import Workload
from partner_mesh.analysis.resources import Resource, string_map
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.written import mappings, port_number
from partner_mesh.model.record import dataclass, field


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares. `name` is "" where it has none."""

    name: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, eq=False)
class Pods:
    """What a workload's pods have in common: everything that a selector or a rule can ask of them."""

    endpoint: Workload
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]
    resource: Resource
    annotations: Mapping[str, str] = field(default_factory=dict)  # of the pods, not of their owner
    service_account: str = "default"
    ports: tuple[ContainerPort, ...] = ()
    host_network: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    addresses: AddressSet = AddressSet.NONE  # only where running Pods were read

    @property
    def namespace(self) -> str:
        """The pods' namespace."""
        return self.endpoint.namespace

    def named_port(self, name: str, protocol: str | None = None) -> PortSet:
        """The ports that carry a name; of one protocol where it is given."""
        return PortSet.union(
            PortSet.single(each.protocol, each.port)
            for each in self.ports
            if each.name == name and (protocol is None or each.protocol == protocol)
        )


def pods_of(
    endpoint: Workload,
    resource: Resource,
    namespace_labels: Mapping[str, str],
    metadata: Mapping[str, Any],
    spec: Any,
    *,
    addresses: AddressSet = AddressSet.NONE,
) -> Pods:
    """The pods of a template's, or a Pod's, metadata and spec."""
    spec = spec if isinstance(spec, Mapping) else {}
    return Pods(
        endpoint,
        string_map(metadata.get("labels")),
        namespace_labels,
        resource,
        string_map(metadata.get("annotations")),
        str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"),
        tuple(_container_ports(spec)),
        spec.get("hostNetwork") is True,
        string_map(spec.get("nodeSelector")),
        addresses,
    )


def owner_of(resource: Resource) -> tuple[str, str] | None:
    """(kind, name) of the controlling owner, else of the first; a Node owns its static Pods only in name."""
    references = resource.metadata.get("ownerReferences")
    found = [each for each in references if isinstance(each, Mapping)] if isinstance(references, list) else []
    found = [each for each in found if each.get("name") and each.get("kind") != "Node"]
    if not found:
        return None
    chosen = next((each for each in found if each.get("controller") is True), found[0])
    return str(chosen.get("kind") or "Pod"), str(chosen["name"])


def made_from(pod: Resource, templated: Iterable[Pods]) -> bool:
    """Whether a Pod of which only Calico tells is a replica of a template of its namespace, by its name and labels."""
    return bool(pod.body.get("endpoint")) and any(
        pod.name.startswith(f"{pods.endpoint.name}-") and pods.labels and pods.labels.items() <= pod.labels.items()
        for pods in templated
    )


def _container_ports(spec: Mapping[str, Any]) -> Iterator[ContainerPort]:
    """Declared ports of all containers, and of init containers that keep running (sidecars)."""
    containers = mappings(spec.get("containers"))
    containers += [each for each in mappings(spec.get("initContainers")) if each.get("restartPolicy") == "Always"]
    for container in containers:
        for port in mappings(container.get("ports")):
            number = port_number(port.get("containerPort"))
            if number is not None:
                yield ContainerPort(str(port.get("name") or ""), number, str(port.get("protocol") or "TCP").upper())


def addresses_of(pod: Resource) -> AddressSet:
    """The addresses that a running Pod's status tells."""
    status = pod.body.get("status")
    if not isinstance(status, Mapping):
        return AddressSet.NONE
    written = [
        status.get("podIP"),
        *(each.get("ip") for each in mappings(status.get("podIPs"))),
    ]
    found = []
    for each in written:
        try:
            found.append(AddressSet.of(str(each)) if each else AddressSet.NONE)
        except ValueError:
            continue
    return AddressSet.union(found)

"""What a cluster makes of its Services: what kube-proxy does with them, their EndpointSlices, the names of DNS."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.network import Endpoint
from lab.world import Document, Workload, World, endpoints

Led = Sequence[tuple[Mapping[str, Any], Sequence[tuple[Workload, int]]]]  # each port, and the pods it leads to


@dataclass(frozen=True, slots=True)
class Tables:
    """All three. An address without endpoints is in no translation: it refuses."""

    translation: Mapping[Endpoint, Sequence[Endpoint]]
    slices: Sequence[dict[str, Any]]
    names: dict[str, str]


def tables(
    world: World,
    declared: Sequence[Document],
    read: Callable[[Document], Document | None],
    serving: Collection[str],
) -> Tables:
    """Of the Services declared, `read` as the API server has them (it gives out addresses). `serving`: keys of pods."""
    translation: dict[Endpoint, Sequence[Endpoint]] = {}
    slices: list[dict[str, Any]] = []
    names = {**world.hosts, **{remote.host: remote.address for remote in world.remotes.values()}}
    for document in declared:
        service = read(document) or {}
        cluster_ip = service.get("spec", {}).get("clusterIP", "")
        name, namespace = document["metadata"]["name"], document["metadata"].get("namespace")
        names[f"{name}.{namespace}.svc.cluster.local"] = names[f"{name}.{namespace}.svc"] = cluster_ip
        ports = []
        for port in service.get("spec", {}).get("ports", ()):
            led = [(pod, number) for pod, number in endpoints(world, service, port) if pod.key in serving]
            protocol = port.get("protocol", "TCP").lower()
            backends = [Endpoint(pod.address, number, protocol) for pod, number in led]
            for front in filter(None, (cluster_ip, world.balancers.get(f"{namespace}/{name}"))):
                if front != "None":
                    translation[Endpoint(front, port["port"], protocol)] = backends
            ports.append((port, led))
        slices += _slices(document, ports)
    return Tables(translation, slices, names)


def _slices(service: Document, ports: Led) -> list[dict[str, Any]]:
    """One slice for each set of port numbers that pods share."""
    groups: dict[tuple[tuple[str, int, str], ...], list[Workload]] = {}
    pods = {pod.key: pod for _, led in ports for pod, _ in led}
    for pod in pods.values():
        numbers = tuple(
            (port.get("name", ""), number, port.get("protocol", "TCP"))
            for port, led in ports
            for p, number in led
            if p.key == pod.key
        )
        groups.setdefault(numbers, []).append(pod)
    metadata = service["metadata"]
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {
                "name": f"{metadata['name']}-{index}",
                "namespace": metadata.get("namespace", "default"),
                "labels": {
                    "kubernetes.io/service-name": metadata["name"],
                    "endpointslice.kubernetes.io/managed-by": "lab",
                },
            },
            "ports": [{"name": name, "port": number, "protocol": protocol} for name, number, protocol in numbers],
            "endpoints": [
                {
                    "addresses": [pod.address],
                    "conditions": {"ready": True},
                    "nodeName": "lab",
                    "targetRef": {"kind": "Pod", "name": f"{pod.name}-0", "namespace": pod.namespace},
                }
                for pod in members
            ],
        }
        for index, (numbers, members) in enumerate(groups.items())
    ]

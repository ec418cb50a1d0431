"""The world that policies speak of: namespaces, workloads, Services, and the ways into them.

Everything here is what objects say of themselves; no policy is read. Lookups are indexed, because a stack may hold a
thousand workloads and every layer asks for them by label.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from partner_mesh.analysis import calico_endpoints
from partner_mesh.analysis.layers import Workload
from partner_mesh.analysis.pods import Pods, addresses_of, made_from, owner_of, pods_of
from partner_mesh.analysis.resources import BUILT_IN_GROUPS, Loaded, Note, Resource
from partner_mesh.analysis.services import Service, ServicePort, ingress_services, service_of
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.variants import told_apart
from partner_mesh.analysis.written import faults, mapping, mappings, port_number
from partner_mesh.model.record import dataclass

NAME_LABEL: Final = "kubernetes.io/metadata.name"  # set by the API server on every namespace

# Where each kind keeps its pod template. The API groups tell a Deployment from another project's kind of that name.
_TEMPLATES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("extensions", "Deployment"): ("spec", "template"),
    ("extensions", "ReplicaSet"): ("spec", "template"),
    ("extensions", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps.openshift.io", "DeploymentConfig"): ("spec", "template"),
    ("argoproj.io", "Rollout"): ("spec", "template"),
    ("kubevirt.io", "VirtualMachine"): ("spec", "template"),
}

# Labels that controllers write onto each Pod: they tell replicas apart, not workloads.
_REPLICA_LABELS: Final = frozenset({
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index", "controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index", "deployment", "deploymentconfig",
    "rollouts-pod-template-hash",
})  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """A workload's ports that an Ingress (or OpenShift Route) leads to."""

    resource: Resource
    endpoint: Workload
    ports: PortSet


class World:
    """All objects, indexed. Iteration follows sorted names, so that two runs give the same bytes."""

    def __init__(self, loaded: Loaded | Iterable[Resource]) -> None:
        if not isinstance(loaded, Loaded):
            loaded = Loaded(tuple(loaded))
        self._notes = list(loaded.notes)
        by_key: dict[tuple[str, str, str, str], Resource] = {}
        for resource in loaded.resources:
            if resource.key in by_key and resource.document() != by_key[resource.key].document():
                text = (
                    f"{resource.title} is also in {by_key[resource.key].source}, with another content: the last counts"
                )
                self._notes.append(Note(resource.source, text))
            by_key[resource.key] = resource
            self._notes += [
                Note(resource.source, f"{resource.title}: {each}: it does not count") for each in wrong(resource)
            ]
        self.resources: tuple[Resource, ...] = tuple(by_key.values())
        self._kinds: dict[tuple[str, str], list[Resource]] = {}
        for resource in self.resources:
            self._kinds.setdefault((resource.group, resource.kind), []).append(resource)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What could not be read or is not taken into account, in the order in which it was met."""
        _ = self.workloads, self.services  # both may add notes
        return tuple(self._notes)

    def of(self, group: str, kind: str) -> tuple[Resource, ...]:
        """The objects of a kind, whatever the version: `world.of("security.istio.io", "AuthorizationPolicy")`."""
        return tuple(self._kinds.get((group, kind), ()))

    @cached_property
    def namespaces(self) -> dict[str, Mapping[str, str]]:
        """Namespace → labels. Those that objects name without a Namespace object have only their name as a label."""
        found = {each.name: {**each.labels, NAME_LABEL: each.name} for each in self.of("", "Namespace")}
        for resource in self.resources:
            if resource.namespace and resource.namespace not in found:
                found[resource.namespace] = {NAME_LABEL: resource.namespace}
        return dict(sorted(found.items()))

    @cached_property
    def workloads(self) -> dict[Workload, Pods]:
        """Every workload once: its replicas together, owned objects folded into the owner that is also there."""
        found: dict[Workload, Pods] = {}
        for pods in self._templated():
            found[pods.endpoint] = pods
        for pods in self._running(found):
            found[pods.endpoint] = pods
        return dict(sorted(found.items(), key=lambda item: (item[0].namespace, item[0].name, item[0].kind)))

    def select(self, namespace: str, labels: Mapping[str, str]) -> tuple[Pods, ...]:
        """The workloads of a namespace whose pods carry all these labels; all of the namespace for no label."""
        if not labels:
            return tuple(self._by_namespace.get(namespace, ()))
        candidates = min((self._by_label.get((namespace, *pair), []) for pair in labels.items()), key=len)
        return tuple(each for each in candidates if labels.items() <= each.labels.items())

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Every core Service, in the order of namespace and name."""
        return tuple(sorted((service_of(each) for each in self.of("", "Service")), key=lambda s: (s.namespace, s.name)))

    def service(self, namespace: str, name: str) -> Service | None:
        """A Service by name."""
        return self._services.get((namespace, name))

    def selected_by(self, service: Service) -> tuple[Pods, ...]:
        """The workloads behind a Service. A Service without a selector selects nothing, nor does an ExternalName."""
        if not service.selector or service.external_name:
            return ()
        return self.select(service.namespace, service.selector)

    @staticmethod
    def target(pods: Pods, port: ServicePort) -> PortSet:
        """The container port that a Service's port leads to on these pods; none where the name is not declared."""
        if isinstance(port.target, int):
            return PortSet.single(port.protocol, port.target)
        return pods.named_port(port.target, port.protocol)

    @cached_property
    def ingress_backends(self) -> tuple[Backend, ...]:
        """What Ingress and Route objects lead to: the workloads and target ports behind the Services they name."""
        found: list[Backend] = []
        for resource in (*self.of("networking.k8s.io", "Ingress"), *self.of("extensions", "Ingress")):
            for name, port in ingress_services(resource.spec):
                found += self._backends(resource, name, port)
        for resource in self.of("route.openshift.io", "Route"):
            spec = resource.spec
            target = mapping(spec.get("port")).get("targetPort")
            wanted = None if target is None else port_number(target) or str(target)
            for backend in (mapping(spec.get("to")), *mappings(spec.get("alternateBackends"))):
                if backend.get("kind", "Service") == "Service" and backend.get("name"):
                    found += self._backends(resource, str(backend["name"]), wanted)
        return tuple(found)

    def _backends(self, resource: Resource, name: str, wanted: int | str | None) -> Iterator[Backend]:
        service = self.service(resource.namespace, name)
        if service is None:
            return
        ports = [
            p for p in service.ports if wanted is None or wanted in (p.port, p.target) or (p.name and p.name == wanted)
        ]
        if wanted is not None:
            ports = ports[:1]
        for pods in self.selected_by(service):
            reached = PortSet.union(self.target(pods, port) for port in ports) & PortSet.protocol("TCP")
            if reached:
                yield Backend(resource, pods.endpoint, reached)

    @cached_property
    def _services(self) -> dict[tuple[str, str], Service]:
        return {(each.namespace, each.name): each for each in self.services}

    @cached_property
    def _by_namespace(self) -> dict[str, list[Pods]]:
        found: dict[str, list[Pods]] = {}
        for pods in self.workloads.values():
            found.setdefault(pods.namespace, []).append(pods)
        return found

    @cached_property
    def _by_label(self) -> dict[tuple[str, str, str], list[Pods]]:
        found: dict[tuple[str, str, str], list[Pods]] = {}
        for pods in self.workloads.values():
            for key, value in pods.labels.items():
                found.setdefault((pods.namespace, key, value), []).append(pods)
        return found

    def _templated(self) -> Iterator[Pods]:
        """Workloads with a pod template. What another object of the input owns is that object's."""
        present = {(each.kind, each.namespace, each.name) for each in self.resources}
        for group_kind, path in _TEMPLATES.items():
            for resource in self._kinds.get(group_kind, ()):
                owner = owner_of(resource)
                if owner is not None and (owner[0], resource.namespace, owner[1]) in present:
                    continue
                template: Any = resource.body
                for step in path:
                    template = template.get(step) if isinstance(template, Mapping) else None
                if not isinstance(template, Mapping):
                    self._notes.append(Note(resource.source, f"{resource.title} has no pod template: skipped"))
                    continue
                metadata = template.get("metadata")
                metadata = metadata if isinstance(metadata, Mapping) else {}
                endpoint = Workload(resource.kind, resource.namespace, resource.name)
                yield pods_of(endpoint, resource, self.namespaces[endpoint.namespace], metadata, template.get("spec"))

    def _running(self, templated: Mapping[Workload, Pods]) -> Iterator[Pods]:
        """Bare Pods, and Pods whose owner was not read: one endpoint for an owner's Pods of the same labels."""
        groups: dict[tuple[str, str, str], dict[tuple[tuple[str, str], ...], list[Resource]]] = {}
        near: dict[str, list[Pods]] = {}
        for each in templated.values():
            near.setdefault(each.namespace, []).append(each)
        read = self.of("", "Pod")
        endpoints = [each for group in calico_endpoints.GROUPS for each in self.of(group, "WorkloadEndpoint")]
        for pod in (*read, *calico_endpoints.pods_of(endpoints, read)):
            owner = owner_of(pod) or (pod.kind, pod.name)
            if self._folded(owner, pod.namespace, templated) or made_from(pod, near.get(pod.namespace, ())):
                continue
            labels = tuple(sorted((k, v) for k, v in pod.labels.items() if k not in _REPLICA_LABELS))
            groups.setdefault((owner[0], pod.namespace, owner[1]), {}).setdefault(labels, []).append(pod)
        for (kind, namespace, name), variants in groups.items():
            together = len(variants) == 1 or not told_apart([dict(labels) for labels in variants], self._choosers)
            for members in [[pod for each in variants.values() for pod in each]] if together else variants.values():
                # Pods of one owner that some selector tells apart are endpoints of their own, named after themselves.
                first = members[0]
                endpoint = Workload(kind, namespace, name) if together else Workload("Pod", namespace, first.name)
                addresses = AddressSet.union(addresses_of(each) for each in members)
                shown = {"labels": first.labels, "annotations": first.annotations}
                yield pods_of(endpoint, first, self.namespaces[namespace], shown, first.spec, addresses=addresses)

    @cached_property
    def _choosers(self) -> list[Resource]:
        """Objects whose selectors choose among Pods of others; a controller's own selector means its own Pods."""
        return [each for each in self.resources if (each.group, each.kind) not in _TEMPLATES and each.kind != "Pod"]

    @cached_property
    def _owners(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """Who owns an owned object: (kind, namespace, name) → (kind, name)."""
        found = ((each, owner_of(each)) for each in self.resources if each.metadata.get("ownerReferences"))
        return {(each.kind, each.namespace, each.name): owner for each, owner in found if owner is not None}

    def _folded(self, owner: tuple[str, str], namespace: str, templated: Mapping[Workload, Pods]) -> bool:
        """Whether a Pod's owner, or a ReplicaSet's or Job's own owner, stands for it already."""
        kind, name = owner
        above = self._owners.get((kind, namespace, name))
        return Workload(kind, namespace, name) in templated or (
            above is not None and Workload(above[0], namespace, above[1]) in templated
        )


def wrong(resource: Resource) -> Iterator[str]:
    """What of an object is of the wrong type, where its API is one of those that are read."""
    if resource.group in BUILT_IN_GROUPS or resource.group.endswith((".openshift.io", ".k8s.io", ".istio.io")):
        yield from faults(resource.kind, resource.document())


__all__ = ["NAME_LABEL", "Backend", "Service", "ServicePort", "World"]

"""What the mesh as a whole is told: the ConfigMap `istio`, and what of it decides about connections.

Defaults are Istio's own (istio `pkg/config/mesh/mesh.go`): a folder without a mesh config is judged by them.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import yaml

from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass, field

DEFAULT_ROOT: Final = "istio-system"
REVISION: Final = "istio.io/rev"
NETWORKING: Final = "networking.istio.io"
SECURITY: Final = "security.istio.io"
EXTENSIONS: Final = "extensions.istio.io"
PUBLIC: Final = ("*",)


@dataclass(frozen=True, slots=True, eq=False)
class MeshConfig:
    """The fields of `meshConfig` that this analyser reads. `resource` is None where Istio's defaults stand."""

    resource: Resource | None = None
    root_namespace: str = DEFAULT_ROOT
    trust_domain: str = "cluster.local"
    registry_only: bool = False
    auto_mtls: bool = True
    default_service_export: tuple[str, ...] = PUBLIC
    default_virtual_service_export: tuple[str, ...] = PUBLIC
    default_destination_rule_export: tuple[str, ...] = PUBLIC
    trusted_proxies: int = 0  # defaultConfig.gatewayTopology.numTrustedProxies
    providers: Mapping[str, str] = field(default_factory=dict)  # extension provider → its kind, "envoyExtAuthzHttp"
    gateways_in_own_namespace: bool = False  # istiod's PILOT_SCOPE_GATEWAY_TO_NAMESPACE
    hbone: bool = False  # defaultConfig.proxyMetadata.ISTIO_META_ENABLE_HBONE: sidecars and gateways speak it
    notes: tuple[Note, ...] = ()


def mesh_config(world: World) -> MeshConfig:
    """The mesh config of the world: of several revisions' the first by name, with a note where they differ."""
    found = [each for each in world.of("", "ConfigMap") if _is_mesh(each)]
    found.sort(key=lambda each: (each.name, each.namespace))
    if not found:
        return MeshConfig(gateways_in_own_namespace=_scoped(world))
    notes: list[Note] = []
    parsed: list[tuple[Resource, Mapping[str, Any]]] = []
    for resource in found:
        text = _data(resource).get("mesh")
        try:
            mesh = yaml.safe_load(text) if isinstance(text, str) else text
        except yaml.YAMLError as error:
            notes.append(Note(resource.source, f"{resource.title}: data.mesh is not readable as YAML: {error}"))
            continue
        if isinstance(mesh, Mapping):
            parsed.append((resource, mesh))
    if not parsed:
        return MeshConfig(notes=tuple(notes), gateways_in_own_namespace=_scoped(world))
    resource, mesh = parsed[0]
    for other, content in parsed[1:]:
        if content != mesh:
            notes.append(Note(other.source, f"{other.title} differs from {resource.title}, by which this is judged"))
    outbound = _mapping(mesh.get("outboundTrafficPolicy"))
    topology = _mapping(_mapping(mesh.get("defaultConfig")).get("gatewayTopology"))
    return MeshConfig(
        resource,
        str(mesh.get("rootNamespace") or resource.namespace),
        str(mesh.get("trustDomain") or "cluster.local"),
        outbound.get("mode") in ("REGISTRY_ONLY", 0),
        mesh.get("enableAutoMtls") is not False,
        _exports(mesh.get("defaultServiceExportTo")),
        _exports(mesh.get("defaultVirtualServiceExportTo")),
        _exports(mesh.get("defaultDestinationRuleExportTo")),
        int(topology.get("numTrustedProxies") or 0),
        {
            str(each["name"]): next((key for key in each if key != "name"), "")
            for each in items(mesh.get("extensionProviders"))
            if isinstance(each, Mapping) and each.get("name")
        },
        _scoped(world),
        _mapping(_mapping(mesh.get("defaultConfig")).get("proxyMetadata")).get("ISTIO_META_ENABLE_HBONE") == "true",
        tuple(notes),
    )


def _is_mesh(resource: Resource) -> bool:
    named = resource.name == "istio" or (resource.name.startswith("istio-") and REVISION in resource.labels)
    return named and "mesh" in _data(resource)


def _data(resource: Resource) -> Mapping[str, Any]:
    return _mapping(resource.body.get("data"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, (dict, Mapping)) else {}


def _exports(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) and value else PUBLIC


def _scoped(world: World) -> bool:
    """Whether istiod binds Gateway objects to gateways of their own namespace only: an environment variable of it."""
    for pods in world.workloads.values():
        if pods.labels.get("app") != "istiod":
            continue
        template: Any = pods.resource.spec
        for step in ("template", "spec"):
            template = _mapping(_mapping(template).get(step))
        for container in items(template.get("containers")):
            for variable in items(_mapping(container).get("env")):
                if _mapping(variable).get("name") == "PILOT_SCOPE_GATEWAY_TO_NAMESPACE":
                    return str(variable.get("value")).lower() in ("true", "1", "t")
    return False


def visible(exports: Iterable[str], home: str, namespace: str) -> bool:
    """Whether an object of namespace `home` with this `exportTo` is known in `namespace`."""
    return any(each in ("*", namespace) or (each == "." and home == namespace) for each in exports)


def exports_of(resource: Resource, default: tuple[str, ...]) -> tuple[str, ...]:
    """An object's `exportTo`, or the mesh's default for its kind where it has none."""
    value = resource.spec.get("exportTo")
    return tuple(str(each) for each in value) if isinstance(value, list) and value else default


class Selected:
    """Namespaced policies found by the workload they select, by label and not by trying each.

    `everywhere` is the root namespace: its policies select in every namespace.
    """

    def __init__(self, resources: Iterable[Resource], root: str, field_name: str = "selector") -> None:
        self.root = root
        self._plain: dict[str, list[tuple[int, Resource]]] = {}
        self._labelled: dict[tuple[str, str, str], list[tuple[int, Resource, Mapping[str, str]]]] = {}
        self.labels: set[str] = set()
        for order, resource in enumerate(sorted(resources, key=lambda each: (each.namespace, each.name))):
            labels = selector(resource, field_name)
            self.labels.update(labels)
            if not labels:
                self._plain.setdefault(resource.namespace, []).append((order, resource))
            else:
                key, value = min(labels.items())
                self._labelled.setdefault((resource.namespace, key, value), []).append((order, resource, labels))

    def of(self, namespace: str, labels: Mapping[str, str]) -> tuple[Resource, ...]:
        """The policies that select pods with these labels, in the order of namespace and name."""
        found: list[tuple[int, Resource]] = []
        for home in dict.fromkeys((self.root, namespace)):
            found += self._plain.get(home, ())
            for pair in labels.items():
                for order, resource, wanted in self._labelled.get((home, *pair), ()):
                    if wanted.items() <= labels.items():
                        found.append((order, resource))
        return tuple(resource for _, resource in sorted(found, key=lambda each: each[0]))


def selector(resource: Resource, field_name: str = "selector") -> dict[str, str]:
    """A policy's `selector.matchLabels` (or `workloadSelector.labels`); empty where it selects all."""
    chosen = _mapping(resource.spec.get(field_name))
    labels = chosen.get("matchLabels", chosen.get("labels"))
    return {str(key): str(value) for key, value in _mapping(labels).items()}


class Injection:
    """Which workloads have a sidecar.

    Namespace labels and pod labels say it (istio `pkg/kube/inject/inject.go`). A folder in which nothing at all speaks
    of injection is taken as a mesh of which injection is configured elsewhere: every workload has one.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    @cached_property
    def _spoken_of(self) -> bool:
        labels = ("istio-injection", REVISION, "istio.io/dataplane-mode")
        if any(label in each.labels for each in self.world.of("", "Namespace") for label in labels):
            return True
        return any(_wish(pods.labels, pods.annotations) is not None for pods in self.world.workloads.values())

    @cached_property
    def _declared(self) -> frozenset[str]:
        return frozenset(each.name for each in self.world.of("", "Namespace"))

    def ambient(self, namespace_labels: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """Whether ztunnel, and no sidecar, carries these pods' traffic."""
        mode = labels.get("istio.io/dataplane-mode", namespace_labels.get("istio.io/dataplane-mode"))
        return mode == "ambient"

    def injected(
        self, namespace: str, namespace_labels: Mapping[str, str], labels: Mapping[str, str],
        annotations: Mapping[str, str],
    ) -> bool:  # fmt: skip
        """Whether pods with these labels get a sidecar or, by template, a gateway proxy."""
        wish = _wish(labels, annotations)
        switch = namespace_labels.get("istio-injection")
        if switch == "disabled" or namespace in ("kube-system", "kube-public", "kube-node-lease"):
            return False
        if wish is not None:
            return wish
        if switch == "enabled" or REVISION in namespace_labels or REVISION in labels:
            return True
        return not self._spoken_of or namespace not in self._declared


def _wish(labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool | None:
    value = labels.get("sidecar.istio.io/inject", annotations.get("sidecar.istio.io/inject"))
    return None if value is None else value in ("true", "yes", "on", "y")

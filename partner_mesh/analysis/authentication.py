"""Who a peer is known to be: PeerAuthentication, the client's TLS mode, RequestAuthentication.

Modes inherit port → workload → namespace → mesh; of several policies of one scope the oldest wins, and since files
carry no creation time, the first by name does (istio `pilot/pkg/security/authn/policy_applier.go`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partner_mesh.analysis.mesh_config import SECURITY, MeshConfig, Selected, selector
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass

STRICT: Final = "STRICT"
PERMISSIVE: Final = "PERMISSIVE"
DISABLE: Final = "DISABLE"
Target = tuple[str, str, str]  # namespace, kind, name


@dataclass(frozen=True, slots=True, eq=False)
class PeerModes:
    """The mode of a workload's ports, and the objects that said so (None: Istio's default, PERMISSIVE)."""

    mode: str = PERMISSIVE
    decided_by: Resource | None = None
    ports: tuple[tuple[int, str, Resource], ...] = ()

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for workloads that are treated alike."""
        return self.mode, id(self.decided_by), tuple((port, mode) for port, mode, _ in self.ports)


class PeerAuthentications:
    """All PeerAuthentication objects."""

    def __init__(self, world: World, mesh: MeshConfig) -> None:
        resources = world.of(SECURITY, "PeerAuthentication")
        self.root = mesh.root_namespace
        self.known = bool(resources)
        self._namespaces: dict[str, Resource] = {}
        workloads: list[Resource] = []
        for resource in sorted(resources, key=lambda each: (each.namespace, each.name)):
            if not selector(resource):
                self._namespaces.setdefault(resource.namespace, resource)
            elif resource.namespace != self.root:  # a selector in the root namespace is ignored
                workloads.append(resource)
        self._workloads = Selected(workloads, "")
        self.labels = self._workloads.labels

    def of(self, namespace: str, labels: Mapping[str, str]) -> PeerModes:
        """The modes in force for pods of a namespace with these labels."""
        mode, by = PERMISSIVE, None
        chosen = self._workloads.of(namespace, labels)[:1]
        for resource in (self._namespaces.get(self.root), self._namespaces.get(namespace), *chosen):
            wanted = _mode(resource.spec.get("mtls")) if resource is not None else None
            if wanted is not None:
                mode, by = wanted, resource
        ports: list[tuple[int, str, Resource]] = []
        for resource in chosen:
            for port, setting in (resource.spec.get("portLevelMtls") or {}).items():
                ports.append((int(port), _mode(setting) or mode, resource))
        return PeerModes(mode, by, tuple(sorted(ports, key=lambda each: each[0])))


def _mode(setting: Any) -> str | None:
    mode = setting.get("mode") if isinstance(setting, Mapping) else None
    return str(mode) if mode in (STRICT, PERMISSIVE, DISABLE) else None


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """What a workload knows of end users' tokens: issuers it accepts. Without any rule a token says nothing."""

    issuers: tuple[str, ...] = ()
    policies: tuple[Resource, ...] = ()


class RequestAuthentications:
    """All RequestAuthentication objects. Without a token a request passes them; with an invalid one it does not."""

    def __init__(self, world: World, mesh: MeshConfig) -> None:
        resources = [each for each in world.of(SECURITY, "RequestAuthentication") if not targeted(each)]
        self._selected = Selected(resources, mesh.root_namespace)
        self._attached = [each for each in world.of(SECURITY, "RequestAuthentication") if targeted(each)]
        self.labels = self._selected.labels

    def of(self, namespace: str, labels: Mapping[str, str]) -> Tokens:
        """The issuers whose tokens pods with these labels accept."""
        return _tokens(self._selected.of(namespace, labels))

    def attached(self, wanted: Iterable[Target]) -> Tokens:
        """The issuers of policies that name one of these."""
        return _tokens(tuple(each for each in self._attached if set(targets(each)) & set(wanted)))


def _tokens(policies: tuple[Resource, ...]) -> Tokens:
    issuers = [
        str(rule.get("issuer") or "")
        for policy in policies
        for rule in items(policy.spec.get("jwtRules"))
        if isinstance(rule, Mapping)
    ]
    return Tokens(tuple(sorted(set(issuers))), policies)


def targeted(resource: Resource) -> bool:
    """Whether a policy names what it targets: then it binds Gateway API gateways and waypoints, never a sidecar."""
    return bool(resource.spec.get("targetRefs") or resource.spec.get("targetRef"))


def targets(resource: Resource) -> tuple[Target, ...]:
    """What a policy names: (namespace, kind, name). In other namespaces than its own nothing is a target."""
    listed = resource.spec.get("targetRefs") or [resource.spec.get("targetRef")]
    return tuple(
        (resource.namespace, str(each.get("kind") or ""), str(each.get("name") or ""))
        for each in listed
        if isinstance(each, Mapping) and each.get("namespace") in (None, "", resource.namespace)
    )


@dataclass(frozen=True, slots=True)
class Principal:
    """A mesh identity: trust domain, namespace, service account."""

    trust_domain: str
    namespace: str
    service_account: str

    def __str__(self) -> str:
        return f"{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"

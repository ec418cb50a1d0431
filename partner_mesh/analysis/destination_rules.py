"""DestinationRules: which one a proxy applies towards a host, and what it makes of the connection."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partner_mesh.analysis.mesh_config import NETWORKING, MeshConfig, exports_of, selector, visible
from partner_mesh.analysis.registry import Host, Registry, full_name, host_matches
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items


class Rules:
    """DestinationRules of one host that are in force together: their subsets add up, the first policy counts."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self.resources = resources
        self._general = [each for each in resources if each.spec.get("trafficPolicy")]
        self._subsets: dict[str, list[Resource]] = {}
        for each in resources:
            for subset in items(each.spec.get("subsets")):
                if isinstance(subset, Mapping):
                    self._subsets.setdefault(str(subset.get("name") or ""), []).append(each)

    def near(self, subset: str) -> list[Resource]:
        """Those that can say anything of a subset: the ones that declare it, then those with a policy for all."""
        declaring = self._subsets.get(subset, []) if subset else []
        return [*declaring, *(each for each in self._general if each not in declaring)]


NO_RULES: Final = Rules(())


class DestinationRules:
    """All DestinationRule objects: which one a proxy applies towards a host, and what it makes of the connection."""

    def __init__(self, world: World, mesh: MeshConfig, registry: Registry) -> None:
        self.mesh = mesh
        self.registry = registry
        self._by_host: dict[str, list[Resource]] = {}
        self._wild: list[tuple[str, Resource]] = []
        for resource in sorted(world.of(NETWORKING, "DestinationRule"), key=lambda each: (each.namespace, each.name)):
            host = full_name(str(resource.spec.get("host") or ""), resource.namespace)
            if "*" in host:
                self._wild.append((host, resource))
            else:
                self._by_host.setdefault(host, []).append(resource)
        self._wild.sort(key=lambda each: (-len(each[0]), each[0]))
        self.known = bool(self._by_host or self._wild)
        self._known: dict[tuple[str, str, str, frozenset[tuple[str, str]]], Rules] = {}
        self._selecting: dict[str, bool] = {}
        self._changing: dict[str, bool] = {}

    def of(self, host: Host, name: str, namespace: str, labels: Mapping[str, str]) -> "Rules":
        """The rules in force: of the client's namespace, else of the host's, else of the root namespace."""
        candidates = self._by_host.get(name)
        chosen = frozenset(labels.items()) if self._select(name, candidates) else frozenset()
        key = name, host.namespace, namespace, chosen
        if key not in self._known:
            self._known[key] = self._found(candidates, name, host, namespace, labels)
        return self._known[key]

    def changes_tls(self, name: str) -> bool:
        """Whether any rule for a host, visible to whomever, takes the mesh's identity away from its callers."""
        if name not in self._changing:
            candidates = self._by_host.get(name) or [e for pattern, e in self._wild if host_matches(pattern, name)]
            self._changing[name] = any(mode != "ISTIO_MUTUAL" for each in candidates for mode in _modes(each))
        return self._changing[name]

    def _select(self, name: str, candidates: list[Resource] | None) -> bool:
        """Whether any rule of a host asks for the client's labels."""
        if candidates is None:
            return any(selector(each, "workloadSelector") for _, each in self._wild)
        if name not in self._selecting:
            self._selecting[name] = any(selector(each, "workloadSelector") for each in candidates)
        return self._selecting[name]

    def _found(
        self, candidates: list[Resource] | None, name: str, host: Host, namespace: str, labels: Mapping[str, str]
    ) -> "Rules":
        if candidates is None:
            candidates = [resource for pattern, resource in self._wild if host_matches(pattern, name)]
        for home in (namespace, host.namespace, self.mesh.root_namespace):
            found = [each for each in candidates if each.namespace == home and self._visible(each, namespace, labels)]
            if found:
                return Rules(tuple(found))
        return NO_RULES

    def tls(self, rules: "Rules", subset: str, port: int | None) -> tuple[Mapping[str, Any], Resource] | None:
        """See `client_tls`; of all rules only those are read that can say something of the subset."""
        return client_tls(rules.near(subset), subset, port)

    def labels(self, rules: "Rules", subset: str) -> dict[str, str] | None:
        """See `subset_labels`."""
        return subset_labels(rules.near(subset), subset)

    def _visible(self, resource: Resource, namespace: str, labels: Mapping[str, str]) -> bool:
        chosen = selector(resource, "workloadSelector")
        if chosen:
            return resource.namespace == namespace and chosen.items() <= labels.items()
        exports = exports_of(resource, self.mesh.default_destination_rule_export)
        return visible(exports, resource.namespace, namespace)


def _modes(resource: Resource) -> Iterable[str]:
    """Every TLS mode that a DestinationRule writes."""
    policies = [resource.spec, *(each for each in items(resource.spec.get("subsets")) if isinstance(each, Mapping))]
    for holder in policies:
        policy = holder.get("trafficPolicy")
        if not isinstance(policy, Mapping):
            continue
        for each in (
            policy,
            *(level for level in items(policy.get("portLevelSettings")) if isinstance(level, Mapping)),
        ):
            if isinstance(each.get("tls"), Mapping):
                yield str(each["tls"].get("mode") or "DISABLE")


def subset_labels(rules: Iterable[Resource], name: str) -> dict[str, str] | None:
    """The labels of a subset; None where no rule declares it: then no endpoint answers."""
    for resource in rules:
        for subset in items(resource.spec.get("subsets")):
            if isinstance(subset, Mapping) and subset.get("name") == name:
                labels = subset.get("labels")
                return {str(k): str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}
    return None


def client_tls(rules: Iterable[Resource], subset: str, port: int | None) -> tuple[Mapping[str, Any], Resource] | None:
    """The `tls` settings that hold towards a port of a subset, the most particular first; None where none are said."""
    for resource in rules:
        policies = [
            each.get("trafficPolicy")
            for each in items(resource.spec.get("subsets"))
            if isinstance(each, Mapping) and each.get("name") == subset and subset
        ]
        for policy in (*policies, resource.spec.get("trafficPolicy")):
            if not isinstance(policy, Mapping):
                continue
            for level in items(policy.get("portLevelSettings")):
                number = (level.get("port") or {}).get("number") if isinstance(level, Mapping) else None
                if number == port and isinstance(level.get("tls"), Mapping):
                    return level["tls"], resource
            if isinstance(policy.get("tls"), Mapping):
                return policy["tls"], resource
    return None

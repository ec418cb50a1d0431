"""Policies that select nothing, references that lead nowhere: a mistake in a label opens or closes silently."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.calico_selectors import calico_selector
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.mesh_config import EXTENSIONS, NETWORKING, SECURITY
from partner_mesh.analysis.network_policy import resources as network_policies
from partner_mesh.analysis.registry import host_matches
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.routes import MESH, gateways_of, target
from partner_mesh.analysis.selectors import And, In, Selector, SelectorError, label_selector, selects

# Group and kind → the field of `spec` that selects pods.
_SELECTING: Final[Mapping[tuple[str, str], str]] = {
    (SECURITY, "AuthorizationPolicy"): "selector",
    (SECURITY, "PeerAuthentication"): "selector",
    (SECURITY, "RequestAuthentication"): "selector",
    ("telemetry.istio.io", "Telemetry"): "selector",
    (EXTENSIONS, "WasmPlugin"): "selector",
    (NETWORKING, "Sidecar"): "workloadSelector",
    (NETWORKING, "EnvoyFilter"): "workloadSelector",
    (NETWORKING, "DestinationRule"): "workloadSelector",
    (NETWORKING, "Gateway"): "selector",
    ("", "Service"): "selector",
    ("vpcresources.k8s.aws", "SecurityGroupPolicy"): "podSelector",
}
_CALICO: Final = ("projectcalico.org", "crd.projectcalico.org")


def selects_something(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Of every object that selects pods by label, in a world that has pods at all."""
    if not facts.world.workloads:
        return
    root = facts.mesh.config.root_namespace
    for resource, home, written in _selectors(facts, root):
        try:
            chosen = any(selects(written(), labels) for labels in _labels(facts, resource, home))
        except SelectorError as error:
            yield invariant.at(resource, f"its selector cannot be read: {error}", "write it as the API documents it")
            continue
        if not chosen:
            where = f"in namespace {home}" if home else "in any namespace"
            refuses = resource.kind == "AuthorizationPolicy" and resource.spec.get("action") == "DENY"
            yield invariant.at(
                resource,
                f"selects no workload {where}",
                "correct the labels, or remove the object",
                Severity.ERROR if refuses else None,
            )


def _labels(facts: Facts, resource: Resource, namespace: str) -> Iterator[Mapping[str, str]]:
    """The labels of whom an object may select: pods, and hosts where it is a global policy of Calico's."""
    pods = facts.world.select(namespace, {}) if namespace else facts.world.workloads.values()
    yield from (each.labels for each in pods)
    if resource.kind == "GlobalNetworkPolicy":
        yield from (each.labels for group in _CALICO for each in facts.world.of(group, "HostEndpoint"))


def _selectors(facts: Facts, root: str) -> Iterator[tuple[Resource, str, Any]]:
    """(object, namespace or "" for all, how to read its selector). An empty selector means a namespace: not asked."""
    for (group, kind), field in _SELECTING.items():
        for resource in facts.world.of(group, kind):
            written = resource.spec.get(field)
            if isinstance(written, Mapping) and written:
                everywhere = resource.namespace == root and kind not in ("Service", "SecurityGroupPolicy")
                everywhere |= kind == "Gateway" and not facts.mesh.config.gateways_in_own_namespace
                yield resource, "" if everywhere else resource.namespace, lambda written=written: _plain(written)
    for resource in network_policies(facts.world):
        written = resource.spec.get("podSelector")
        if isinstance(written, Mapping) and written:
            yield resource, resource.namespace, lambda written=written: label_selector(written)
    for group in _CALICO:
        for kind in ("NetworkPolicy", "GlobalNetworkPolicy"):
            for resource in facts.world.of(group, kind):
                text = str(resource.spec.get("selector") or "")
                if text and text != "all()":
                    yield resource, resource.namespace, lambda text=text: calico_selector(text)


def _plain(written: Mapping[str, Any]) -> Selector:
    """A selector in any of its forms: `matchLabels`, `labels`, or a plain map."""
    if "matchLabels" in written or "matchExpressions" in written:
        return label_selector(written)
    labels = written.get("labels", written)
    return And(tuple(In(str(key), (str(value),)) for key, value in labels.items()))


def leads_somewhere(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Routes lead to hosts, subsets and gateways that are there."""
    known_gateways = {f"{each.namespace}/{each.name}" for each in facts.world.of(NETWORKING, "Gateway")}
    for resource in facts.world.of(NETWORKING, "VirtualService"):
        for gateway in gateways_of(resource):
            if gateway not in known_gateways and gateway != MESH:
                yield invariant.at(resource, f"binds gateway {gateway}, which is not there", "name a Gateway that is")
        for reason in dict.fromkeys(_lost(facts, resource)):
            yield invariant.at(resource, reason, "correct the name, or remove the route")


def _lost(facts: Facts, resource: Resource) -> Iterator[str]:
    registry, subsets = facts.mesh.registry, facts.subsets
    for kind in ("http", "tls", "tcp"):
        for route in resource.spec.get(kind) or ():
            for share in (route.get("route") or ()) if isinstance(route, Mapping) else ():
                found = target(share.get("destination") if isinstance(share, Mapping) else None, resource.namespace)
                if found.host not in registry.hosts and not any(
                    host_matches(each.name, found.host) for each in registry.wildcards
                ):
                    yield f"{kind} leads to {found.host}, which nobody serves"
                elif found.subset and (found.host, found.subset) not in subsets:
                    yield f"{kind} leads to subset {found.subset} of {found.host}, which no DestinationRule declares"


INVARIANTS: Final = (
    Invariant("PM011-selects-nothing", Severity.WARNING, "Every policy selects somebody", selects_something),
    Invariant("PM012-leads-nowhere", Severity.WARNING, "Every route leads somewhere", leads_somewhere),
)

"""Calico's own endpoints: WorkloadEndpoints as Pods, the Profiles that each endpoint has, and hosts.

A WorkloadEndpoint is what Calico makes of a Pod's interface; where only it was read, it says all that a selector asks.
A HostEndpoint is no endpoint of the table. To selectors it is its `expectedIPs` and nothing else: Calico "does not
learn the IPs of the interface for use in match criteria" (comment of HostEndpointSpec).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.written import items, mappings

GROUPS: Final = ("projectcalico.org", "crd.projectcalico.org")
NAMESPACE_PROFILE, ACCOUNT_PROFILE = "kns.", "ksa."  # one for each Namespace and ServiceAccount, made by Calico
_DEFAULT_ALLOW: Final = "projectcalico-default-allow"


def pod_of(endpoint: Resource) -> Resource:
    """A WorkloadEndpoint as the Pod that it stands for; as itself where another orchestrator made it."""
    spec = endpoint.spec
    kubernetes = str(spec.get("orchestrator") or "k8s") == "k8s" and bool(spec.get("pod"))
    account = spec.get("serviceAccountName") or endpoint.labels.get("projectcalico.org/serviceaccount")
    ports = [
        {"name": each.get("name"), "containerPort": each.get("port"), "protocol": each.get("protocol")}
        for each in mappings(spec.get("ports"))
    ]
    body = {
        "spec": {"serviceAccountName": account, "nodeName": spec.get("node"), "containers": [{"ports": ports}]},
        "endpoint": endpoint.name,
        "status": {"podIPs": [{"ip": each} for each in items(spec.get("ipNetworks"))]},
    }
    kind, name = ("Pod", str(spec["pod"])) if kubernetes else (endpoint.kind, endpoint.name)
    return Resource(
        "v1", kind, endpoint.namespace, name, endpoint.labels, {}, body, endpoint.metadata, endpoint.source
    )  # fmt: skip


def pods_of(endpoints: Iterable[Resource], known: Iterable[Resource]) -> Iterator[Resource]:
    """What only WorkloadEndpoints tell of, each Pod once however many interfaces it has."""
    seen = {(each.kind, each.namespace, each.name) for each in known}
    for pod in map(pod_of, endpoints):
        if (pod.kind, pod.namespace, pod.name) not in seen:
            seen.add((pod.kind, pod.namespace, pod.name))
            yield pod


def profiles_written(endpoints: Iterable[Resource]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(namespace, name) → the profiles that a WorkloadEndpoint lists, where it lists any."""
    return {
        (each.namespace, pod_of(each).name): tuple(map(str, profiles))
        for each in endpoints
        if (profiles := items(each.spec.get("profiles")))
    }


def usual_profiles(namespace: str, account: str) -> tuple[str, str]:
    """The profiles of a Pod, in the order in which they are asked."""
    return f"{NAMESPACE_PROFILE}{namespace}", f"{ACCOUNT_PROFILE}{namespace}.{account}"


def allows_everything(profile: str) -> bool:
    """Whether a profile that nobody wrote lets everything pass: Calico makes those of namespaces so."""
    return profile.startswith(NAMESPACE_PROFILE) or profile == _DEFAULT_ALLOW


def says_nothing(profile: str) -> bool:
    """Whether a profile that nobody wrote has no rules: Calico makes those of service accounts so."""
    return profile.startswith(ACCOUNT_PROFILE)

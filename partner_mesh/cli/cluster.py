"""A live cluster's objects, read and never written: what the analyser needs, and no Secret."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.cli.options import Refusal

Fetch = Callable[[str], Mapping[str, Any]]  # path of the API → its JSON; raises ClusterError

# Group → the kinds that the analyser reads. ConfigMaps are read of Istio's namespace alone.
KINDS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"Namespace", "Pod", "Service", "ServiceAccount", "ReplicationController"}),
    "apps": frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}),
    "batch": frozenset({"Job", "CronJob"}),
    "networking.k8s.io": frozenset({"NetworkPolicy", "Ingress"}),
    "policy.networking.k8s.io": frozenset({
        "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy",
    }),
    "projectcalico.org": frozenset({
        "NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier", "StagedNetworkPolicy",
        "StagedGlobalNetworkPolicy",
    }),
    "crd.projectcalico.org": frozenset({
        "NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier", "StagedNetworkPolicy",
        "StagedGlobalNetworkPolicy",
    }),
    "networking.istio.io": frozenset({
        "Gateway", "VirtualService", "DestinationRule", "ServiceEntry", "Sidecar", "EnvoyFilter", "WorkloadEntry",
    }),
    "security.istio.io": frozenset({"AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"}),
    "extensions.istio.io": frozenset({"WasmPlugin"}),
    "vpcresources.k8s.aws": frozenset({"SecurityGroupPolicy"}),
    "cilium.io": frozenset({"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}),
    "route.openshift.io": frozenset({"Route"}),
    "k8s.ovn.org": frozenset({"UserDefinedNetwork", "ClusterUserDefinedNetwork", "EgressFirewall"}),
}  # fmt: skip
ISTIO_NAMESPACE: Final = "istio-system"
_PAGE: Final = 500


class ClusterError(Refusal):
    """A cluster that cannot be read; the text says which question failed and why."""


def documents(context: str) -> list[dict[str, Any]]:
    """The objects of the cluster of a kubeconfig context. Raises ClusterError."""
    return list(read(_client(context)))


def read(fetch: Fetch) -> Iterator[dict[str, Any]]:
    """The objects that the API serves, through a function that fetches one path."""
    served = {"": "v1"}
    for group in fetch("/apis").get("groups", ()):
        served[str(group["name"])] = str(group["preferredVersion"]["groupVersion"])
    for group, kinds in KINDS.items():
        # What Calico's API server shows is the same as the custom resources beneath it.
        if group not in served or (group == "crd.projectcalico.org" and "projectcalico.org" in served):
            continue
        version = served[group]
        base = f"/apis/{version}" if group else f"/api/{version}"
        for resource in fetch(base).get("resources", ()):
            if resource["kind"] in kinds and "/" not in resource["name"] and "list" in resource.get("verbs", ()):
                yield from _pages(fetch, f"{base}/{resource['name']}", version, resource["kind"])
    for each in _pages(fetch, f"/api/v1/namespaces/{ISTIO_NAMESPACE}/configmaps", "v1", "ConfigMap"):
        if each["metadata"]["name"].startswith("istio"):
            yield each


def _pages(fetch: Fetch, path: str, version: str, kind: str) -> Iterator[dict[str, Any]]:
    """A list, page by page. Its items leave out what they are."""
    following = ""
    while True:
        page = fetch(f"{path}?limit={_PAGE}" + (f"&continue={following}" if following else ""))
        for item in page.get("items") or ():
            yield {"apiVersion": version, "kind": kind, **item}
        following = str((page.get("metadata") or {}).get("continue") or "")
        if not following:
            return


def _client(context: str) -> Fetch:
    """The API of a context, through the Kubernetes client; imported here because it takes a second to load."""
    import json  # noqa: PLC0415

    from kubernetes import config  # noqa: PLC0415
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415

    try:
        api: Any = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]  # ships no types
    except (ConfigException, OSError) as error:
        raise ClusterError(f"context {context}: {error}") from error

    def fetch(path: str) -> Mapping[str, Any]:
        try:
            request = api.param_serialize("GET", path, header_params={}, auth_settings=["BearerToken"])
            answer = api.call_api(*request)
            body = answer.read()
        except Exception as error:  # urllib3's, whose names the client does not promise
            raise ClusterError(f"context {context}: GET {path}: {type(error).__name__}") from error
        if answer.status == 404:
            return {}
        if answer.status != 200:
            raise ClusterError(f"context {context}: GET {path}: {answer.status} {answer.reason}")
        found: Mapping[str, Any] = json.loads(body)
        return found

    return fetch

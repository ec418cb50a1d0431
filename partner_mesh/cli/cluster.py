"""A live cluster's objects, read and never written: what the analyser needs, and no Secret."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from partner_mesh.analysis.unmodelled import unread
from partner_mesh.model.record import dataclass, field

Fetch = Callable[[str], Mapping[str, Any]]  # path of the API → its JSON, nothing for 404; raises ClusterError

# Group → the kinds that the analyser reads. ConfigMaps are read of Istio's namespace alone.
KINDS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"Namespace", "Node", "Pod", "Service", "ServiceAccount", "ReplicationController"}),
    "apps": frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}),
    "batch": frozenset({"Job", "CronJob"}),
    "networking.k8s.io": frozenset({"NetworkPolicy", "Ingress"}),
    "policy.networking.k8s.io": frozenset({
        "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy",
    }),
    "projectcalico.org": frozenset({
        "NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier", "StagedNetworkPolicy",
        "StagedGlobalNetworkPolicy", "HostEndpoint",
    }),
    "crd.projectcalico.org": frozenset({
        "NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier", "StagedNetworkPolicy",
        "StagedGlobalNetworkPolicy", "HostEndpoint",
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
    "k8s.cni.cncf.io": frozenset({"NetworkAttachmentDefinition", "MultiNetworkPolicy"}),
    "kubevirt.io": frozenset({"VirtualMachine"}),
}  # fmt: skip
ISTIO_NAMESPACE: Final = "istio-system"
_PAGE: Final = 500
# Groups whose objects may refuse a connection: what was not read of them may say no.
_POLICIES: Final = frozenset({
    "networking.k8s.io", "policy.networking.k8s.io", "projectcalico.org", "crd.projectcalico.org", "cilium.io",
    "security.istio.io", "k8s.ovn.org",
})  # fmt: skip
_OTHERS_MAY_ANSWER: Final = (403, 410, 503)  # forbidden, a page that grew too old, an aggregated API that is away


class ClusterError(Exception):
    """A cluster that cannot be read; the text says which question failed and why."""


class RefusedError(ClusterError):
    """One question that the API server does not answer, which says nothing of the others: 403, 410 or 503."""


@dataclass(slots=True)
class Live:
    """What was read: objects, the kinds that were listed whole, and sentences on what could not be."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    kinds: set[tuple[str, str]] = field(default_factory=set)  # (group, kind)
    refused: set[tuple[str, str]] = field(default_factory=set)
    untold: list[str] = field(default_factory=list)


def live(context: str) -> Live:
    """The objects of the cluster of a kubeconfig context. Raises ClusterError."""
    return read(_client(context))


def read(fetch: Fetch) -> Live:
    """The objects that the API serves, through a function that fetches one path.

    Raises ClusterError where nothing can be read at all: a table made of nothing would allow everything.
    """
    found = Live()
    for group, versions in _served(fetch):
        for version in versions:
            _read_version(fetch, group, version, found)
    _read_configuration(fetch, found)
    if not found.kinds and found.untold:
        raise ClusterError("; ".join(found.untold[:3]))
    found.documents += [unread(group, kind) for group, kind in sorted(found.refused) if _may_refuse(group, kind)]
    return found


def _may_refuse(group: str, kind: str) -> bool:
    return group in _POLICIES and kind != "Ingress"


def _served(fetch: Fetch) -> Iterator[tuple[str, list[str]]]:
    """Group → its versions, the preferred one first: a kind may be served in another one alone."""
    served = {"": ["v1"]}
    for group in fetch("/apis").get("groups", ()):
        preferred = str(group["preferredVersion"]["groupVersion"])
        every = [str(each["groupVersion"]) for each in group.get("versions") or ()]
        served[str(group["name"])] = [preferred, *(each for each in every if each != preferred)]
    for group in KINDS:
        # What Calico's API server shows is the same as the custom resources beneath it.
        if group in served and not (group == "crd.projectcalico.org" and "projectcalico.org" in served):
            yield group, served[group]


def _read_version(fetch: Fetch, group: str, version: str, found: Live) -> None:
    base = f"/apis/{version}" if group else f"/api/{version}"
    try:
        resources = fetch(base).get("resources", ())
    except RefusedError as error:  # the server behind an aggregated API may be away
        found.untold.append(f"{error}: no object of {version} was read")
        return
    for resource in resources:
        kind = (group, str(resource["kind"]))
        wanted = resource["kind"] in KINDS[group] and "/" not in resource["name"]
        if not wanted or "list" not in resource.get("verbs", ()) or kind in found.kinds | found.refused:
            continue
        try:
            found.documents += _listed(fetch, f"{base}/{resource['name']}", version, resource["kind"])
            found.kinds.add(kind)
        except RefusedError as error:
            found.refused.add(kind)
            found.untold.append(f"{error}: no {resource['kind']} was read")


def _read_configuration(fetch: Fetch, found: Live) -> None:
    path = f"/api/v1/namespaces/{ISTIO_NAMESPACE}/configmaps"
    try:
        listed = _listed(fetch, path, "v1", "ConfigMap")
    except RefusedError as error:
        found.untold.append(f"{error}: the mesh's own configuration was not read")
        return
    found.documents += [each for each in listed if each["metadata"]["name"].startswith("istio")]


def _listed(fetch: Fetch, path: str, version: str, kind: str) -> list[dict[str, Any]]:
    """A list, page by page; whole, once more, where it grew too old between two pages."""
    try:
        return list(_pages(fetch, path, version, kind, _PAGE))
    except RefusedError as error:
        if " 410 " not in str(error):
            raise
        return list(_pages(fetch, path, version, kind, 0))


def _pages(fetch: Fetch, path: str, version: str, kind: str, limit: int) -> Iterator[dict[str, Any]]:
    """The items leave out what they are."""
    following = ""
    while True:
        page = fetch(
            (f"{path}?limit={limit}" if limit else path) + (f"&continue={quote(following)}" if following else "")
        )
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
            kind = RefusedError if answer.status in _OTHERS_MAY_ANSWER else ClusterError
            raise kind(f"context {context}: GET {path}: {answer.status} {answer.reason}")
        found: Mapping[str, Any] = json.loads(body)
        return found

    return fetch

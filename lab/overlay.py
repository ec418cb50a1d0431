"""The one place where documents are changed for the lab. Everything else is byte for byte what the stack compiles to.

Addresses, service resolution and interception need no change: pods have addresses of the cluster's kind, hosts of
partners are found by DNS, traffic is redirected by the kernel. What is left:

- the data plane is upstream Envoy, which lacks the filters of Istio's own build: two switches in istiod's environment
  and no Prometheus metrics from proxies;
- applications that the inventory stands in for get the security context that their namespaces demand of Pods;
- the cluster's DNS has an address that is known before the cluster starts.

`touched` shows what differs, `ALLOWED` is the whole list of what may; a test holds the two together.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from lab.identity import key
from lab.world import DNS_ADDRESS, WORKLOADS, Document

ISTIOD_ENVIRONMENT: Final = {  # both default to true and make istiod configure filters that only istio-proxy has
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
}

STAND_IN: Final = "inventory.invalid/"  # images of workloads that the inventory describes and nobody runs
RESTRICTED: Final = {  # what pod-security.kubernetes.io "restricted" asks of a container
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

# kind, path of the changed field, why
ALLOWED: Final[tuple[tuple[str, str, str], ...]] = (
    ("Deployment", r"spec\.template\.spec\.containers\[0\]\.env", "istiod: no filters that only istio-proxy has"),
    (
        "Deployment",
        r"spec\.template\.spec\.containers\[\d+\]\.securityContext",
        "stand-ins of applications are as restricted as their namespaces demand",
    ),
    ("ConfigMap", r"data\.mesh", "the mesh without Prometheus metrics: upstream Envoy has no istio.stats filter"),
    ("Telemetry", r"spec\.metrics", "the same, where a Telemetry asks for metrics"),
    ("Service", r"spec\.clusterIP", "the cluster's DNS has the address that resolv.conf names"),
)


@dataclass(frozen=True, slots=True)
class Touch:
    """One field that differs. `path` is dotted, empty for a whole object that was added or removed."""

    kind: str
    name: str  # <namespace>/<name>
    path: str
    before: Any
    after: Any

    @property
    def reason(self) -> str | None:
        """Why the overlay may do this; None if it may not."""
        if not self.path:
            return "what the cluster has besides the stack" if self.before is None and self.kind in ADDED else None
        return next((why for kind, path, why in ALLOWED if kind == self.kind and re.fullmatch(path, self.path)), None)


ADDED: Final = frozenset({"Namespace", "Deployment", "Service", "ServiceAccount"})


def overlay(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """The documents for the lab, in order, and behind them what a cluster brings along: DNS, accounts, namespaces."""
    changed = [_changed(document) for document in documents]
    return changed + list(_surroundings(changed))


def _changed(document: Document) -> dict[str, Any]:
    kind, name = document["kind"], document["metadata"]["name"]
    changed = copy.deepcopy(dict(document))
    if kind == "Deployment" and _runs_istiod(document):
        container = changed["spec"]["template"]["spec"]["containers"][0]
        kept = [variable for variable in container.get("env", ()) if variable["name"] not in ISTIOD_ENVIRONMENT]
        container["env"] = [*kept, *({"name": key, "value": value} for key, value in ISTIOD_ENVIRONMENT.items())]
    elif kind == "Deployment":
        for container in changed["spec"]["template"]["spec"]["containers"]:
            if container.get("image", "").startswith(STAND_IN):
                container.setdefault("securityContext", RESTRICTED)
    elif kind == "ConfigMap" and "mesh" in document.get("data", {}):
        changed["data"]["mesh"] = _without_metrics(document["data"]["mesh"])
    elif kind == "Telemetry":
        changed.get("spec", {}).pop("metrics", None)
    elif kind == "Service" and (document["metadata"].get("namespace"), name) == ("kube-system", "kube-dns"):
        changed["spec"]["clusterIP"] = DNS_ADDRESS
    return changed


def _runs_istiod(deployment: Document) -> bool:
    return bool(deployment["spec"]["template"].get("metadata", {}).get("labels", {}).get("app") == "istiod")


def _without_metrics(text: str) -> str:
    mesh = yaml.safe_load(text) or {}
    if "metrics" not in mesh.get("defaultProviders", {}):
        return text
    del mesh["defaultProviders"]["metrics"]
    return yaml.safe_dump(mesh, sort_keys=False)


def _surroundings(documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    """What exists in a cluster before us: only what the documents lack."""
    have = {(d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]) for d in documents}
    added: list[dict[str, Any]] = []
    if ("Service", "kube-system", "kube-dns") not in have:
        added += _dns()
    for document in [*documents, *added]:
        if document["kind"] in WORKLOADS:
            account = document["spec"]["template"]["spec"].get("serviceAccountName", "default")
            namespace = document["metadata"].get("namespace", "default")
            if ("ServiceAccount", namespace, account) not in have:
                have.add(("ServiceAccount", namespace, account))
                added.append(
                    {
                        "apiVersion": "v1",
                        "kind": "ServiceAccount",
                        "metadata": {"name": account, "namespace": namespace},
                    }
                )
    for namespace in dict.fromkeys(
        d["metadata"]["namespace"] for d in [*documents, *added] if "namespace" in d["metadata"]
    ):
        if ("Namespace", "", namespace) not in have:
            added.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield from added


def _dns() -> list[dict[str, Any]]:
    labels = {"k8s-app": "kube-dns"}
    port = {"name": "dns", "port": 53, "protocol": "UDP"}
    container = {
        "name": "coredns",
        "image": "coredns",
        "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}],
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "coredns", "namespace": "kube-system"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"serviceAccountName": "coredns", "containers": [container]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "selector": labels,
                "clusterIP": DNS_ADDRESS,
                "ports": [port, {**port, "name": "dns-tcp", "protocol": "TCP"}],
            },
        },
    ]


def touched(before: Iterable[Document], after: Iterable[Document]) -> list[Touch]:
    """Every field that differs between two sets of documents, and every object that only one of them has."""
    old, new = {key(d): d for d in before}, {key(d): d for d in after}
    found: list[Touch] = []
    for each in dict.fromkeys([*old, *new]):
        kind, name = each[1], f"{each[2]}/{each[3]}".strip("/")
        if each not in old or each not in new:
            found.append(Touch(kind, name, "", old.get(each), new.get(each)))
        else:
            found += (Touch(kind, name, path, a, b) for path, a, b in _differences(old[each], new[each], ""))
    return found


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _differences(left, right, f"{path}[{index}]")
    elif before != after:
        yield path, before, after

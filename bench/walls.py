"""What stands beside a stack while its layers are judged alone: workloads, addresses and routes that no object means.

A selector that is wider than it should be selects them; a peer that is wider than it should be admits them. The layers
themselves are the analyser's (`partner_mesh.analysis.walls`), as `partner-mesh diff` asks them.
"""

from typing import Any, Final

from partner_mesh.analysis.strangers import NAME

Document = dict[str, Any]
STRANGERS: Final = "192.0.2.128/25"  # RFC 5737: addresses of nobody
HOST: Final = "stranger.example"


def strangers(documents: list[Document]) -> list[Document]:
    """A workload without a name in each namespace of a stack and in one of its own; addresses that are nobody's, and a
    host that every Gateway is asked to serve.
    """
    homes = [each["metadata"]["name"] for each in documents if each["kind"] == "Namespace"]
    namespace = _object("v1", "Namespace", "", NAME)
    namespace["metadata"]["labels"] = {"kubernetes.io/metadata.name": NAME}
    workloads = [_workload(home, {"app": NAME}, NAME) for home in (*homes, NAME)]
    return [namespace, *workloads, *_addresses(documents), *_routes(documents)]


def doubles(documents: list[Document], home: str) -> list[Document]:
    """A workload in one namespace for every look that pods have anywhere: labels alone mean it, wherever it is."""
    looks = dict.fromkeys(tuple(sorted(each.items())) for each in map(_labels, documents) if each)
    return [_workload(home, dict(look), f"double-{number}") for number, look in enumerate(looks)]


def _labels(document: Document) -> dict[str, str]:
    """The labels of a workload's pods."""
    template = document.get("spec", {}).get("template", {}) if document["kind"] == "Deployment" else {}
    return dict(template.get("metadata", {}).get("labels", {}))


def _workload(namespace: str, labels: dict[str, str], name: str) -> Document:
    spec = {"serviceAccountName": NAME, "containers": [{"name": name}]}
    return _object(
        "apps/v1", "Deployment", namespace, name, {"template": {"metadata": {"labels": labels}, "spec": spec}}
    )


def _addresses(documents: list[Document]) -> list[Document]:
    """A set without labels wherever there are sets."""
    homes = dict.fromkeys(each["metadata"]["namespace"] for each in documents if each["kind"] == "NetworkSet")
    return [_object("projectcalico.org/v3", "NetworkSet", home, NAME, {"nets": [STRANGERS]}) for home in homes]


def _routes(documents: list[Document]) -> list[Document]:
    """Another namespace's VirtualService for a host of its own, bound to every Gateway."""
    gateways = [
        "{namespace}/{name}".format(**each["metadata"])
        for each in documents
        if each["kind"] == "Gateway" and each["apiVersion"].startswith("networking.istio.io/")
    ]
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    service = _object("v1", "Service", NAME, NAME, {"selector": {"app": NAME}, "ports": ports})
    route = {"destination": {"host": f"{NAME}.{NAME}.svc.cluster.local", "port": {"number": 80}}}
    spec = {"hosts": [HOST], "gateways": gateways, "exportTo": ["*"], "http": [{"route": [route]}]}
    return [service, _object("networking.istio.io/v1", "VirtualService", NAME, NAME, spec)] if gateways else []


def _object(version: str, kind: str, namespace: str, name: str, spec: Document | None = None) -> Document:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **({"spec": spec} if spec is not None else {})}

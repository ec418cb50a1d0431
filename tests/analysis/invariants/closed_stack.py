"""The hand-written partner stack with its doors closed: no invariant finds anything; faults are seeded into it."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from partner_mesh.analysis.invariants import Facts, Finding, examined
from partner_mesh.analysis.resources import of_documents
from tests.analysis.partner_stack import document, documents

TODAY = date(2026, 11, 1)
Documents = list[dict[str, Any]]
Change = Callable[[Documents], Any]


def closed() -> Documents:
    """Two partners, one application, default deny, and only what is needed open."""
    found = documents(2)
    for home in ("istio-system", "istio-partners", "istio-web", "istio-egress", "app0"):
        found.append(policy(home, "default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
    found += [
        opened("istio-partners", "partners", ["198.18.0.0/15"], 8443, "ingress"),
        opened("istio-web", "web", ["10.0.0.0/16"], 8443, "ingress"),
        opened("istio-egress", "egress", ["8.0.0.0/6", "64.0.0.0/3"], 443, "egress"),
    ]
    for gateway in ("partners", "web"):
        found += edge(f"istio-{gateway}", {"istio": gateway}, "app0", {"app": "app0"}, 8080)
    found += edge("app0", {"app": "app0"}, "istio-egress", {"istio": "egress"}, 8443)
    for each in found:
        if each["kind"] == "RequestAuthentication":
            each["spec"]["jwtRules"][0]["audiences"] = ["app0"]
    found.append(document("RequestAuthentication", "istio-web", "users", {
        "selector": {"matchLabels": {"istio": "web"}},
        "jwtRules": [{"issuer": "https://login.example.com", "audiences": ["app0"], "forwardOriginalToken": True}],
    }))  # fmt: skip
    return found


def policy(namespace: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return document("NetworkPolicy", namespace, name, spec, **metadata)


def opened(namespace: str, gateway: str, blocks: list[str], port: int, direction: str) -> dict[str, Any]:
    peers = [{"ipBlock": {"cidr": each}} for each in blocks]
    rule = {"from" if direction == "ingress" else "to": peers, "ports": [{"port": port}]}
    spec = {
        "podSelector": {"matchLabels": {"istio": gateway}},
        "policyTypes": [direction.capitalize()],
        direction: [rule],
    }
    return policy(namespace, f"{gateway}-{direction}", spec)


def edge(source: str, out: dict[str, str], target: str, into: dict[str, str], port: int) -> Documents:
    """Both ends of one connection."""
    ports = [{"port": port}]

    def peer(namespace: str, labels: dict[str, str]) -> dict[str, Any]:
        home = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        return {"namespaceSelector": home, "podSelector": {"matchLabels": labels}}

    return [
        policy(source, f"to-{target}", {
            "podSelector": {"matchLabels": out}, "policyTypes": ["Egress"],
            "egress": [{"to": [peer(target, into)], "ports": ports}],
        }),
        policy(target, f"from-{source}", {
            "podSelector": {"matchLabels": into}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [peer(source, out)], "ports": ports}],
        }),
    ]  # fmt: skip


def findings(stack: Iterable[dict[str, Any]], today: date = TODAY) -> list[Finding]:
    return examined(Facts(of_documents(stack), today))


def one(stack: Documents, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """The object of a kind and name."""
    return next(
        each
        for each in stack
        if each["kind"] == kind
        and each["metadata"]["name"] == name
        and namespace in (None, each["metadata"].get("namespace"))
    )

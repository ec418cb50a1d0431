"""The small stack that the lab is tested with: releases of Istio's charts, and the objects of `fixture.yaml`."""

from pathlib import Path
from typing import Any

import yaml

from partner_mesh.model import ChartRelease

REVISION = "1-31-1"


def releases() -> tuple[ChartRelease, ...]:
    """base, one revision of istiod with a tag, and two gateways."""

    def release(name: str, chart: str, namespace: str, values: dict[str, Any]) -> ChartRelease:
        return ChartRelease(name, namespace, chart, "1.31.1", "charts.example.com", values)

    gateway = {"revision": "stable", "service": {"type": "ClusterIP"}}
    return (
        release(
            "istio-base",
            "base",
            "istio-system",
            {"defaultRevision": REVISION, "base": {"validationFailurePolicy": "Fail"}},
        ),
        release(
            f"istiod-{REVISION}",
            "istiod",
            "istio-system",
            {
                "revision": REVISION,
                "revisionTags": ["stable"],
                "meshConfig": {
                    "accessLogFile": "/dev/stdout",
                    "defaultConfig": {"drainDuration": "5s", "terminationDrainDuration": "1s"},
                    "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
                },
            },
        ),
        release("partners", "gateway", "istio-partners", gateway),
        release("egress", "gateway", "istio-egress", gateway),
    )


def documents() -> list[dict[str, Any]]:
    """The objects, in file order, and a baseline of NetworkPolicies for the namespaces that have others."""
    read = [d for d in yaml.safe_load_all((Path(__file__).parent / "fixture.yaml").read_text()) if d]
    return [
        *read,
        *(policy for namespace in ("charging", "checkout", "istio-partners") for policy in _baseline(namespace)),
    ]


def _baseline(namespace: str) -> list[dict[str, Any]]:
    """Nothing in, nothing out but to DNS and istiod."""

    def to(there: str, label: str, value: str) -> dict[str, Any]:
        return {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": there}},
            "podSelector": {"matchLabels": {label: value}},
        }

    dns = {"to": [to("kube-system", "k8s-app", "kube-dns")], "ports": [{"protocol": "UDP", "port": 53}]}
    istiod = {"to": [to("istio-system", "app", "istiod")], "ports": [{"protocol": "TCP", "port": 15012}]}
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **({"egress": rules} if rules else {})},
        }
        for name, rules in (("default-deny", []), ("platform", [dns, istiod]))
    ]

"""The checker sees what it is there to see."""

from typing import Any

import pytest

from tests.specs.no_empty_rule import empty_rules


def policy(spec: dict[str, Any], name: str = "p", kind: str = "AuthorizationPolicy") -> dict[str, Any]:
    version = {"AuthorizationPolicy": "security.istio.io/v1", "NetworkPolicy": "networking.k8s.io/v1"}.get(kind, "x/v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


PORTS = [{"protocol": "TCP", "port": 80}]
VOID = {"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{"from": [{"a": 1}], "ports": PORTS}]}


@pytest.mark.parametrize(
    "document",
    [
        policy({}),
        policy({"action": "ALLOW", "rules": []}),
        policy({"action": "ALLOW", "rules": [{}]}),
        policy({"action": "ALLOW", "rules": [{"from": [{"source": {}}]}]}),
        policy({"action": "ALLOW", "rules": [{"to": [{"operation": {"paths": ["*"]}}]}]}),
        policy({"action": "ALLOW", "rules": [{"to": [{"operation": {"paths": []}}]}]}),
        policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}, kind="NetworkPolicy"),
        policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": PORTS}]}, kind="NetworkPolicy"),
        policy(VOID, kind="NetworkPolicy"),
        policy({"ingress": [{"protocol": "tcp", "fromPort": 1, "toPort": 1}]}, kind="SecurityGroup"),
        policy({"egress": [{"hosts": ["*/*"]}]}, kind="Sidecar"),
        policy({"hosts": []}, kind="VirtualService"),
    ],
)  # fmt: skip
def test_what_admits_everybody_is_found(document: dict[str, Any]) -> None:
    assert empty_rules(document)


@pytest.mark.parametrize(
    "document",
    [
        policy({}, "allow-nothing"),
        policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, kind="NetworkPolicy"),
        policy({"rules": [{"to": [{"operation": {"ports": ["8443"]}}]}]}),
    ],
)
def test_what_is_meant_passes(document: dict[str, Any]) -> None:
    assert not empty_rules(document)

"""ClusterNetworkPolicy, and what AdminNetworkPolicy shares with it: tiers, peers, ports, ties."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table

EVERYBODY: dict[str, Any] = {"namespaces": {}}
TCP_80, UDP_RANGE = PortSet.single("TCP", 80), PortSet.range("UDP", 5, 9)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 80}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [{"ports": ports}], **spec}}  # fmt: skip


def named(app: str) -> dict[str, Any]:
    return {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": app}}}}


def cluster_policy(name: str = "p", tier: str = "Admin", priority: int = 1, subject: Any = None, **rules: Any) -> Any:
    spec = {"tier": tier, "priority": priority, "subject": subject or EVERYBODY, **rules}
    return {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": {"name": name}, "spec": spec}  # fmt: skip


def node(name: str, address: str, **labels: str) -> dict[str, Any]:
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"addresses": addresses}}  # fmt: skip


def asked(source: str, destination: str, *documents: Any) -> dict[Verdict, PortSet]:
    found: dict[Verdict, PortSet] = {}
    table = Table(of_documents([pod("a"), pod("b"), *documents]))
    for each in table.results(source, destination).connections():
        found[each.verdict] = found.get(each.verdict, PortSet.NONE) | each.ports
    return found


ALLOWED = {Verdict.ALLOWED: PortSet.ALL}
DENIED = {Verdict.DENIED: PortSet.ALL}
DENY = {"action": "Deny", "from": [EVERYBODY]}
OPEN = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
        "spec": {"podSelector": {}, "ingress": [{}]}}  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([cluster_policy(ingress=[DENY]), OPEN], DENIED),
        ([cluster_policy(tier="Baseline", ingress=[DENY]), OPEN], ALLOWED),
        ([cluster_policy(tier="Baseline", ingress=[DENY])], DENIED),
        ([cluster_policy(ingress=[{**DENY, "action": "Pass"}, DENY]), OPEN], ALLOWED),
        ([cluster_policy("x", priority=2, ingress=[DENY]),
          cluster_policy("y", priority=1, ingress=[{**DENY, "action": "Accept"}])], ALLOWED),
    ],
    ids=["admin first", "baseline last", "baseline alone", "pass", "priority"],
)  # fmt: skip
def test_tiers_and_priorities_decide_in_order(documents: list[Any], expected: dict[Verdict, PortSet]) -> None:
    assert asked("a", "b", *documents) == expected


@pytest.mark.parametrize(
    ("protocols", "denied"),
    [
        ([{"tcp": {"destinationPort": {"number": 80}}}], TCP_80),
        ([{"udp": {"destinationPort": {"range": {"start": 5, "end": 9}}}}], UDP_RANGE),
        ([{"destinationNamedPort": "http"}], TCP_80),
        ([{"sctp": {}}], PortSet.protocol("SCTP")),
    ],
)
def test_protocols_narrow_a_rule(protocols: list[Any], denied: PortSet) -> None:
    found = asked("a", "b", cluster_policy(ingress=[{**DENY, "protocols": protocols}]))
    assert found == {Verdict.DENIED: denied, Verdict.ALLOWED: PortSet.ALL - denied}


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "Drop", "from": [EVERYBODY]},
        {"action": "Deny", "from": [{"cidrGroup": "x"}]},
        {"action": "Deny", "from": [EVERYBODY], "protocols": [{"icmp": {}}]},
        {"action": "Deny", "from": [EVERYBODY], "protocols": [{"tcp": {"destinationPort": {"number": 0}}}]},
    ],
)
def test_a_rule_that_cannot_be_read_is_unknown(rule: dict[str, Any]) -> None:
    assert asked("a", "b", cluster_policy(ingress=[rule])) == {Verdict.UNKNOWN: PortSet.ALL}


def test_a_tier_that_there_is_not_is_unknown() -> None:
    assert asked("a", "b", cluster_policy(tier="Middle", ingress=[DENY])) == {Verdict.UNKNOWN: PortSet.ALL}


def test_every_address_means_pods_too() -> None:
    """The API's comment on `networks`: traffic inside the cluster is checked as well."""
    rule = {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]}
    assert asked("a", "b", cluster_policy(egress=[rule])) == DENIED
    rule = {"action": "Deny", "to": [{"networks": ["203.0.113.0/24"]}]}
    assert asked("a", "b", cluster_policy(egress=[rule])) == ALLOWED


def test_nodes_are_their_addresses_where_nodes_are_among_the_objects() -> None:
    policy = cluster_policy(egress=[{"action": "Deny", "to": [{"nodes": {"matchLabels": {"role": "db"}}}]}])
    nodes = [node("n1", "192.0.2.1", role="db"), node("n2", "192.0.2.2", role="web")]
    assert asked("a", "192.0.2.1", policy, *nodes) == DENIED
    assert asked("a", "192.0.2.2", policy, *nodes) == ALLOWED
    assert asked("a", "192.0.2.1", policy) == {Verdict.UNKNOWN: PortSet.ALL}


def test_a_domain_name_is_unknown_outside_and_nobody_inside() -> None:
    policy = cluster_policy(egress=[
        {"action": "Accept", "to": [{"domainNames": ["*.example.com"]}]},
        {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]},
    ])  # fmt: skip
    assert asked("a", "192.0.2.1", policy) == {Verdict.UNKNOWN: PortSet.ALL}
    assert asked("a", "b", policy) == DENIED


def test_pods_on_their_nodes_network_are_neither_subjects_nor_peers() -> None:
    policy = cluster_policy(ingress=[DENY])
    assert asked("a", "h", pod("h", hostNetwork=True), policy) == ALLOWED
    assert asked("h", "a", pod("h", hostNetwork=True), policy) == ALLOWED


def test_two_policies_of_one_priority_leave_open_who_is_asked_first() -> None:
    accept = {"action": "Accept", "from": [named("a")], "protocols": [{"tcp": {"destinationPort": {"number": 80}}}]}
    one, other = cluster_policy("x", ingress=[DENY]), cluster_policy("y", ingress=[accept])
    found = asked("a", "b", one, other)
    assert found == {Verdict.UNKNOWN: TCP_80, Verdict.DENIED: PortSet.ALL - TCP_80}
    assert asked("b", "a", one, other) == DENIED

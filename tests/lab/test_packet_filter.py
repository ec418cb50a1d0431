"""Which packets NetworkPolicies let through, as rules of the node's packet filter."""

from typing import Any

import pytest

from lab import LabError
from lab.packet_filter import cluster, policies, program
from lab.selectors import calico, kubernetes
from lab.world import Workload


def pod(name: str, namespace: str, address: str, **labels: str) -> Workload:
    template = {"spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]}}
    return Workload(namespace, name, name, labels or {"app": name}, template, address)


A, B, GATE = (
    pod("a", "one", "10.0.0.1"),
    pod("b", "two", "10.0.0.2"),
    pod("gate", "gates", "10.0.0.3", istio="partners"),
)
SETS = [
    {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkSet",
        "metadata": {"name": "p", "namespace": "gates", "labels": {"partner": "p"}},
        "spec": {"nets": ["198.51.100.0/28"]},
    },
    {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkSet",
        "metadata": {"name": "q", "namespace": "two", "labels": {"partner": "q"}},
        "spec": {"nets": ["192.0.2.0/24"]},
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "two", "labels": {"team": "x"}}},
]
KNOWN = cluster(SETS, [A, B, GATE])
LINKS = {"one/a": "eni1", "two/b": "eni2", "gates/gate": "eni3"}


def policy(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }


def calico_policy(kind: str, namespace: str | None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "c"} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


def ingress_lines(document: dict[str, Any]) -> list[str]:
    """The rules of the first ingress chain, without their counters."""
    chains = program([document], KNOWN, LINKS).split("  chain ")
    chain = next(c for c in chains if c.startswith("ingress_"))
    return [line.strip().replace("counter ", "") for line in chain.splitlines()[2:] if line.strip() != "}"]


TCP = {"protocol": "TCP"}


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ({}, ["return"]),
        ({"ports": [{"port": 80, **TCP}]}, ["tcp dport { 80 } return"]),
        ({"ports": [{"port": 80, "endPort": 90}]}, ["tcp dport { 80-90 } return"]),
        ({"ports": [{"port": "http"}]}, ["tcp dport { 8080 } return"]),
        ({"ports": [{"protocol": "UDP"}]}, ["meta l4proto udp return"]),
        ({"from": [{"podSelector": {}}]}, ["ip saddr { 10.0.0.1/32 } return"]),
        ({"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}, []),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}, ["ip saddr { 10.0.0.2/32 } return"]),
        (
            {"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.9/32"]}}]},
            ["ip saddr { 192.0.2.0/24 } ip saddr != { 192.0.2.9/32 } return"],
        ),
    ],
)
def test_a_kubernetes_rule_lets_through_what_the_reference_says(rule: dict[str, Any], lines: list[str]) -> None:
    assert ingress_lines(policy("one", ingress=[rule])) == [*lines, "jump refuse"]


def test_a_policy_without_rules_closes_and_one_of_the_other_direction_does_not() -> None:
    assert ingress_lines(policy("one")) == ["jump refuse"]
    assert "oifname" not in program([policy("one", policyTypes=["Egress"])], KNOWN, LINKS)
    assert "iifname" in program([policy("one", policyTypes=["Egress"])], KNOWN, LINKS)


def test_policies_of_another_namespace_do_not_select() -> None:
    assert "one/a" not in program([policy("two")], KNOWN, LINKS)


def test_calico_admits_labelled_sets_of_its_own_namespace() -> None:
    document = calico_policy(
        "NetworkPolicy",
        "gates",
        order=500,
        selector="istio == 'partners'",
        types=["Ingress"],
        ingress=[
            {
                "action": "Allow",
                "protocol": "TCP",
                "source": {"selector": "has(partner)"},
                "destination": {"ports": [443]},
            }
        ],
    )
    assert ingress_lines(document) == ["ip saddr { 198.51.100.0/28 } tcp dport { 443 } return", "jump refuse"]


def test_policies_are_asked_in_order_and_kubernetes_at_1000() -> None:
    first = calico_policy("GlobalNetworkPolicy", None, order=10, types=["Ingress"], ingress=[{"action": "Deny"}])
    late = calico_policy("GlobalNetworkPolicy", None, types=["Ingress"], ingress=[{"action": "Allow"}])
    found = policies([late, policy("one", ingress=[{}]), first], KNOWN, A, "ingress")
    assert [p.order for p in found] == [10, 1000, float("inf")]
    assert [r.action for p in found for r in p.rules] == ["deny", "allow", "allow"]


def test_what_the_lab_does_not_enforce_is_an_error_and_never_skipped() -> None:
    with pytest.raises(LabError, match="does not enforce"):
        ingress_lines(
            calico_policy("GlobalNetworkPolicy", None, types=["Ingress"], ingress=[{"action": "Deny", "http": {}}])
        )
    with pytest.raises(LabError, match="does not enforce"):
        ingress_lines(calico_policy("GlobalNetworkPolicy", None, doNotTrack=True))


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("all()", {}, True),
        ("", {"a": "1"}, True),
        ("a == 'x'", {"a": "x"}, True),
        ("a == 'x' && !has(b)", {"a": "x", "b": ""}, False),
        ("a != 'x'", {}, True),
        ("a in {'x', 'y'}", {"a": "y"}, True),
        ("a not in {'x'} || b == 'z'", {"a": "x", "b": "z"}, True),
        ("a starts with 'pre'", {"a": "prefix"}, True),
        ("a ends with 'fix'", {}, False),
        ("(has(a) || has(b)) && !(a == 'x')", {"b": ""}, True),
        ("has(partner-mesh.dev/partner)", {"partner-mesh.dev/partner": "p"}, True),
    ],
)
def test_calico_selectors_read_as_their_reference_says(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert calico(selector)(labels) is matches


@pytest.mark.parametrize("selector", ["a = 'x'", "a ==", "a == x", "has(a", "a in {'x'", "all() all()"])
def test_a_selector_that_cannot_be_read_is_an_error(selector: str) -> None:
    with pytest.raises(LabError, match="Calico selector"):
        calico(selector)


@pytest.mark.parametrize(
    ("operator", "labels", "matches"),
    [("In", {"k": "v"}, True), ("NotIn", {}, True), ("Exists", {}, False), ("DoesNotExist", {}, True)],
)
def test_label_selectors_read_as_their_reference_says(operator: str, labels: dict[str, str], matches: bool) -> None:
    expression = {"key": "k", "operator": operator, "values": ["v"]}
    assert kubernetes({"matchExpressions": [expression]})(labels) is matches

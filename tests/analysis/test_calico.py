"""Calico's policies beyond what the random worlds hold: tiers, accounts, services, and what is not modelled."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import Addresses, Verdict, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World

WEB, API = Workload("Deployment", "front", "web"), Workload("Deployment", "back", "api")


def deployment(namespace: str, name: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080}]
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"serviceAccountName": name, "containers": [{"ports": ports}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": template},
    }


def calico(kind: str, name: str, namespace: str = "", group: str = "projectcalico.org/v3", **spec: Any) -> Any:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata["labels"] = spec.pop("labels", {})
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}


BASE = [
    deployment("front", "web"),
    deployment("back", "api"),
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "front",
                                                                 "labels": {"trusted": "yes"}}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "back"},
     "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "http"}]}},
]  # fmt: skip


def verdicts(*policies: Any, source: Any = WEB, destination: Any = API) -> dict[str, str]:
    reach = Reach(World(of_documents([*BASE, *policies])))
    found: dict[str, PortSet] = {}
    for each in reach.results().between(source, destination):
        found[each.verdict.value] = found.get(each.verdict.value, PortSet.NONE) | each.ports
    return {verdict: str(ports) for verdict, ports in found.items()}


def allow(**rule: Any) -> dict[str, Any]:
    return {"action": "Allow", **rule}


@pytest.mark.parametrize("group", ["projectcalico.org/v3", "crd.projectcalico.org/v1"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({}, {"allowed": "all ports"}),
        ({"selector": "app == 'web'"}, {"denied": "all ports"}),  # its own namespace only
        ({"selector": "app == 'web'", "namespaceSelector": "all()"}, {"allowed": "all ports"}),
        ({"namespaceSelector": "kubernetes.io/metadata.name == 'front'"}, {"allowed": "all ports"}),
        ({"namespaceSelector": "projectcalico.org/name == 'front'"}, {"allowed": "all ports"}),
        ({"namespaceSelector": "global()"}, {"denied": "all ports"}),
        ({"serviceAccounts": {"names": ["web"]}, "namespaceSelector": "all()"}, {"allowed": "all ports"}),
        ({"serviceAccounts": {"selector": "trusted == 'yes'"}, "namespaceSelector": "all()"}, {"allowed": "all ports"}),
        ({"serviceAccounts": {"selector": "trusted == 'no'"}, "namespaceSelector": "all()"}, {"denied": "all ports"}),
        ({"notSelector": "app == 'api'", "namespaceSelector": "all()"}, {"allowed": "all ports"}),
        ({"notSelector": "app == 'web'", "namespaceSelector": "all()"}, {"denied": "all ports"}),
        ({"nets": ["0.0.0.0/0"]}, {"allowed": "all ports"}),  # whatever its address is
        ({"notNets": ["0.0.0.0/0"]}, {"denied": "all ports"}),
        ({"nets": ["10.0.0.0/8"]}, {"denied": "all ports"}),
    ],
)
def test_a_source_means_whom_libcalico_says(group: str, source: Any, expected: dict[str, str]) -> None:
    policy = calico("NetworkPolicy", "p", "back", group, selector="all()", ingress=[allow(source=source)])
    assert verdicts(policy) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"protocol": "TCP", "destination": {"ports": [80, "8000:8080"]}}, "TCP 80,8000-8080"),
        ({"protocol": 17}, "UDP"),
        ({"protocol": "TCP", "destination": {"ports": ["http"]}}, "TCP 8080"),
        ({"protocol": "TCP", "destination": {"notPorts": ["2:65535"]}}, "TCP 1"),
        ({"notProtocol": "TCP"}, "UDP, SCTP"),
    ],
)
def test_ports_and_protocols(rule: Any, expected: str) -> None:
    policy = calico("NetworkPolicy", "p", "back", selector="app == 'api'", ingress=[allow(**rule)])
    assert verdicts(policy)["allowed"] == expected


def test_icmp_says_nothing_of_ports_but_the_policy_still_isolates() -> None:
    policy = calico("NetworkPolicy", "p", "back", ingress=[allow(protocol="ICMP")])
    assert verdicts(policy) == {"denied": "all ports"}


def test_the_order_decides_between_a_refusal_and_a_permission() -> None:
    deny = calico("GlobalNetworkPolicy", "deny", order=20, ingress=[{"action": "Deny"}])
    let = calico("NetworkPolicy", "let", "back", order=10, ingress=[allow()])
    assert verdicts(deny, let) == {"allowed": "all ports"}
    assert verdicts({**deny, "spec": {**deny["spec"], "order": 5}}, let) == {"denied": "all ports"}


def test_log_only_logs() -> None:
    policy = calico("NetworkPolicy", "p", "back", ingress=[{"action": "Log"}, allow()])
    assert verdicts(policy) == {"allowed": "all ports"}


@pytest.mark.parametrize(
    ("action", "default", "expected"),
    [
        ("Pass", "Deny", "denied"),  # passed on to a Kubernetes policy that refuses
        ("Allow", "Deny", "allowed"),
        ("Deny", "Pass", "denied"),
    ],
)
def test_tiers_run_in_their_order(action: str, default: str, expected: str) -> None:
    tier = calico("Tier", "security", order=100, defaultAction=default)
    first = calico("GlobalNetworkPolicy", "security.p", tier="security", order=1, ingress=[{"action": action}])
    kubernetes = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                  "metadata": {"name": "deny", "namespace": "back"}, "spec": {"podSelector": {}}}  # fmt: skip
    assert verdicts(tier, first, kubernetes) == {expected: "all ports"}


def test_a_tier_that_nothing_matches_refuses_unless_it_passes() -> None:
    policy = calico("GlobalNetworkPolicy", "t.p", tier="t", ingress=[allow(source={"selector": "app == 'x'"})])
    assert verdicts(calico("Tier", "t", order=1), policy) == {"denied": "all ports"}
    assert verdicts(calico("Tier", "t", order=1, defaultAction="Pass"), policy) == {"allowed": "all ports"}


def test_a_tier_that_is_not_among_the_objects_leaves_its_policies_in_doubt() -> None:
    assert "unknown" in verdicts(calico("GlobalNetworkPolicy", "t.p", tier="t", ingress=[{"action": "Deny"}]))


def test_egress_to_a_service_means_its_pods_and_target_ports() -> None:
    rule = allow(destination={"services": {"name": "api", "namespace": "back"}})
    policy = calico("NetworkPolicy", "p", "front", types=["Egress"], egress=[rule])
    assert verdicts(policy) == {"allowed": "TCP 8080", "denied": "TCP 1-8079,8081-65535, UDP, SCTP"}


def test_network_sets_stand_for_their_addresses() -> None:
    partners = calico("GlobalNetworkSet", "acme", nets=["198.51.100.0/28"], labels={"partner": "acme"})
    rule = allow(source={"selector": "has(partner)", "namespaceSelector": "global()"})
    policy = calico("NetworkPolicy", "p", "back", ingress=[rule])
    reach = Reach(World(of_documents([*BASE, partners, policy])))
    results = reach.results()
    admitted = [
        str(each.source)
        for each in results.connections()
        if isinstance(each.source, Addresses) and each.destination == API and each.verdict is Verdict.ALLOWED
    ]
    assert admitted == ["198.51.100.0-198.51.100.15"]


def test_addresses_are_told_apart_only_where_something_names_them() -> None:
    results = Reach(World(of_documents(BASE))).results()
    outside = [each.addresses for each in results.endpoints if isinstance(each, Addresses)]
    assert outside == [AddressSet.V4, AddressSet.V6]


@pytest.mark.parametrize(
    "spec",
    [
        {"surprise": 1, "ingress": [{"action": "Deny"}]},
        {"ingress": [{"action": "Deny", "http": {"methods": ["GET"]}}, {"action": "Allow"}]},
        {"ingress": [{"action": "Deny", "source": {"ports": [53]}, "protocol": "UDP"}, {"action": "Allow"}]},
        {"ingress": [{"action": "Deny", "surprise": 1}, {"action": "Allow"}]},
        {"ingress": [{"action": "Deny", "source": {"surprise": 1}}, {"action": "Allow"}]},
        {"ingress": [{"action": "Refuse"}, {"action": "Allow"}]},
        {"ingress": [{"action": "Deny", "source": {"selector": "app = 'x'"}}, {"action": "Allow"}]},
        {"selector": "app ==", "ingress": [{"action": "Deny"}]},
    ],
)
def test_what_is_not_modelled_is_unknown_and_noted(spec: Any) -> None:
    policy = calico("GlobalNetworkPolicy", "p", **spec)
    assert "unknown" in verdicts(policy)
    assert Reach(World(of_documents([*BASE, policy]))).notes


def test_a_staged_policy_is_not_counted() -> None:
    policy = calico("StagedGlobalNetworkPolicy", "p", ingress=[{"action": "Deny"}])
    assert verdicts(policy) == {"allowed": "all ports"}
    assert "staged" in Reach(World(of_documents([*BASE, policy]))).notes[0].text

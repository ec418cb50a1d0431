"""The kinds of case that Kubernetes' network-policy conformance suite has, as tables.

Three namespaces x, y, z with a Deployment a, b, c each, listening on TCP and UDP 80 and 81. A case is its policies and
who may still reach `x/a`, or whom `x/a` may still reach, on which ports; everybody else must be refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from partner_mesh.analysis.layers import Addresses, Endpoint, Verdict, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World

Policy = Mapping[str, Any]
EVERYBODY = tuple(f"{ns}/{name}" for ns in "xyz" for name in "abc")
ALL = "all ports"


def documents() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for ns in "xyz":
        found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": {"ns": ns}}})
        for name in "abc":
            ports = [
                {"name": f"serve-{port}-{protocol.lower()}", "containerPort": port, "protocol": protocol}
                for port in (80, 81)
                for protocol in ("TCP", "UDP")
            ]
            template = {"metadata": {"labels": {"pod": name}}, "spec": {"containers": [{"ports": ports}]}}
            metadata = {"name": name, "namespace": ns}
            found.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                          "spec": {"template": template}})  # fmt: skip
    return found


def policy(name: str = "p", namespace: str = "x", **spec: Any) -> Policy:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"pod": "a"}}, **spec},
    }


def table(policies: Sequence[Policy], direction: str) -> dict[str, str]:
    """Who may talk with x/a in a direction, and on which ports; the refused are left out."""
    results = Reach(World(of_documents([*documents(), *policies]))).results()
    subject = Workload("Deployment", "x", "a")
    found: dict[str, str] = {}
    for other in results.endpoints:
        if other == subject:
            continue
        pair = (other, subject) if direction == "ingress" else (subject, other)
        decisions = results.between(*pair)
        assert PortSet.union(each.ports for each in decisions) == PortSet.ALL
        allowed = PortSet.union(each.ports for each in decisions if each.verdict is Verdict.ALLOWED)
        assert all(each.verdict in (Verdict.ALLOWED, Verdict.DENIED) for each in decisions)
        if allowed:
            found[_short(other)] = str(allowed)
    return found


def _short(endpoint: Endpoint) -> str:
    if isinstance(endpoint, Workload):
        return f"{endpoint.namespace}/{endpoint.name}"
    assert isinstance(endpoint, Addresses)
    return {AddressSet.V4: "v4", AddressSet.V6: "v6"}.get(endpoint.addresses, str(endpoint))


def everybody(ports: str = ALL, *, but: Sequence[str] = (), outside: bool = True) -> dict[str, str]:
    names = [*EVERYBODY, *(("v4", "v6") if outside else ())]
    return {name: ports for name in names if name != "x/a" and name not in but}


def some(*names: str, ports: str = ALL) -> dict[str, str]:
    return dict.fromkeys(names, ports)


Y = {"matchLabels": {"ns": "y"}}
B = {"matchLabels": {"pod": "b"}}
PEER_Y, PEER_B, PEER_Y_B = {"namespaceSelector": Y}, {"podSelector": B}, {"namespaceSelector": Y, "podSelector": B}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


CASES: dict[str, tuple[list[Policy], str, dict[str, str]]] = {
    "no policy allows everything": ([], "ingress", everybody()),
    "default deny ingress": ([policy()], "ingress", {}),
    "default deny ingress leaves egress alone": ([policy()], "egress", everybody()),
    "default deny of all pods of the namespace": ([policy(podSelector={})], "ingress", {}),
    "a policy elsewhere says nothing here": ([policy(namespace="y")], "ingress", everybody()),
    "a policy that selects nobody says nothing": ([policy(podSelector=B, ingress=[])], "ingress", everybody()),
    "default deny egress": ([policy(policyTypes=["Egress"])], "egress", {}),
    "default deny egress leaves ingress alone": ([policy(policyTypes=["Egress"])], "ingress", everybody()),
    "an empty egress list without types isolates ingress only": ([policy(egress=[])], "egress", everybody()),
    "egress rules without types isolate both ways": ([policy(egress=[{}])], "ingress", {}),
    "types that leave a direction out silence its rules": (
        [policy(policyTypes=["Egress"], ingress=[{"from": [PEER_B]}])], "ingress", everybody(),
    ),
    "an empty rule allows everything": ([policy(ingress=[{}])], "ingress", everybody()),
    "an empty from list allows everybody": ([policy(ingress=[{"from": [], "ports": []}])], "ingress", everybody()),
    "a null rule is an empty rule": ([policy(ingress=[None])], "ingress", everybody()),
    "pods of the same namespace": ([policy(ingress=[{"from": [{"podSelector": {}}]}])], "ingress", some("x/b", "x/c")),
    "a pod selector means the own namespace": ([policy(ingress=[{"from": [PEER_B]}])], "ingress", some("x/b")),
    "a namespace selector means all its pods": (
        [policy(ingress=[{"from": [PEER_Y]}])], "ingress", some("y/a", "y/b", "y/c"),
    ),
    "both selectors in one peer must hold": ([policy(ingress=[{"from": [PEER_Y_B]}])], "ingress", some("y/b")),
    "two peers add up": (
        [policy(ingress=[{"from": [PEER_Y, PEER_B]}])], "ingress", some("x/b", "y/a", "y/b", "y/c"),
    ),
    "every namespace, but nobody outside": (
        [policy(ingress=[{"from": [{"namespaceSelector": {}}]}])], "ingress", everybody(outside=False),
    ),
    "the name label of namespaces": (
        [policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "z"}}}]}])],
        "ingress", some("z/a", "z/b", "z/c"),
    ),
    "expressions on namespaces": (
        [policy(ingress=[{"from": [{"namespaceSelector": expression("ns", "NotIn", "x", "y")}]}])],
        "ingress", some("z/a", "z/b", "z/c"),
    ),
    "expressions on pods": (
        [policy(ingress=[{"from": [{"podSelector": expression("pod", "In", "b", "c"), "namespaceSelector": Y}]}])],
        "ingress", some("y/b", "y/c"),
    ),
    "exists and does not exist": (
        [policy(ingress=[
            {"from": [{"podSelector": expression("pod", "DoesNotExist")}]},
            {"from": [{"namespaceSelector": Y, "podSelector": expression("pod", "Exists")}]},
        ])],
        "ingress", some("y/a", "y/b", "y/c"),
    ),
    "the subject chosen by expression": ([policy(podSelector=expression("pod", "NotIn", "b"))], "ingress", {}),
    "a port": ([policy(ingress=[{"ports": [{"port": 80}]}])], "ingress", everybody("TCP 80")),
    "a protocol without port": ([policy(ingress=[{"ports": [{"protocol": "UDP"}]}])], "ingress", everybody("UDP")),
    "SCTP": (
        [policy(ingress=[{"ports": [{"protocol": "SCTP", "port": 80}]}])], "ingress", everybody("SCTP 80"),
    ),
    "a port range": (
        [policy(ingress=[{"ports": [{"port": 80, "endPort": 90}]}])], "ingress", everybody("TCP 80-90"),
    ),
    "a named port of the pod": (
        [policy(ingress=[{"ports": [{"port": "serve-81-tcp"}]}])], "ingress", everybody("TCP 81"),
    ),
    "a named port of another protocol is none": (
        [policy(ingress=[{"ports": [{"port": "serve-81-udp"}]}])], "ingress", {},
    ),
    "a named port that nobody has": ([policy(ingress=[{"ports": [{"port": "http"}]}])], "ingress", {}),
    "a named port of the destination": (
        [policy(egress=[{"ports": [{"port": "serve-80-udp", "protocol": "UDP"}]}])],
        "egress", everybody("UDP 80", outside=False),
    ),
    "peers and ports of one rule go together": (
        [policy(ingress=[{"from": [PEER_B], "ports": [{"port": 80}]}, {"from": [PEER_Y], "ports": [{"port": 81}]}])],
        "ingress", {**some("x/b", ports="TCP 80"), **some("y/a", "y/b", "y/c", ports="TCP 81")},
    ),
    "policies add up": (
        [policy("p"), policy("q", ingress=[{"from": [PEER_B]}]), policy("r", ingress=[{"ports": [{"port": 80}]}])],
        "ingress", {**everybody("TCP 80"), "x/b": ALL},
    ),
    "egress to a namespace": ([policy(egress=[{"to": [PEER_Y]}])], "egress", some("y/a", "y/b", "y/c")),
    "egress is also refused by the other end's ingress": (
        [policy(egress=[{"to": [PEER_Y]}]), policy("q", "y", podSelector=B, ingress=[])], "egress", some("y/a", "y/c"),
    ),
    "a block outside": (
        [policy(ingress=[{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}])],
        "ingress", some("203.0.113.0-203.0.113.255"),
    ),
    "a block with exceptions": (
        [policy(egress=[{"to": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/25"]}}]}])],
        "egress", some("203.0.113.128-203.0.113.255"),
    ),
    "an exception is no refusal where another rule allows": (
        [policy(egress=[
            {"to": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/25"]}}]},
            {"to": [{"ipBlock": {"cidr": "203.0.113.0/26"}}]},
        ])],
        "egress", some("203.0.113.0-203.0.113.63", "203.0.113.128-203.0.113.255"),
    ),
    "IPv6 alone": ([policy(ingress=[{"from": [{"ipBlock": {"cidr": "::/0"}}]}])], "ingress", some("v6")),
    "a block of all of IPv4 is no pod": (
        [policy(ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])], "ingress", some("v4"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_table_is_what_conformance_expects(case: str) -> None:
    policies, direction, expected = CASES[case]
    assert table(policies, direction) == expected


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": [{"from": [{"podSelector": {"matchLabel": {}}}]}]},
        {"ingress": [{"from": [{}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "300.0.0.0/8"}}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
        {"ingress": [{"ports": [{"port": 90, "endPort": 80}]}]},
        {"ingress": [{"ports": [{"port": 80, "protocol": "QUIC"}]}]},
        {"ingress": [{"sources": []}]},
        {"podSelector": {"matchExpressions": [{"key": "pod", "operator": "Like", "values": ["a"]}]}},
    ],
)
def test_what_the_api_server_would_refuse_is_unknown_and_noted(spec: Any) -> None:
    reach = Reach(World(of_documents([*documents(), policy(**spec)])))
    decisions = reach.results().between(Workload("Deployment", "x", "b"), Workload("Deployment", "x", "a"))
    assert ("TCP", 80) in PortSet.union(each.ports for each in decisions if each.verdict is Verdict.UNKNOWN)
    assert all(each.decided_by[0].reason for each in decisions if each.verdict is Verdict.UNKNOWN)
    assert reach.notes


def test_a_doubt_changes_nothing_where_the_answer_is_the_same_either_way() -> None:
    broken = policy("broken", ingress=[{"from": [{}], "ports": [{"port": 80}]}])
    reach = Reach(World(of_documents([*documents(), broken, policy("open", ingress=[{}])])))
    [decision] = reach.results().between(Workload("Deployment", "x", "b"), Workload("Deployment", "x", "a"))
    assert decision.verdict is Verdict.ALLOWED


def test_a_block_that_names_a_known_pods_address_means_that_pod() -> None:
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": {"podIP": address}}
        for name, address in (("one", "10.0.0.1"), ("two", "10.0.0.2"))
    ]
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.2/32"]}}]}
    results = Reach(World(of_documents([*documents(), *pods, policy(ingress=[rule])]))).results()
    verdicts = [
        results.between(Workload("Pod", "default", name), Workload("Deployment", "x", "a"))[0].verdict
        for name in ("one", "two")
    ]
    assert verdicts == [Verdict.ALLOWED, Verdict.DENIED]


def test_the_object_that_decides_is_named() -> None:
    policies = [policy("deny"), policy("let-b-in", ingress=[{"from": [PEER_B]}])]
    results = Reach(World(of_documents([*documents(), *policies]))).results()
    a = Workload("Deployment", "x", "a")
    [allowed] = results.between(Workload("Deployment", "x", "b"), a)
    [denied] = results.between(Workload("Deployment", "x", "c"), a)
    assert [each.document() for each in allowed.decided_by] == [
        {"layer": "NetworkPolicy", "object": "NetworkPolicy x/let-b-in"}
    ]
    assert [each.document() for each in denied.decided_by] == [
        {"layer": "NetworkPolicy", "object": "NetworkPolicy x/deny"}
    ]


def test_a_pod_on_its_nodes_network_is_judged_like_others_and_noted() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": "x", "labels": {"pod": "a"}},
           "spec": {"hostNetwork": True}}  # fmt: skip
    reach = Reach(World(of_documents([*documents(), pod, policy()])))
    [decision] = reach.results().between(Workload("Deployment", "x", "b"), Workload("Pod", "x", "agent"))
    assert decision.verdict is Verdict.DENIED
    assert "node's network" in reach.notes[0].text

"""Security groups of pods: who holds which, what their rules admit, and where they cannot tell."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import SECURITY_GROUP, Addresses, Verdict, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.security_groups import SecurityGroupLayer
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World

A, B = Workload("Deployment", "default", "a"), Workload("Deployment", "default", "b")
PLAIN = Workload("Deployment", "default", "plain")


def deployment(name: str, node: str = "") -> dict[str, Any]:
    spec: dict[str, Any] = {"serviceAccountName": name, "containers": []}
    if node:
        spec["nodeSelector"] = {"dedicated": node}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}


def held(name: str, *groups: str, by: str = "podSelector") -> dict[str, Any]:
    selector = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "vpcresources.k8s.aws/v1beta1",
        "kind": "SecurityGroupPolicy",
        "metadata": {"name": f"{name}-{'-'.join(groups)}"},
        "spec": {by: selector, "securityGroups": {"groupIds": list(groups)}},
    }


def group(name: str, **rules: Any) -> dict[str, Any]:
    return {
        "apiVersion": "ec2.partner-mesh.dev/v1",
        "kind": "SecurityGroup",
        "metadata": {"name": name},
        "spec": {"groupId": name, **rules},
    }


def tcp(first: int, last: int | None = None, *, groups: Any = (), cidrs: Any = ()) -> dict[str, Any]:
    return {"protocol": "tcp", "fromPort": first, "toPort": last or first, "securityGroups": list(groups),
            "cidrBlocks": list(cidrs)}  # fmt: skip


OUT = {"egress": [{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}]}
PODS = [deployment("a", "one"), deployment("b", "two"), deployment("plain", "three")]


def verdicts(*documents: Any, source: Any = A, destination: Any = B) -> dict[str, str]:
    reach = Reach(world := World(of_documents([*PODS, *documents])), [SecurityGroupLayer(world)])
    found: dict[str, PortSet] = {}
    for each in reach.results().between(source, destination):
        found[each.verdict.value] = found.get(each.verdict.value, PortSet.NONE) | each.ports
        if each.verdict is not Verdict.ALLOWED:
            assert each.decided_by[0].layer == SECURITY_GROUP
    return {verdict: str(ports) for verdict, ports in found.items()}


def test_a_connection_needs_a_rule_out_and_a_rule_in() -> None:
    documents = [held("a", "sg-a"), held("b", "sg-b"), group("sg-a", egress=[tcp(80, 90, groups=["sg-b"])]),
                 group("sg-b", ingress=[tcp(85, 95, groups=["sg-a"])])]  # fmt: skip
    assert verdicts(*documents)["allowed"] == "TCP 85-90"
    assert "unknown" not in verdicts(*documents)


def test_pods_without_groups_are_not_judged() -> None:
    assert verdicts(source=PLAIN, destination=A) == {"allowed": "all ports"}


def test_a_pod_has_the_groups_of_every_policy_that_selects_it() -> None:
    documents = [held("a", "sg-a"), held("b", "sg-1"), held("b", "sg-2"), group("sg-a", **OUT),
                 group("sg-1", ingress=[tcp(1, groups=["sg-a"])]),
                 group("sg-2", ingress=[tcp(2, groups=["sg-a"])])]  # fmt: skip
    assert verdicts(*documents)["allowed"] == "TCP 1-2"


def test_a_policy_may_select_by_the_labels_of_service_accounts() -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "b", "labels": {"app": "b"}}}
    policy = held("b", "sg-b", by="serviceAccountSelector")
    assert verdicts(account, policy, group("sg-b"), source=Addresses(AddressSet.V4)) == {"denied": "all ports"}
    assert verdicts(policy, group("sg-b"), source=Addresses(AddressSet.V4)) == {"allowed": "all ports"}


def test_rules_by_address_judge_the_outside() -> None:
    documents = [held("b", "sg-b"), group("sg-b", ingress=[tcp(443, cidrs=["198.51.100.0/24"])])]
    inside, outside = AddressSet.of("198.51.100.0/24"), AddressSet.V4 - AddressSet.of("198.51.100.0/24")
    assert verdicts(*documents, source=Addresses(inside))["allowed"] == "TCP 443"
    assert "allowed" not in verdicts(*documents, source=Addresses(outside))


def test_what_a_load_balancer_admits_comes_through_it() -> None:
    documents = [
        held("b", "sg-b"), group("sg-b", ingress=[tcp(8443, groups=["sg-lb"])]),
        group("sg-lb", ingress=[tcp(443, cidrs=["0.0.0.0/0"])], egress=[tcp(8443, groups=["sg-b"])]),
    ]  # fmt: skip
    assert verdicts(*documents, source=Addresses(AddressSet.V4))["allowed"] == "TCP 8443"


def test_on_one_node_a_missing_rule_is_no_refusal() -> None:
    same = [deployment("a", "one"), deployment("b", "one")]
    documents = [held("a", "sg-a"), held("b", "sg-b"), group("sg-a", **OUT), group("sg-b")]
    assert verdicts(*documents) == {"denied": "all ports"}
    assert verdicts(*same, *documents) == {"unknown": "all ports"}


@pytest.mark.parametrize(
    "documents",
    [
        [held("b", "sg-nowhere")],
        [held("b", "sg-b"), group("sg-b", ingress=[tcp(80, groups=["sg-of-nodes"])])],
        [held("b", "sg-b"), group("sg-b", ingress=[tcp(80, cidrs=["10.0.0.0/8"])])],
        [held("b", "sg-b"), group("sg-b", ingress=[{**tcp(80, cidrs=["0.0.0.0/0"]), "prefixListIds": ["pl-1"]}])],
        [held("b", "sg-b"), group("sg-b", ingress=[tcp(80, cidrs=["no address"])])],
    ],
)
def test_what_the_objects_do_not_tell_is_unknown(documents: list[Any]) -> None:
    assert "unknown" in verdicts(*documents, source=PLAIN)


def test_a_rule_for_every_protocol_ignores_ports() -> None:
    documents = [held("b", "sg-b"), group("sg-b", ingress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}])]
    assert verdicts(*documents, source=PLAIN) == {"allowed": "all ports"}


def test_pods_without_groups_of_their_own_are_admitted_as_their_node_is() -> None:
    nodes = group("sg-nodes", nodes=True)
    documents = [held("b", "sg-b"), group("sg-b", ingress=[tcp(80, groups=["sg-nodes"])]), nodes]
    assert verdicts(*documents, source=PLAIN) == {"allowed": "TCP 80", "denied": "TCP 1-79,81-65535, UDP, SCTP"}

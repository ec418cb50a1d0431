"""What one layer alone opens while another still refuses: told, layer by layer, and nobody's access with it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.layers import Workload
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.walls import Ground, Wall, alone, walls_of
from partner_mesh.report import diff_json, diff_markdown, diff_text
from partner_mesh.report.html import diff_page
from partner_mesh.report.layers import layer_sentences, opened
from tests.analysis.invariants.closed_stack import Change as Fault
from tests.analysis.invariants.closed_stack import Documents, closed, one, policy
from tests.analysis.partner_stack import document

CLOSED = closed()
CALICO: Documents = [
    {
        "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "no-metadata"},
        "spec": {"order": 1, "selector": "all()", "types": ["Egress"],
                 "egress": [{"action": "Deny", "destination": {"nets": ["169.254.169.254/32"]}}, {"action": "Allow"}]},
    }
]  # fmt: skip
GROUPS: Documents = [
    {
        "apiVersion": "ec2.partner-mesh.dev/v1", "kind": "SecurityGroup", "metadata": {"name": "app0"},
        "spec": {"groupId": "app0", "ingress": [{"protocol": "tcp", "fromPort": 8080, "toPort": 8080,
                                                 "cidrBlocks": ["0.0.0.0/0"]}]},
    },
    {
        "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy",
        "metadata": {"name": "app0", "namespace": "app0"},
        "spec": {"podSelector": {"matchLabels": {"app": "app0"}}, "securityGroups": {"groupIds": ["app0"]}},
    },
]  # fmt: skip


def change(fault: Fault, *more: dict[str, Any]) -> Comparison:
    before = [*copy.deepcopy(CLOSED), *more]
    after = copy.deepcopy(before)
    fault(after)
    return compared(of_documents(before), of_documents(after))


def every_peer(stack: Documents) -> None:
    del one(stack, "NetworkPolicy", "from-istio-web")["spec"]["ingress"][0]["from"]


def every_pod(stack: Documents) -> None:
    one(stack, "NetworkPolicy", "from-istio-web")["spec"]["podSelector"] = {}


def any_destination(stack: Documents) -> None:
    del one(stack, "NetworkPolicy", "to-istio-egress")["spec"]["egress"][0]["to"]


def another_principal(stack: Documents) -> None:
    source = one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["from"][0]["source"]
    source["principals"].append("cluster.local/ns/istio-egress/sa/egress")


def another_caller_at_the_gateway(stack: Documents) -> None:
    rule = {"from": [{"source": {"principals": ["cluster.local/ns/istio-web/sa/web"]}}]}
    stack.append(document("AuthorizationPolicy", "istio-egress", "another", {"rules": [rule]}))


def no_refusal(stack: Documents) -> None:
    stack.remove(one(stack, "GlobalNetworkPolicy", "no-metadata"))


def one_port_wider(stack: Documents) -> None:
    one(stack, "SecurityGroup", "app0")["spec"]["ingress"][0]["toPort"] = 8081


@pytest.mark.parametrize(
    ("fault", "more", "layer", "words"),
    [
        (every_peer, [], "NetworkPolicy, ingress", "istio-egress/egress"),
        (every_pod, [], "NetworkPolicy, ingress", "any other workload of app0:8080; no such workload is there"),
        (any_destination, [], "NetworkPolicy, egress", "app0 may now connect to"),
        (another_principal, [], "authorisation, workloads", "still refused by NetworkPolicy"),
        (another_caller_at_the_gateway, [], "authorisation, gateways", "still refused by"),
        (no_refusal, CALICO, "Calico, refusals", "169.254.169.254/32 (all ports); still refused by NetworkPolicy"),
        (one_port_wider, GROUPS, "security group, ingress", "app0:8081; still refused by NetworkPolicy"),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_layer_that_opens_is_named_with_who_still_refuses(
    fault: Fault, more: Documents, layer: str, words: str
) -> None:
    comparison = change(fault, *more)
    assert [each for each in comparison.accesses if each.change is not Change.LOST] == []
    said = [each for each in opened(comparison) if str(each.wall) == layer]
    assert any(words in each.text for each in said), [each.text for each in opened(comparison)]


def test_what_changes_somebodys_access_is_told_once() -> None:
    """All layers open the same: the access is told, and no layer by itself."""

    def opened_everywhere(stack: Documents) -> None:
        peer = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "app0"}}}
        ports = [{"port": 514, "protocol": "UDP"}]
        stack.append(
            policy(
                "istio-egress",
                "in",
                {
                    "podSelector": {"matchLabels": {"istio": "egress"}},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"from": [peer], "ports": ports}],
                },
            )
        )
        stack.append(policy("app0", "out", {
            "podSelector": {"matchLabels": {"app": "app0"}}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"istio": "egress"}}}],
                        "ports": ports}],
        }))  # fmt: skip

    comparison = change(opened_everywhere)
    assert {each.change for each in comparison.accesses} == {Change.GAINED}
    there = [each for each in comparison.layers if each.refused_by]
    assert there == []


def test_a_layer_that_closes_is_kept_for_programs_alone() -> None:
    comparison = change(every_peer)
    back = compared(*(of_documents(side) for side in (_after(every_peer), CLOSED)))
    assert {each.change for each in layer_sentences(comparison)} == {Change.GAINED}
    assert {each.change for each in layer_sentences(back)} == {Change.LOST}
    assert opened(back) == []
    assert all("was refused already by" in e.text or "no such workload" in e.text for e in layer_sentences(back))
    assert diff_json.document(back)["layers"]["lost"]


def _after(fault: Fault) -> Documents:
    after = copy.deepcopy(CLOSED)
    fault(after)
    return after


def test_every_format_tells_it_below_access() -> None:
    comparison = change(every_peer)
    text, markdown = diff_text.text(comparison), diff_markdown.text(comparison)
    assert text.index("nobody's access changes") < text.index("One layer opens, another still refuses:")
    assert text.index("One layer opens") < text.index("~ NetworkPolicy app0/from-istio-web")
    assert "<details><summary>One layer opens, another still refuses: " in markdown
    assert "<h2>One layer opens, another still refuses (" in diff_page(comparison)
    schema = Path(__file__).parents[2] / "schema" / "diff.v1.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(diff_json.document(comparison))
    found = diff_json.document(comparison)["layers"]["gained"]
    assert {(each["layer"], each["part"]) for each in found} == {("NetworkPolicy", "ingress")}
    assert any("NetworkPolicy istio-egress/default-deny" in str(each["refusedBy"]) for each in found)


def test_many_sentences_are_cut_in_a_comment_and_counted() -> None:
    def many(stack: Documents) -> None:
        for port in range(40):
            rule = {"from": [{"ipBlock": {"cidr": f"192.0.2.{port}/32"}}], "ports": [{"port": 9000 + port}]}
            stack.append(policy("app0", f"in-{port}", {"podSelector": {"matchLabels": {"app": "app0"}},
                                                       "policyTypes": ["Ingress"], "ingress": [rule]}))  # fmt: skip

    def guard(stack: Documents) -> None:
        stack.append(
            {
                "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "closed"},
                "spec": {"order": 1, "selector": "app == 'app0'", "types": ["Ingress"],
                         "ingress": [{"action": "Deny", "protocol": "TCP", "destination": {"ports": ["9000:9100"]}},
                                     {"action": "Pass"}]},
            }
        )  # fmt: skip

    before = copy.deepcopy(CLOSED)
    guard(before)
    after = copy.deepcopy(before)
    many(after)
    comparison = compared(of_documents(before), of_documents(after))
    assert comparison.accesses == ()
    assert "more\n" in diff_markdown.text(comparison)


GROUND = Ground(frozenset({"istio-partners", "istio-web", "istio-egress"}), "istio-system")


@pytest.mark.parametrize("side", ["ingress", "egress"])
def test_a_direction_alone_holds_nothing_of_the_other(side: str) -> None:
    standing = alone(of_documents(CLOSED), Wall("NetworkPolicy", side), GROUND)
    other = "egress" if side == "ingress" else "ingress"
    policies = [each for each in standing.resources if each.kind == "NetworkPolicy"]
    assert policies
    assert all(each.spec["policyTypes"] == [side.capitalize()] and other not in each.spec for each in policies)
    assert not any(each.group.endswith("istio.io") for each in standing.resources)


@pytest.mark.parametrize(
    ("spec", "sides"),
    [
        ({"podSelector": {}}, ["ingress"]),
        ({"podSelector": {}, "egress": [{}]}, ["ingress", "egress"]),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, ["egress"]),
        ({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}, ["ingress"]),
    ],
)
def test_a_policy_stands_in_the_directions_that_it_isolates(spec: dict[str, Any], sides: list[str]) -> None:
    written = of_documents([policy("app0", "x", spec)]).resources[0]
    assert [each.part for each in walls_of(written, GROUND)] == sides


def test_the_authorisation_of_gateways_and_of_workloads_are_two_walls_and_the_roots_is_both() -> None:
    def homes(wall: str) -> set[str]:
        standing = alone(of_documents(CLOSED), Wall("authorisation", wall), GROUND)
        return {each.namespace for each in standing.resources if each.kind == "AuthorizationPolicy"}

    assert homes("gateways") == {"istio-system", "istio-partners", "istio-web", "istio-egress"} & homes("gateways")
    assert "app0" in homes("workloads")
    assert "app0" not in homes("gateways")
    assert "istio-system" in homes("workloads") & homes("gateways")


def test_strangers_are_nobody_that_an_object_could_be() -> None:
    names = {end.name for each in change(every_pod).layers for end in (each.access.source, each.access.destination)
             if isinstance(end, Workload)}  # fmt: skip
    assert "(any other)" in names


def test_layers_that_were_not_asked_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many workloads a table of each layer takes longer than the comparison: only where somebody asks for it."""
    monkeypatch.setattr("partner_mesh.analysis.comparison.FEW", 1)
    sides = of_documents(CLOSED), of_documents(_after(every_peer))
    quick, asked = compared(*sides), compared(*sides, layers=True)
    assert quick.layers == ()
    assert asked.layers
    assert "--layers asks them" in diff_text.text(quick)
    assert "--layers asks them" in diff_markdown.text(quick)
    assert "--layers" not in diff_text.text(asked)

"""Attachments to further networks: a way beside the pods' own network, with policies of its own."""

import json
from typing import Any

import pytest

from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table

ANNOTATION = "k8s.v1.cni.cncf.io/networks"
CLOSED = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"},
          "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}  # fmt: skip
OVERLAY = {"type": "ovn-k8s-cni-overlay", "topology": "layer2", "name": "flat"}
MACVLAN = {"type": "macvlan", "master": "eth0"}


def definition(config: Any, name: str = "net", namespace: str = "default") -> dict[str, Any]:
    return {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"config": json.dumps(config)}}  # fmt: skip


def pod(name: str, networks: str = "net", namespace: str = "default") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}, "annotations": {ANNOTATION: networks}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


def policy(app: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "k8s.cni.cncf.io/v1beta1", "kind": "MultiNetworkPolicy",
            "metadata": {"name": f"for-{app}", "annotations": {"k8s.v1.cni.cncf.io/policy-for": "net"}},
            "spec": {"podSelector": {"matchLabels": {"app": app}}, **spec}}  # fmt: skip


def table(*documents: dict[str, Any]) -> dict[str, dict[Verdict, PortSet]]:
    """`ab` → what is decided between the two; `*` is the outside."""
    found: dict[str, dict[Verdict, PortSet]] = {}
    for each in Table(of_documents([CLOSED, *documents])).results().connections():
        pair = f"{getattr(each.source, 'name', '*')}{getattr(each.destination, 'name', '*')}"
        ports = found.setdefault(pair, {})
        ports[each.verdict] = ports.get(each.verdict, PortSet.NONE) | each.ports
    return found


OPEN = {Verdict.ALLOWED: PortSet.ALL}
SHUT = {Verdict.DENIED: PortSet.ALL}
DOUBT = {Verdict.UNKNOWN: PortSet.ALL}


def test_a_shared_network_opens_what_the_pods_own_refuses() -> None:
    found = table(definition(OVERLAY), pod("a"), pod("b"), pod("c", ""))
    assert found["ab"] == found["ba"] == OPEN
    assert found["ac"] == found["ca"] == SHUT
    assert found["a*"] == found["*a"] == SHUT  # an overlay of layer 2 leads nowhere else


def test_a_network_that_leads_out_makes_the_outside_unknown() -> None:
    found = table(definition(MACVLAN), pod("a"), pod("b"))
    assert found["ab"] == OPEN
    assert found["a*"] == found["*a"] == DOUBT


@pytest.mark.parametrize("written", ["net", "default/net@eth1", '[{"name": "net"}]', " net , other"])
def test_every_form_of_the_annotation_is_read(written: str) -> None:
    assert table(definition(OVERLAY), pod("a", written), pod("b"))["ab"] == OPEN


def test_a_virtual_machine_names_its_networks_in_its_spec() -> None:
    networks = [{"name": "n", "multus": {"networkName": "net"}}]
    machine = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "v"},
               "spec": {"template": {"metadata": {}, "spec": {"networks": networks}}}}  # fmt: skip
    assert table(definition(OVERLAY), pod("a"), machine)["av"] == OPEN


def test_one_configuration_in_two_namespaces_is_one_network() -> None:
    there = [definition(MACVLAN), definition(MACVLAN, namespace="there"), pod("b", namespace="there")]
    closed = {**CLOSED, "metadata": {"name": "closed", "namespace": "there"}}
    assert table(*there, closed, pod("a"))["ab"] == OPEN
    other = definition({**MACVLAN, "master": "eth1"}, namespace="there")
    assert table(definition(MACVLAN), other, pod("b", namespace="there"), closed, pod("a"))["ab"] == SHUT


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([policy("b", ingress=[{"ports": [{"port": 80}]}])], {"ab": PortSet.single("TCP", 80), "ba": PortSet.ALL}),
        ([policy("a", policyTypes=["Egress"])], {"ab": PortSet.NONE, "ba": PortSet.ALL}),
        ([policy("b", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "z"}}}]}])],
         {"ab": PortSet.NONE, "ba": PortSet.ALL}),
    ],
    ids=["ingress ports", "egress closed", "from somebody else"],
)  # fmt: skip
def test_its_policies_are_those_that_name_it(policies: list[dict[str, Any]], expected: dict[str, PortSet]) -> None:
    found = table(definition(OVERLAY), pod("a"), pod("b"), *policies)
    assert {pair: found[pair].get(Verdict.ALLOWED, PortSet.NONE) for pair in expected} == expected


def test_a_block_means_addresses_on_that_network() -> None:
    def at(name: str, address: str) -> dict[str, Any]:
        return pod(name, json.dumps([{"name": "net", "ips": [address]}]))

    block = policy("b", ingress=[{"from": [{"ipBlock": {"cidr": "192.0.2.0/28"}}]}])
    found = table(definition(OVERLAY), at("a", "192.0.2.1/24"), at("b", "192.0.2.2/24"), at("c", "192.0.2.99/24"),
                  pod("d"), block)  # fmt: skip
    assert found["ab"] == OPEN
    assert found["cb"] == SHUT
    assert found["db"] == DOUBT


def test_an_attachment_that_is_not_among_the_objects_is_noted() -> None:
    reach = Table(of_documents([CLOSED, pod("a"), pod("b")])).reach
    assert any("NetworkAttachmentDefinition default/net is not among the objects" in each.text for each in reach.notes)

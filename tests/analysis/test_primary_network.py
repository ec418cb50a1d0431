"""Primary user-defined networks: who is parted from whom, and what is open all the same."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table

LABEL = "k8s.ovn.org/primary-user-defined-network"


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def owned(name: str, **labels: str) -> dict[str, Any]:
    return namespace(name, **{LABEL: "", **labels})


def pod(name: str, where: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": where, "labels": {"app": name}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [], **spec}}


def network(where: str, role: str = "Primary", name: str = "own") -> dict[str, Any]:
    spec = {"topology": "Layer2", "layer2": {"role": role}}
    return {"apiVersion": "k8s.ovn.org/v1", "kind": "UserDefinedNetwork",
            "metadata": {"name": name, "namespace": where}, "spec": spec}  # fmt: skip


def shared(role: str = "Primary", **labels: str) -> dict[str, Any]:
    spec = {"namespaceSelector": {"matchLabels": labels}, "network": {"topology": "Layer3", "layer3": {"role": role}}}
    return {"apiVersion": "k8s.ovn.org/v1", "kind": "ClusterUserDefinedNetwork", "metadata": {"name": "shared"},
            "spec": spec}  # fmt: skip


PODS = [pod("a", "blue"), pod("b", "blue"), pod("c", "green"), pod("d", "plain")]
PLAIN = [owned("blue", team="x"), owned("green", team="x"), namespace("plain"), *PODS]


def allowed(documents: list[dict[str, Any]]) -> str:
    """Pairs of pods of which every port is allowed, as `ab ba`."""
    found = [
        f"{getattr(each.source, 'name', '')}{getattr(each.destination, 'name', '')}"
        for each in Table(of_documents(documents)).results().connections()
        if each.verdict is Verdict.ALLOWED and each.ports == PortSet.ALL
    ]
    return " ".join(sorted(each for each in found if len(each) == 2))


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([*PLAIN, network("blue")], "ab ba cd dc"),
        ([*PLAIN, network("blue"), network("green")], "ab ba"),
        ([*PLAIN, shared(team="x")], "ab ac ba bc ca cb"),
        ([*PLAIN, network("blue", role="Secondary")], "ab ac ad ba bc bd ca cb cd da db dc"),
        ([*PLAIN, network("plain")], "ab ac ad ba bc bd ca cb cd da db dc"),  # its namespace lacks the label
    ],
    ids=["one", "two", "shared by two namespaces", "secondary", "unlabelled"],
)
def test_workloads_meet_in_one_primary_network(documents: list[dict[str, Any]], expected: str) -> None:
    assert allowed(documents) == expected


def verdicts(documents: list[dict[str, Any]], source: str, destination: str) -> dict[Verdict, PortSet]:
    found: dict[Verdict, PortSet] = {}
    for each in Table(of_documents(documents)).results(source, destination).connections():
        found[each.verdict] = found.get(each.verdict, PortSet.NONE) | each.ports
    return found


def test_the_outside_is_reached_both_ways() -> None:
    documents = [*PLAIN, network("blue")]
    assert verdicts(documents, "blue/a", "outside") == verdicts(documents, "outside", "blue/a")
    assert set(verdicts(documents, "blue/a", "outside")) == {Verdict.ALLOWED}


def test_what_a_pod_opens_to_the_default_network_is_reached_from_there_alone() -> None:
    opened = pod("a", "blue", {"k8s.ovn.org/open-default-ports": "- {protocol: tcp, port: 80}\n- {protocol: icmp}"})
    documents = [opened if each is PODS[0] else each for each in [*PLAIN, network("blue"), network("green")]]
    port = PortSet.single("TCP", 80)
    assert verdicts(documents, "plain/d", "blue/a") == {Verdict.ALLOWED: port, Verdict.DENIED: PortSet.ALL - port}
    assert verdicts(documents, "green/c", "blue/a") == {Verdict.DENIED: PortSet.ALL}


def test_names_are_resolved_from_every_network() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
               "spec": {"selector": {"app": "dns"}, "ports": [{"port": 53, "protocol": "UDP"}]}}  # fmt: skip
    documents = [*PLAIN, network("blue"), service, pod("dns", "kube-system")]
    assert verdicts(documents, "blue/a", "kube-system/dns")[Verdict.ALLOWED] == PortSet.single("UDP", 53)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ([network("blue"), network("blue", name="second")], "2 primary networks"),
        ([pod("x", "amber"), network("amber")], "whether namespace amber bears the label"),
    ],
)
def test_what_the_objects_do_not_say_is_unknown(extra: list[dict[str, Any]], reason: str) -> None:
    where = extra[-1]["metadata"]["namespace"]
    table = Table(of_documents([*PLAIN, *extra]))
    found = list(table.results(f"{where}/", "plain/d").connections())
    assert {each.verdict for each in found} == {Verdict.UNKNOWN}
    assert all(reason in each.decided_by[0].reason for each in found)


def test_a_node_is_not_reached_by_a_guess() -> None:
    documents = [*PLAIN, network("blue"), pod("n", "plain", hostNetwork=True)]
    assert set(verdicts(documents, "blue/a", "plain/n")) == {Verdict.UNKNOWN}
    assert set(verdicts(documents, "plain/n", "blue/a")) == {Verdict.DENIED}


def test_an_ingress_controller_may_be_in_another_network() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "blue"},
               "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}}  # fmt: skip
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "blue"},
               "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}  # fmt: skip
    found = verdicts([*PLAIN, network("blue"), service, ingress], "ingress-controller", "blue/a")
    assert found[Verdict.UNKNOWN] == PortSet.single("TCP", 80)
    assert found[Verdict.DENIED] == PortSet.ALL - PortSet.single("TCP", 80)

"""The table as a whole: it is total, layers combine, and the published form holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from partner_mesh.analysis.layers import (
    AUTHORISATION,
    NETWORK_POLICY,
    Addresses,
    Because,
    IngressController,
    Opinion,
    Verdict,
    Workload,
)
from partner_mesh.analysis.reachability import _ALL_OPEN, Reach, asked, decided
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.table import Table, UnknownNameError, declared, narrowed
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.unmodelled import unread
from partner_mesh.report import reach_json
from tests.analysis.strategies import worlds

SCHEMA = json.loads(Path("schema/reach.v1.json").read_text())
ALLOWED, DENIED, UNKNOWN = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNKNOWN


def opinion(layer: str, verdict: Verdict, ports: PortSet = PortSet.ALL) -> Opinion:
    return Opinion(layer, verdict, ports, (Because(layer, layer),))


@pytest.mark.parametrize(
    ("network", "mesh", "layer", "verdict"),
    [
        (ALLOWED, ALLOWED, NETWORK_POLICY, ALLOWED),
        (DENIED, ALLOWED, NETWORK_POLICY, DENIED),
        (ALLOWED, DENIED, AUTHORISATION, DENIED),
        (UNKNOWN, ALLOWED, NETWORK_POLICY, UNKNOWN),
        (ALLOWED, UNKNOWN, AUTHORISATION, UNKNOWN),
        (UNKNOWN, DENIED, AUTHORISATION, DENIED),
        (DENIED, UNKNOWN, NETWORK_POLICY, DENIED),
    ],
)
def test_layers_combine(network: Verdict, mesh: Verdict, layer: str, verdict: Verdict) -> None:
    state = asked(asked(_ALL_OPEN, [opinion(NETWORK_POLICY, network)]), [opinion(AUTHORISATION, mesh)])
    [decision] = decided(state)
    assert (decision.decided_by[0].layer, decision.verdict) == (layer, verdict)


def test_ports_of_which_a_layer_says_nothing_stay_as_they_were() -> None:
    some = PortSet.single("TCP", 80)
    state = asked(asked(_ALL_OPEN, [opinion(NETWORK_POLICY, ALLOWED)]), [opinion(AUTHORISATION, DENIED, some)])
    assert {each.verdict: each.ports for each in decided(state)} == {DENIED: some, ALLOWED: PortSet.ALL - some}


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_every_pair_of_workloads_and_the_outside_has_a_verdict_for_every_port(documents: list[dict[str, Any]]) -> None:
    results = Table(of_documents(documents)).results()
    workloads = [each for each in results.endpoints if isinstance(each, Workload)]
    outside = [each for each in results.endpoints if isinstance(each, Addresses)]
    found: dict[tuple[Any, Any], list[PortSet]] = {}
    for each in results.connections():
        found.setdefault((each.source, each.destination), []).append(each.ports)
    assert set(found) == {
        (one, other)
        for one in (*workloads, *outside)
        for other in (*workloads, *outside)
        if one != other and (one in workloads or other in workloads)
    }
    for ports in found.values():
        assert PortSet.union(ports) == PortSet.ALL
        assert sum(h - l + 1 for p in ports for l, h in p.intervals) == 3 * 65535, "a port is decided once"  # noqa: E741


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_the_written_form_is_the_published_one(documents: list[dict[str, Any]]) -> None:
    results = Table(of_documents(documents)).results()
    written = json.loads("".join(reach_json.chunks(results)))
    assert written == results.document()
    conforms(written, SCHEMA)


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that the published schema uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        assert sum(_fits(value, each) for each in schema["oneOf"]) == 1, value
    types = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
    wanted = schema.get("type", [])
    if wanted:
        assert isinstance(value, tuple(types[each] for each in ([wanted] if isinstance(wanted, str) else wanted))), (
            value
        )
    assert value == schema.get("const", value)
    assert value in schema.get("enum", [value])
    assert not isinstance(value, int) or schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), value
        assert schema.get("additionalProperties", True) or value.keys() <= schema["properties"].keys(), value
        for key, each in value.items():
            conforms(each, schema.get("properties", {}).get(key, {}))
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value)
        for each in value:
            conforms(each, schema.get("items", {}))


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    try:
        conforms(value, schema)
    except AssertionError:
        return False
    return True


def deployment(name: str, port: int = 8080) -> dict[str, Any]:
    containers = [{"ports": [{"containerPort": port}]}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}


def served(name: str) -> list[dict[str, Any]]:
    backend = {"service": {"name": name, "port": {"number": 80}}}
    return [
        deployment(name),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
         "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
         "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}]}},
    ]  # fmt: skip


def in_namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def network_policy(name: str, *peers: Any) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"app": name}}, "ingress": [{"from": [peer]} for peer in peers]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("policies", "verdict"),
    [
        ([], ALLOWED),
        ([network_policy("web")], DENIED),
        ([network_policy("web", {"namespaceSelector": {}})], ALLOWED),
        ([network_policy("web", {"podSelector": {}})], DENIED),
        ([network_policy("web", {"namespaceSelector": {"matchLabels": {"name": "ingress"}}})], UNKNOWN),
        ([network_policy("web", in_namespace("nginx"))], UNKNOWN),
        ([network_policy("web", in_namespace("default"))], DENIED),
        ([network_policy("web", {"ipBlock": {"cidr": "10.0.0.0/8"}})], DENIED),
    ],
)  # fmt: skip
def test_an_unknown_ingress_controller_reaches_target_ports_as_policies_let_it(
    policies: list[Any], verdict: Verdict
) -> None:
    results = Table(of_documents([*served("web"), deployment("other"), *policies])).results("ingress-controller")
    verdicts = {
        each.verdict for each in results.connections()
        if each.destination == Workload("Deployment", "default", "web") and ("TCP", 8080) in each.ports
    }  # fmt: skip
    assert verdicts == {verdict}
    for each in results.connections():
        assert each.source == IngressController()
        if each.destination == Workload("Deployment", "default", "other"):
            assert each.verdict is DENIED


def test_declared_ports_narrow_the_table() -> None:
    table = Table(of_documents([deployment("a"), deployment("b", 9090)]))
    results = narrowed(table.results("a", "b"), declared(table.world))
    assert [str(each.ports) for each in results.connections()] == ["TCP 9090"]


@pytest.mark.parametrize(
    ("name", "count"),
    [("a", 1), ("default/a", 1), ("default/", 2), ("default/a[Deployment]", 1), ("outside", 2), ("8.8.8.8", 1)],
)
def test_endpoints_are_named_in_several_ways(name: str, count: int) -> None:
    results = Table(of_documents([deployment("a"), deployment("b")])).results(name)
    assert len({each.source for each in results.connections()}) == count


def test_a_name_that_means_nobody_is_an_error_that_lists_who_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"nobody: no such endpoint; there are default/a\[Deployment\]"):
        Table(of_documents([deployment("a")])).results("nobody")


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "p"},
         "spec": {"endpointSelector": {}}},
        {"apiVersion": "k8s.ovn.org/v1", "kind": "EgressFirewall", "metadata": {"name": "p"}},
        {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": {"name": "p"},
         "spec": {"config": '{"type": "ovn-k8s-cni-overlay", "role": "primary"}'}},
    ],
)  # fmt: skip
def test_a_kind_of_policy_that_is_not_modelled_makes_what_it_touches_unknown(document: Any) -> None:
    reach = Reach(World(of_documents([deployment("a"), deployment("b"), document])))
    assert {each.verdict for each in reach.results().connections()} == {UNKNOWN}
    assert "not modelled" in reach.notes[0].text


def test_what_nobody_was_let_read_may_refuse_everything() -> None:
    documents = [deployment("a"), deployment("b"), unread("networking.k8s.io", "NetworkPolicy")]
    reach = Reach(World(of_documents(documents)))
    assert {each.verdict for each in reach.results().connections()} == {UNKNOWN}

"""What holds for every stack, whatever its configuration says."""

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings

from partner_mesh.config.stack import Stack
from partner_mesh.model.names import CLUSTER_NAMESPACE, MANAGED_BY, MANAGED_BY_LABEL, ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import Compiled, compile_stack
from partner_mesh.specs.compile import controllers_charts
from tests import crds, strategies
from tests.specs.no_empty_rule import empty_rules
from tests.specs.stacks import stack

stacks = strategies.stacks()
FEW = settings(max_examples=25, deadline=None)


def documents(compiled: Compiled) -> list[dict[str, Any]]:
    return [*(m.document() for m in compiled), *(dict(d) for d in compiled.security_groups)]


@FEW
@given(stacks)
def test_two_runs_give_the_same_bytes(configured: Stack) -> None:
    again = Stack.model_validate_json(configured.model_dump_json(by_alias=True))
    first, second = compile_stack(configured), compile_stack(again)
    assert json.dumps(documents(first)) == json.dumps(documents(second))
    assert json.dumps([c.values for c in first.charts]) == json.dumps([c.values for c in second.charts])
    assert json.dumps(first.inventory) == json.dumps(second.inventory)


@FEW
@given(stacks)
def test_no_rule_is_empty(configured: Stack) -> None:
    found = {(d["kind"], d["metadata"]["name"]): empty_rules(d) for d in documents(compile_stack(configured))}
    assert not {key: problems for key, problems in found.items() if problems}


@FEW
@given(stacks)
def test_every_object_is_there_once_and_says_whose_it_is(configured: Stack) -> None:
    manifests = compile_stack(configured).manifests
    assert not [key for key, count in Counter(m.key for m in manifests).items() if count > 1]
    # Our policies choose whom they deny by that label; what charts bring into their namespaces must go on working.
    unsaid = {(m.kind, m.name) for m in manifests if m.labels.get(MANAGED_BY_LABEL) != MANAGED_BY}
    assert unsaid == {("Namespace", chart.namespace) for chart in controllers_charts(configured)} - {
        ("Namespace", CLUSTER_NAMESPACE)
    }


@FEW
@given(stacks)
def test_every_chart_goes_where_a_namespace_of_ours_or_the_clusters_own_is(configured: Stack) -> None:
    compiled = compile_stack(configured)
    made = {m.name for m in compiled if m.kind == "Namespace"}
    assert {chart.namespace for chart in compiled.charts} <= made | {CLUSTER_NAMESPACE}


def test_namespaces_of_controllers_that_are_somebody_elses_are_left_alone() -> None:
    theirs = {"mesh": {"revision": "1-31-1", "managed": False}, "calico": {"managed": False}}
    made = {m.name for m in compile_stack(stack(**theirs, secrets={"store": "none"})) if m.kind == "Namespace"}
    assert made
    assert not made & {ROOT_NAMESPACE, "tigera-operator", "external-secrets"}


@FEW
@given(stacks)
def test_every_namespace_that_is_named_exists(configured: Stack) -> None:
    compiled = compile_stack(configured)
    made = {m.name for m in compiled if m.kind == "Namespace"}
    there = {d["metadata"]["name"] for d in compiled.inventory if d["kind"] == "Namespace"}
    assert not made & there
    assert {m.namespace for m in compiled if m.namespace is not None} <= made | there
    assert {d["metadata"]["namespace"] for d in compiled.inventory if "namespace" in d["metadata"]} <= made | there
    exported = {
        namespace
        for m in compiled
        for namespace in m.body.get("spec", {}).get("exportTo", ())
        if namespace not in (".", "*")
    }
    assert exported <= made


@FEW
@given(stacks)
def test_namespaces_come_before_what_is_in_them(configured: Stack) -> None:
    seen: set[str] = set()
    for group in (compiled := compile_stack(configured)).gateways.values():
        for manifest in group:
            seen |= {manifest.name} if manifest.kind == "Namespace" else set()
            assert manifest.namespace is None or manifest.namespace in seen
    assert {gateway_namespace(name) for name in compiled.gateways} <= seen


@FEW
@given(stacks)
def test_istio_knows_every_field(configured: Stack) -> None:
    found = {m.key: crds.problems(m.document()) for m in compile_stack(configured)}
    assert not {key: problems for key, problems in found.items() if problems}


@FEW
@given(stacks)
def test_both_ends_of_an_edge_agree(configured: Stack) -> None:
    """Each NetworkPolicy rule between pods of ours has its counterpart at the other end, on the same ports."""
    ends: dict[str, set[tuple[str, str, str]]] = {"ingress": set(), "egress": set()}
    for manifest in compile_stack(configured):
        if manifest.kind != "NetworkPolicy" or "spec" not in manifest.body or "calico" in manifest.api_version:
            continue
        spec = manifest.body["spec"]
        own = f"{manifest.namespace}/{json.dumps(spec.get('podSelector', {}).get('matchLabels'), sort_keys=True)}"
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, ()):
                for peer in rule[peers]:
                    namespace = (
                        peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                    )
                    labels = peer.get("podSelector", {}).get("matchLabels")
                    if own.endswith("null") or namespace in (None, "kube-system", "istio-system", "observability"):
                        continue
                    other = f"{namespace}/{json.dumps(labels, sort_keys=True)}"
                    ports = json.dumps(rule["ports"], sort_keys=True)
                    pair = (other, own, ports) if direction == "ingress" else (own, other, ports)
                    ends[direction].add(pair)
    assert {p for p in ends["ingress"] if "istio-system" not in p[0] + p[1]} == ends["egress"]


def test_a_partner_that_comes_touches_no_object_that_was_there() -> None:
    """But the rules of security groups, which are resources one by one."""
    one = {
        "name": "acme",
        "owner": "a@example.com",
        "inbound": {
            "host": "acme.partners.example.com",
            "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["a.acme.example"]},
            "sourceRanges": ["198.51.100.0/28"],
            "routes": [{"path": "/v1", "to": "charging:http"}],
        },
        "outbound": [{"host": "api.acme.example", "from": ["charging"]}],
    }
    gateways = {
        "web": {"direction": "ingress", "exposure": "web", "host": "pay.example.com", "certificate": "web-server"},
        "partners": {"direction": "ingress", "exposure": "partner", "certificate": "partners-server"},
        "egress": {"direction": "egress"},
    }
    before = {m.key: m.document() for m in compile_stack(stack(gateways=gateways))}
    after = {m.key: m.document() for m in compile_stack(stack(gateways=gateways, partners=[one]))}
    assert {key: document for key, document in after.items() if key in before} == before
    added = [document for key, document in after.items() if key not in before]
    assert added
    assert all(d["metadata"]["labels"].get("partner-mesh.dev/partner") == "acme" for d in added)

"""The overlay changes what its table says and not one field more."""

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.overlay import ALLOWED, overlay, touched
from lab.verdict import adapted
from tests.lab import fixture

ISTIOD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "istiod-1-31-1", "namespace": "istio-system"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "istiod"}},
            "spec": {
                "serviceAccountName": "istiod",
                "containers": [{"name": "discovery", "env": [{"name": "REVISION", "value": "1-31-1"}]}],
            },
        }
    },
}
MESH = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "istio-1-31-1", "namespace": "istio-system"},
    "data": {
        "mesh": "defaultProviders:\n  metrics: [prometheus]\n  tracing: [jaeger]\n",
        "meshNetworks": "networks: {}",
    },
}
TELEMETRY = {
    "apiVersion": "telemetry.istio.io/v1",
    "kind": "Telemetry",
    "metadata": {"name": "default", "namespace": "istio-system"},
    "spec": {
        "metrics": [{"providers": [{"name": "prometheus"}]}],
        "accessLogging": [{"providers": [{"name": "json"}]}],
    },
}
DNS = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "kube-dns", "namespace": "kube-system"},
    "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53}]},
}


def stack() -> list[dict[str, Any]]:
    return [ISTIOD, MESH, TELEMETRY, DNS, *fixture.documents()]


def test_every_touched_field_is_in_the_table() -> None:
    before = stack()
    touches = touched(before, overlay(before))
    assert [t for t in touches if t.reason is None] == []
    assert {(t.kind, t.path) for t in touches if t.path} == {
        ("Deployment", "spec.template.spec.containers[0].env"),
        ("Deployment", "spec.template.spec.containers[0].securityContext"),
        ("ConfigMap", "data.mesh"),
        ("Telemetry", "spec.metrics"),
        ("Service", "spec.clusterIP"),
    }


def test_every_entry_of_the_table_is_used() -> None:
    before = stack()
    used = {t.reason for t in touched(before, overlay(before))}
    assert {why for _, _, why in ALLOWED} <= used


def test_documents_keep_their_order_and_additions_come_last() -> None:
    before = stack()
    after = overlay(before)
    assert [d["metadata"]["name"] for d in after[: len(before)]] == [d["metadata"]["name"] for d in before]


def test_the_given_documents_are_left_alone() -> None:
    before = stack()
    copied = copy.deepcopy(before)
    overlay(before)
    assert before == copied


def test_a_second_overlay_changes_nothing() -> None:
    once = overlay(stack())
    assert touched(once, overlay(once)) == []


def test_the_mesh_loses_prometheus_metrics_and_nothing_else() -> None:
    mesh = next(d for d in overlay(stack()) if d["kind"] == "ConfigMap")
    assert yaml.safe_load(mesh["data"]["mesh"]) == {"defaultProviders": {"tracing": ["jaeger"]}}
    assert mesh["data"]["meshNetworks"] == "networks: {}"


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "Gateway", "VirtualService", "NetworkPolicy", "ServiceEntry"])
def test_the_objects_that_decide_who_is_let_in_are_byte_for_byte_the_stacks(kind: str) -> None:
    before = [d for d in stack() if d["kind"] == kind]
    after = [d for d in overlay(stack()) if d["kind"] == kind]
    assert before
    assert yaml.safe_dump_all(before) == yaml.safe_dump_all(after)


@settings(max_examples=20)
@given(st.sampled_from(range(len(stack()))), st.text("abc", min_size=1))
def test_a_change_that_the_table_does_not_name_is_seen(index: int, value: str) -> None:
    before = stack()
    after = copy.deepcopy(overlay(before))
    after[index]["metadata"]["annotations"] = {"seeded": value}
    assert any(t.reason is None for t in touched(before, after))


def test_a_removed_object_is_seen() -> None:
    before = stack()
    assert [t.reason for t in touched(before, before[1:])] == [None]


def test_a_sentence_and_a_line_a_change_show_what_the_overlay_does() -> None:
    found = adapted([dict(document) for document in stack()])
    assert found.passed
    assert found.sentence.startswith(f"The lab changes 7 fields in 7 of {len(stack())} objects and adds ")
    assert (
        "ConfigMap istio-system/istio-1-31-1 data.mesh: the mesh without Prometheus metrics: upstream Envoy has no "
        "istio.stats filter"
    ) in found.details


def test_a_change_that_the_table_does_not_name_fails_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.verdict.overlay", lambda documents: overlay(documents)[1:])
    found = adapted([dict(document) for document in stack()])
    assert not found.passed
    assert "Deployment istio-system/istiod-1-31-1: not in its table" in found.details

"""Drift leaves out what the API server filled in, and keeps everything that somebody may have changed."""

import copy
from typing import Any

import pytest

from partner_mesh.analysis.resources import Resource, of_documents
from partner_mesh.analysis.server_defaults import undefaulted


def resource(api: str, kind: str, spec: Any, **metadata: Any) -> Resource:
    document = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}
    return of_documents([document]).resources[0]


SERVICE = {"ports": [{"port": 80}], "selector": {"app": "web"}}
POLICY = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
POD = {"containers": [{"name": "web", "ports": [{"containerPort": 80}]}]}
KINDS = {
    "Service": ("v1", SERVICE),
    "Pod": ("v1", POD),
    "NetworkPolicy": ("networking.k8s.io/v1", POLICY),
    "Deployment": ("apps/v1", {"template": {"spec": POD}}),
    "Namespace": ("v1", {}),
    "ConfigMap": ("v1", {}),
}


def at(spec: Any, path: str, value: Any) -> Any:
    """A copy with a value at a place: `ports.0.protocol`."""
    found = copy.deepcopy(spec)
    *way, last = path.split(".")
    inner = found
    for step in way:
        inner = inner[int(step)] if step.isdecimal() else inner[step]
    inner[last] = value
    return found


@pytest.mark.parametrize(
    ("kind", "path", "default", "changed"),
    [
        ("Service", "type", "ClusterIP", "NodePort"),
        ("Service", "clusterIP", "10.0.0.7", "None"),
        ("Service", "clusterIPs", ["10.0.0.7"], ["None"]),
        ("Service", "ipFamilyPolicy", "SingleStack", "PreferDualStack"),
        ("Service", "sessionAffinity", "None", "ClientIP"),
        ("Service", "internalTrafficPolicy", "Cluster", "Local"),
        ("Service", "externalTrafficPolicy", "Cluster", "Local"),
        ("Service", "allocateLoadBalancerNodePorts", True, False),
        ("Service", "ports.0.protocol", "TCP", "UDP"),
        ("Pod", "restartPolicy", "Always", "Never"),
        ("Pod", "dnsPolicy", "ClusterFirst", "Default"),
        ("Pod", "securityContext", {}, {"runAsUser": 0}),
        ("Pod", "enableServiceLinks", True, False),
        ("Pod", "priority", 0, 1000),
        ("Pod", "containers.0.imagePullPolicy", "IfNotPresent", "Never"),
        ("Pod", "containers.0.ports.0.protocol", "TCP", "SCTP"),
        ("NetworkPolicy", "policyTypes", ["Ingress"], ["Egress"]),
        ("NetworkPolicy", "ingress.0.ports.0.protocol", "TCP", "UDP"),
        ("Deployment", "replicas", 1, 3),
        ("Deployment", "revisionHistoryLimit", 10, 2),
        ("Deployment", "template.spec.schedulerName", "default-scheduler", "mine"),
        ("Namespace", "finalizers", ["kubernetes"], ["mine"]),
    ],
)
def test_a_default_that_nobody_wrote_is_left_out_and_anything_else_is_kept(
    kind: str, path: str, default: Any, changed: Any
) -> None:
    api, spec = KINDS[kind]
    wanted = resource(api, kind, spec)
    assert undefaulted(resource(api, kind, at(spec, path, default)), wanted).spec == spec
    kept = at(spec, path, changed)
    assert undefaulted(resource(api, kind, kept), wanted).spec == kept


def test_what_somebody_wrote_is_kept_also_where_it_is_the_default() -> None:
    wanted = resource("v1", "Service", {**SERVICE, "type": "NodePort"})
    live = resource("v1", "Service", {**SERVICE, "type": "ClusterIP"})
    assert undefaulted(live, wanted).spec["type"] == "ClusterIP"


def test_lists_of_another_length_are_kept_whole() -> None:
    live = resource("v1", "Service", {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]})
    assert undefaulted(live, resource("v1", "Service", SERVICE)).spec["ports"] == live.spec["ports"]


def test_labels_and_annotations_that_the_server_sets_are_left_out_and_no_others() -> None:
    name = {"kubernetes.io/metadata.name": "x"}
    wanted = resource("v1", "Namespace", {}, labels={"team": "a"})
    live = resource("v1", "Namespace", {"finalizers": ["kubernetes"]}, labels={"team": "a", "extra": "1", **name})
    found = undefaulted(live, wanted)
    assert (found.labels, found.metadata["labels"]) == ({"team": "a", "extra": "1"}, {"team": "a", "extra": "1"})
    revision = {"deployment.kubernetes.io/revision": "4", "mine": "1"}
    spec = KINDS["Deployment"][1]
    rolled = resource("apps/v1", "Deployment", spec, annotations=revision)
    assert undefaulted(rolled, resource("apps/v1", "Deployment", spec, annotations={})).annotations == {"mine": "1"}


def test_a_kind_without_defaults_is_left_as_it_is() -> None:
    live = resource("v1", "ConfigMap", {"type": "ClusterIP"})
    assert undefaulted(live, resource("v1", "ConfigMap", {})) is live

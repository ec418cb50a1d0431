"""What a world is made of: endpoints, Services, and what leads into them."""

from collections.abc import Mapping
from typing import Any

import pytest

from partner_mesh.analysis.layers import Workload
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.analysis.topology import World


def world(*documents: Mapping[str, Any]) -> World:
    return World(of_documents(documents))


def named(kind: str, name: str, spec: Any = None, group: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec or {}}


def template(**labels: str) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": 8080}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]
    return {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "sa", "containers": [{"ports": ports}]}}


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("Deployment", "apps/v1"),
        ("ReplicaSet", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("DaemonSet", "apps/v1"),
        ("Job", "batch/v1"),
        ("ReplicationController", "v1"),
    ],
)
def test_every_kind_with_a_pod_template_is_a_workload(kind: str, group: str) -> None:
    [(endpoint, pods)] = world(named(kind, "w", {"template": template(app="w")}, group)).workloads.items()
    assert endpoint == Workload(kind, "default", "w")
    assert pods.labels == {"app": "w"}
    assert pods.service_account == "sa"
    assert pods.named_port("dns") == PortSet.single("UDP", 53)


def test_a_cron_jobs_template_lies_deeper() -> None:
    spec = {"jobTemplate": {"spec": {"template": template(app="w")}}}
    [pods] = world(named("CronJob", "w", spec, "batch/v1")).workloads.values()
    assert pods.labels == {"app": "w"}


def pod(name: str, owner: str = "", **labels: str) -> dict[str, Any]:
    references: dict[str, Any] = (
        {"ownerReferences": [{"kind": "ReplicaSet", "name": owner, "controller": True}]} if owner else {}
    )
    return named("Pod", name, {"containers": []}, "v1", labels=labels, **references)


def test_pods_of_one_owner_with_the_same_labels_are_one_endpoint() -> None:
    found = world(pod("a-1", "a", app="a"), pod("a-2", "a", app="a"), pod("b", app="b"))
    assert [str(each) for each in found.workloads] == ["default/a[ReplicaSet]", "default/b[Pod]"]


def test_labels_that_only_number_replicas_do_not_part_them() -> None:
    found = world(
        pod("a-1", "a", **{"app": "a", "pod-template-hash": "x"}),
        pod("a-2", "a", **{"app": "a", "pod-template-hash": "y"}),
    )
    assert len(found.workloads) == 1


def test_pods_of_one_owner_are_parted_where_a_selector_tells_them_apart() -> None:
    pods = (pod("a-1", "a", app="a", tier="front"), pod("a-2", "a", app="a", tier="back"))
    policy = named("NetworkPolicy", "n", {"podSelector": {"matchLabels": {"tier": "front"}}}, "networking.k8s.io/v1")
    assert [str(each) for each in world(*pods).workloads] == ["default/a[ReplicaSet]"]
    assert [str(each) for each in world(*pods, policy).workloads] == ["default/a-1[Pod]", "default/a-2[Pod]"]


def test_what_an_owner_of_the_input_owns_is_folded_into_it() -> None:
    deployment = named("Deployment", "d", {"template": template(app="d")}, "apps/v1")
    replica_set = named(
        "ReplicaSet", "d-x", {"template": template(app="d")}, "apps/v1",
        ownerReferences=[{"kind": "Deployment", "name": "d", "controller": True}],
    )  # fmt: skip
    found = world(deployment, replica_set, pod("d-x-1", "d-x", app="d"))
    assert [str(each) for each in found.workloads] == ["default/d[Deployment]"]


def test_a_node_owns_its_static_pods_only_in_name() -> None:
    static = named("Pod", "p", {}, ownerReferences=[{"kind": "Node", "name": "n1"}])
    assert [str(each) for each in world(static).workloads] == ["default/p[Pod]"]


def test_namespaces_that_are_missing_have_their_name_as_label() -> None:
    found = world(named("Pod", "p", {}, namespace="x"), named("Namespace", "y", labels={"team": "a"}))
    assert found.namespaces == {
        "x": {"kubernetes.io/metadata.name": "x"},
        "y": {"team": "a", "kubernetes.io/metadata.name": "y"},
    }


def test_a_service_leads_to_the_workloads_it_selects_on_their_target_ports() -> None:
    found = world(
        named("Deployment", "d", {"template": template(app="d")}, "apps/v1"),
        named("Service", "s", {"selector": {"app": "d"}, "ports": [
            {"port": 80, "targetPort": "web"}, {"port": 9, "targetPort": 99},
            {"port": 5}, {"port": 7, "targetPort": "no"},
        ]}),
        named("Service", "bare", {"ports": [{"port": 1}]}),
        named("Service", "away", {"type": "ExternalName", "externalName": "a.example", "selector": {"app": "d"}}),
    )  # fmt: skip
    service = found.service("default", "s")
    assert service is not None
    [pods] = found.selected_by(service)
    assert [str(found.target(pods, port)) for port in service.ports] == ["TCP 8080", "TCP 99", "TCP 5", ""]
    assert [found.selected_by(each) for each in found.services if each.name != "s"] == [(), ()]


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        (
            {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]},
            "TCP 8080",
        ),
        ({"defaultBackend": {"service": {"name": "s", "port": {"name": "admin"}}}}, "TCP 99"),
        ({"rules": [{"http": {"paths": [{"backend": {"serviceName": "s", "servicePort": 80}}]}}]}, "TCP 8080"),
        ({"rules": [{"host": "no.http.example"}]}, None),
        ({"defaultBackend": {"service": {"name": "missing", "port": {"number": 80}}}}, None),
        ({"defaultBackend": {"resource": {"kind": "Bucket", "name": "b"}}}, None),
    ],
)
def test_an_ingress_leads_to_target_ports(spec: Any, ports: str | None) -> None:
    found = world(
        named("Deployment", "d", {"template": template(app="d")}, "apps/v1"),
        named("Service", "s", {"selector": {"app": "d"}, "ports": [
            {"name": "http", "port": 80, "targetPort": "web"}, {"name": "admin", "port": 81, "targetPort": 99},
        ]}),
        named("Ingress", "i", spec, "networking.k8s.io/v1"),
    )  # fmt: skip
    assert [str(each.ports) for each in found.ingress_backends] == ([ports] if ports else [])


def test_two_objects_of_one_name_are_noted_and_the_last_counts() -> None:
    found = world(named("Service", "s", {"ports": [{"port": 1}]}), named("Service", "s", {"ports": [{"port": 2}]}))
    assert [each.ports[0].port for each in found.services] == [2]
    assert "the last counts" in found.notes[0].text

"""What runs and is not ours to deploy, as plain documents: applications' Deployments, and what the charts bring.

The analyser and the lab need these beside our own objects: a policy selects pods, and pods come from Deployments.
Nothing here is ever deployed. Labels and ports of chart-made workloads are those of the charts (istio 1.31).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from partner_mesh.config.stack import Stack
from partner_mesh.model.names import GATEWAY_LABEL, ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import eastwest, waypoint
from partner_mesh.specs.gateway_charts import proxy_config, service_ports
from partner_mesh.specs.istio_charts import revisions
from partner_mesh.specs.login_provider import PORT as LOGIN_PORT
from partner_mesh.specs.login_provider import SERVICE_PORT, login_name, logins, place
from partner_mesh.specs.mesh_config import mesh_config
from partner_mesh.specs.namespace import gateway_revision
from partner_mesh.specs.network_policy import OBSERVABILITY_NAMESPACE
from partner_mesh.specs.stack import GATEWAY_STATUS_PORT, gateway_node_group, placement

Document = Mapping[str, Any]


def inventory(stack: Stack, gateways: Mapping[str, str]) -> tuple[Document, ...]:
    """Every document, platform first. `gateways` are those in effect → the declared one whose settings each has."""
    return (
        *_platform(stack),
        *(document for name, declared in gateways.items() for document in _gateway(stack, name, declared)),
        *_east_west(stack),
        *(document for name, _, _ in logins(stack) for document in _login(stack, name)),
        *(document for namespace in stack.by_namespace for document in _waypoint(stack, namespace)),
        *(document for name in stack.applications for document in _application(stack, name)),
    )


def _platform(stack: Stack) -> Iterator[Document]:
    """Istiod by revision, the mesh config where it is ours, CoreDNS, Prometheus."""
    mesh = stack.platform.mesh
    yield _namespace(ROOT_NAMESPACE)
    if mesh.managed:
        # The chart names it after the revision (`istio-1-31-1`); all revisions here share one content.
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": ROOT_NAMESPACE},
            "data": {"mesh": json.dumps(mesh_config(stack), indent=1)},
        }
    istiod = (("http-debug", 8080), ("grpc-xds", 15010), ("tls-xds", 15012), ("monitoring", 15014), ("webhooks", 15017))
    for revision in revisions(mesh):
        name = f"istiod-{revision}"
        labels = {"app": "istiod", "istio.io/rev": revision, "istio": "istiod", "sidecar.istio.io/inject": "false"}
        environment = {"PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "true", "PILOT_FILTER_GATEWAY_CLUSTER_CONFIG": "true"}
        ports = [_port(port_name, port) for port_name, port in istiod]
        yield _deployment(
            name, ROOT_NAMESPACE, labels, ports, service_account=name, replicas=mesh.replicas, environment=environment
        )
        yield _service(
            name,
            ROOT_NAMESPACE,
            {"app": "istiod", "istio.io/rev": revision},
            [("grpc-xds", 15010, 15010), ("https-dns", 15012, 15012), ("https-webhook", 443, 15017)],
        )
    yield _namespace("kube-system")
    dns = [_port("dns", 53, "UDP"), _port("dns-tcp", 53), _port("metrics", 9153)]
    yield _deployment("coredns", "kube-system", {"k8s-app": "kube-dns"}, dns, service_account="coredns", replicas=2)
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "selector": {"k8s-app": "kube-dns"},
            "ports": [
                {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP"},
            ],
        },
    }
    if stack.platform.observability.prometheus.enabled:
        labels = {"app.kubernetes.io/name": "prometheus", "sidecar.istio.io/inject": "false"}
        if not mesh.managed:  # else the namespace is an object of ours
            yield _namespace(OBSERVABILITY_NAMESPACE)
        yield _deployment(
            "prometheus",
            OBSERVABILITY_NAMESPACE,
            labels,
            [_port("http", 9090)],
            service_account="prometheus",
            replicas=1,
        )


def _gateway(stack: Stack, name: str, declared: str) -> Iterator[Document]:
    """What the gateway chart brings: Deployment, Service, ServiceAccount, and the Role by which it reads Secrets."""
    namespace, gateway = gateway_namespace(name), stack.platform.gateways[declared]
    labels = {
        "app": name,
        "istio": name,
        GATEWAY_LABEL: name,
        "sidecar.istio.io/inject": "true",
        "istio.io/rev": gateway_revision(stack),
    }
    ports = [_port(entry["name"], entry["targetPort"]) for entry in service_ports(gateway)]
    ports.append(_port("http-envoy-prom", 15090))
    yield _service_account(name, namespace)
    yield _deployment(
        name,
        namespace,
        labels,
        ports,
        service_account=name,
        replicas=gateway.replicas.min,
        place=placement(stack, gateway_node_group(stack, declared)),
        annotations={
            "inject.istio.io/templates": "gateway",
            "proxy.istio.io/config": json.dumps(proxy_config(stack, gateway)),
        },
    )
    services = [(entry["name"], entry["port"], entry["targetPort"]) for entry in service_ports(gateway)]
    yield _service(name, namespace, {"app": name, "istio": name}, services)


def _east_west(stack: Stack) -> Iterator[Document]:
    """What the gateway chart brings for the door between clusters."""
    if (found := eastwest.declared(stack)) is None:
        return
    name, namespace = eastwest.NAME, gateway_namespace(eastwest.NAME)
    labels = {"app": name, "istio": name, GATEWAY_LABEL: name, "topology.istio.io/network": found.network}
    labels |= {"sidecar.istio.io/inject": "true", "istio.io/rev": gateway_revision(stack)}
    ports = (("status-port", GATEWAY_STATUS_PORT), ("tls", eastwest.PORT))
    yield _service_account(name, namespace)
    yield _deployment(
        name,
        namespace,
        labels,
        [*(_port(*each) for each in ports), _port("http-envoy-prom", 15090)],
        service_account=name,
        replicas=2,
        annotations={"inject.istio.io/templates": "gateway"},
        environment={"ISTIO_META_REQUESTED_NETWORK_VIEW": found.network},
    )
    services = [(port_name, port, port) for port_name, port in ports]
    yield _service(name, namespace, {"app": name, "istio": name}, services)


def _waypoint(stack: Stack, namespace: str) -> Iterator[Document]:
    """What istiod makes of a waypoint's Gateway (waypoint.yaml of the istiod chart)."""
    served = waypoint.served(stack, namespace)
    if not served:
        return
    name = waypoint.NAME
    labels = waypoint.PODS | {
        "gateway.networking.k8s.io/gateway-class-name": "istio-waypoint",
        "gateway.istio.io/managed": "istio.io-mesh-controller",
        "sidecar.istio.io/inject": "false",
        "istio.io/dataplane-mode": "none",  # its own packets are nobody else's to carry
    }
    ports = [_port("metrics", 15020), _port("status-port", GATEWAY_STATUS_PORT), _port("http-envoy-prom", 15090)]
    yield _service_account(name, namespace)
    yield _deployment(
        name,
        namespace,
        labels,
        ports,
        service_account=name,
        replicas=2,
        place=placement(stack, stack.applications[served[0]].node_group),
        container="istio-proxy",
    )
    services = [(port_name, port, port) for port_name, port in (("status-port", 15021), ("mesh", waypoint.HBONE))]
    yield _service(name, namespace, waypoint.PODS, services)


def _login(stack: Stack, application: str) -> Iterator[Document]:
    """What the oauth2-proxy chart brings for a login."""
    gateway = place(stack, application)[0]
    name, namespace = login_name(application), gateway_namespace(gateway)
    yield _service_account(name, namespace)
    yield _deployment(
        name,
        namespace,
        {"app": name},
        [_port("http", LOGIN_PORT)],
        service_account=name,
        replicas=2,
        place=placement(stack, gateway_node_group(stack, gateway)),
    )
    yield _service(name, namespace, {"app": name}, [("http", SERVICE_PORT, LOGIN_PORT)])


def _application(stack: Stack, name: str) -> Iterator[Document]:
    """One Deployment a version, with the labels, the identity and the placement that their authors must give them."""
    declared = stack.applications[name]
    ports = [_port(port_name, port.target) for port_name, port in declared.ports.items()]
    place = placement(stack, declared.node_group)
    for version in declared.versions or (None,):
        labels = {"app": name} | ({"version": version} if version is not None else {})
        title = name if version is None else f"{name}-{version}"
        yield _deployment(
            title, declared.namespace, labels, ports, service_account=name, replicas=declared.replicas, place=place
        )


def _namespace(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _service_account(name: str, namespace: str) -> Document:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def _port(name: str, port: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"name": name[:15], "containerPort": port, "protocol": protocol}


def _deployment(
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    ports: Sequence[Mapping[str, Any]],
    *,
    service_account: str,
    replicas: int,
    place: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    container: str | None = None,
) -> Document:
    metadata: dict[str, Any] = {"labels": dict(labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    runs: dict[str, Any] = {
        "name": container or name, "image": f"inventory.invalid/{name}", "ports": [dict(p) for p in ports],
    }  # fmt: skip
    if environment:
        runs["env"] = [{"name": key, "value": value} for key, value in environment.items()]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {key: labels[key] for key in list(labels)[:1]}},
            "template": {
                "metadata": metadata,
                "spec": {"serviceAccountName": service_account, **(place or {}), "containers": [runs]},
            },
        },
    }


def _service(name: str, namespace: str, selector: Mapping[str, str], ports: Sequence[tuple[str, int, int]]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": dict(selector),
            "ports": [
                {"name": port_name, "port": port, "targetPort": target, "protocol": "TCP"}
                for port_name, port, target in ports
            ],
        },
    }

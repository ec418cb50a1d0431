"""Prometheus, Grafana, Kiali and a tracing backend as Helm releases.

Values were read in each chart's own values.yaml; versions with their sources are in `CHARTS`. Nothing is public: a
person reaches these by port-forward or through a web gateway with login.
"""

from typing import Any, Final

from partner_mesh.config.observability import Prometheus
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease
from partner_mesh.specs.network_policy import OBSERVABILITY_NAMESPACE
from partner_mesh.specs.versions import Chart

KUBE_PROMETHEUS: Final = Chart(
    "kube-prometheus-stack",
    "82.6.0",
    "https://prometheus-community.github.io/helm-charts",
    "chart 82.6.0 of March 2026 (szinn/k8s-homelab#7447)",
)
KIALI: Final = Chart(
    "kiali-server",
    "2.31.0",
    "https://kiali.org/helm-charts",
    "chart 2.31.0 of August 2026 (entigolabs/entigo-infralib#1639)",
)
JAEGER: Final = Chart(
    "jaeger",
    "4.1.0",
    "https://jaegertracing.github.io/helm-charts",
    "chart 4.1.0 of December 2025, Jaeger 2.13 (jaegertracing/helm-charts#673)",
)

_PROMETHEUS_URL: Final = f"http://prometheus-operated.{OBSERVABILITY_NAMESPACE}.svc.cluster.local:9090"


def observability_charts(stack: Stack) -> tuple[ChartRelease, ...]:
    """The releases that the observability section asks for; none where the mesh is somebody else's."""
    if not stack.platform.mesh.managed:
        return ()
    wanted = stack.platform.observability
    found: list[ChartRelease] = []
    if wanted.prometheus.enabled:
        found.append(_release(KUBE_PROMETHEUS, "prometheus", _prometheus(stack), ()))
    if wanted.kiali and wanted.prometheus.enabled:
        found.append(_release(KIALI, "kiali", _kiali(stack), ("prometheus",)))
    if wanted.tracing.backend == "jaeger":
        found.append(_release(JAEGER, "jaeger", _jaeger(), ()))
    return tuple(found)


def _release(chart: Chart, name: str, values: dict[str, Any], after: tuple[str, ...]) -> ChartRelease:
    return ChartRelease(name, OBSERVABILITY_NAMESPACE, chart.name, chart.version, chart.repository, values, after)


def _prometheus(stack: Stack) -> dict[str, Any]:
    settings = stack.platform.observability.prometheus
    return {
        "fullnameOverride": "prometheus",
        "prometheus": {"prometheusSpec": _prometheus_spec(stack, settings)},
        "alertmanager": {"enabled": True},
        "nodeExporter": {"enabled": False},  # it wants the host's network and paths: a namespace of its own, if at all
        "grafana": {
            "enabled": stack.platform.observability.grafana,
            "sidecar": {
                "dashboards": {
                    "enabled": True,
                    "label": "grafana_dashboard",
                    "searchNamespace": OBSERVABILITY_NAMESPACE,
                }
            },
            "grafana.ini": {"auth.anonymous": {"enabled": False}, "users": {"allow_sign_up": False}},
        },
        # EKS runs these out of reach; their alerts would always fire.
        "kubeControllerManager": {"enabled": False},
        "kubeScheduler": {"enabled": False},
        "kubeEtcd": {"enabled": False},
    }


def _prometheus_spec(stack: Stack, settings: Prometheus) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "retention": settings.retention,
        "replicas": settings.replicas,
        "externalLabels": {"cluster": stack.platform.name},
        # Rules and monitors are ours wherever they lie, not only where the release's label is.
        "ruleSelectorNilUsesHelmValues": False,
        "podMonitorSelectorNilUsesHelmValues": False,
        "serviceMonitorSelectorNilUsesHelmValues": False,
        "storageSpec": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": f"{settings.storage_gib}Gi"}},
                }
            }
        },
    }
    if settings.remote_write is not None:
        write: dict[str, Any] = {"url": settings.remote_write.url}
        if settings.remote_write.token_secret is not None:
            write["authorization"] = {"credentials": {"name": settings.remote_write.token_secret, "key": "token"}}
        spec["remoteWrite"] = [write]
    if settings.federation is not None:
        # What a central Prometheus takes from /federate: the aggregates, not every series.
        spec["enableRemoteWriteReceiver"] = False
        spec["externalLabels"]["federated"] = "true"
    if settings.thanos:
        spec["thanos"] = {
            "objectStorageConfig": {"existingSecret": {"name": "thanos-object-storage", "key": "objstore.yml"}}
        }
    return spec


def _kiali(stack: Stack) -> dict[str, Any]:
    mesh = stack.platform.mesh
    external: dict[str, Any] = {"prometheus": {"url": _PROMETHEUS_URL}}
    if stack.platform.observability.tracing.backend == "jaeger":
        external["tracing"] = {
            "enabled": True,
            "provider": "jaeger",
            "internal_url": f"http://jaeger.{OBSERVABILITY_NAMESPACE}.svc.cluster.local:16685/jaeger",
            "use_grpc": True,
        }
    return {
        "auth": {"strategy": "token"},
        "deployment": {"view_only_mode": True, "cluster_wide_access": True},
        "external_services": external,
        "istio_labels": {"injection_label_rev": "istio.io/rev"},
        "kiali_feature_flags": {"certificates_information_indicators": {"enabled": True}},
        "kubernetes_config": {
            "cluster_name": mesh.multi_cluster.cluster if mesh.multi_cluster else stack.platform.name
        },
    }


def _jaeger() -> dict[str, Any]:
    """Version 2 of Jaeger in one process, spans in memory: enough to try; a production backend is `otlp`."""
    return {
        "fullnameOverride": "jaeger",
        "storage": {"type": "memory"},
        "jaeger": {"replicas": 1, "podSecurityContext": {"runAsNonRoot": True, "runAsUser": 10001}},
    }

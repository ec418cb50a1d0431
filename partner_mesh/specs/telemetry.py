"""Telemetry: access log, metric tags and traces of the mesh, of namespaces and of workloads."""

from collections.abc import Mapping
from typing import Any, Final

from partner_mesh.config.observability import AccessLog, MetricTags
from partner_mesh.config.observability import Telemetry as Settings
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import ROOT_NAMESPACE, TELEMETRY, gateway_namespace
from partner_mesh.specs.mesh_config import ACCESS_LOG_PROVIDER, TRACING_PROVIDER, access_log_provider_name
from partner_mesh.specs.stack import owned, selector

# A failed connection has no status, but response flags; CEL's || is true if either side is, even where the other fails.
ERRORS_ONLY: Final = "response.code >= 400 || response.flags != 0"
PROMETHEUS: Final = "prometheus"
PARTNER_TAG: Final = "partner"


def mesh_wide(stack: Stack) -> Manifest:
    """The mesh's defaults, in the root namespace."""
    platform = stack.platform
    spec: dict[str, Any] = {"accessLogging": [access_logging(platform.mesh.access_log)]}
    spec["metrics"] = [metrics(platform.mesh.metrics)]
    if platform.observability.tracing.backend != "none":
        spec["tracing"] = [
            {
                "providers": [{"name": TRACING_PROVIDER}],
                "randomSamplingPercentage": platform.observability.tracing.sampling,
            }
        ]
    return Manifest(TELEMETRY, "Telemetry", "mesh-default", ROOT_NAMESPACE, owned(), body={"spec": spec})


def of_namespace(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """A namespace's overrides."""
    settings = stack.platform.mesh.namespaces.get(namespace)
    if settings is None or settings.telemetry is None:
        return ()
    spec = overrides(stack, settings.telemetry, namespace)
    return (Manifest(TELEMETRY, "Telemetry", "namespace", namespace, owned(), body={"spec": spec}),) if spec else ()


def of_gateway(stack: Stack, gateway: str, declared: str) -> tuple[Manifest, ...]:
    """At a gateway for partners every request metric carries the partner: routes of partners are named after them.

    `xds.route_name` is Envoy's attribute; requests that no route takes have none, and show as unknown.
    """
    settings = stack.platform.gateways[declared]
    if settings.direction == "ingress" and settings.exposure != "partner":
        return ()
    spec = {"metrics": [metrics(MetricTags(add={PARTNER_TAG: "xds.route_name"}))]}
    namespace, labels = gateway_namespace(gateway), owned(gateway=gateway)
    return (Manifest(TELEMETRY, "Telemetry", "partners", namespace, labels, body={"spec": spec}),)


def of_application(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """A workload's overrides."""
    declared = stack.applications[application]
    scope = f"{declared.namespace}.{application}"
    spec = overrides(stack, declared.telemetry, scope) if declared.telemetry is not None else {}
    if not spec:
        return ()
    labels = owned(application=application)
    spec = {"selector": selector(application), **spec}
    return (Manifest(TELEMETRY, "Telemetry", application, declared.namespace, labels, body={"spec": spec}),)


def overrides(stack: Stack, settings: Settings, scope: str) -> dict[str, Any]:
    """The parts of a Telemetry spec that settings speak of; empty where they say nothing."""
    spec: dict[str, Any] = {}
    if settings.access_log is not None:
        log = settings.access_log
        spec["accessLogging"] = [access_logging(log, access_log_provider_name(stack, log, scope))]
    if settings.metrics is not None and (settings.metrics.add or settings.metrics.remove):
        spec["metrics"] = [metrics(settings.metrics)]
    if settings.sampling is not None:
        spec["tracing"] = [{"randomSamplingPercentage": settings.sampling}]
    return spec


def access_logging(log: AccessLog, provider: str = ACCESS_LOG_PROVIDER) -> dict[str, Any]:
    """On, off, or errors only. Fields and format are the provider's."""
    found: dict[str, Any] = {"providers": [{"name": provider}]}
    if not log.enabled:
        return found | {"disabled": True}
    return found | ({"filter": {"expression": ERRORS_ONLY}} if log.errors_only else {})


def metrics(tags: MetricTags) -> dict[str, Any]:
    """Tags added to and removed from every metric that Prometheus scrapes."""
    found: dict[str, Any] = {"providers": [{"name": PROMETHEUS}]}
    changes: Mapping[str, Any] = {
        **{name: {"operation": "UPSERT", "value": expression} for name, expression in tags.add.items()},
        **{name: {"operation": "REMOVE"} for name in tags.remove},
    }
    if changes:
        found["overrides"] = [
            {"match": {"metric": "ALL_METRICS", "mode": "CLIENT_AND_SERVER"}, "tagOverrides": dict(changes)}
        ]
    return found

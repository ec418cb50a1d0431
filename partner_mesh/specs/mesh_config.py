"""The mesh config: what holds for every proxy unless something narrower says otherwise.

Field names are those of `mesh/v1alpha1/config.proto` (istio.io/api) in JSON.
"""

from typing import Any, Final

from partner_mesh.config.mesh import Mesh
from partner_mesh.config.observability import AccessLog
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import ROOT_NAMESPACE
from partner_mesh.specs.login_provider import login_providers
from partner_mesh.specs.stack import application_host, application_port
from partner_mesh.specs.tracing import collector

ACCESS_LOG_PROVIDER: Final = "partner-mesh-access-log"
TRACING_PROVIDER: Final = "partner-mesh-tracing"

# JSON field → Envoy's command operator (envoyproxy.io "Access logging: command operators").
ACCESS_LOG_FIELDS: Final[dict[str, str]] = {
    "time": "%START_TIME%",
    "partner": "%ROUTE_NAME%",  # at their gateways routes of partners are named after them
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "status_details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "connection_termination": "%CONNECTION_TERMINATION_DETAILS%",
    "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "client_direct": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "peer_names": "%DOWNSTREAM_PEER_DNS_SAN%",
    "certificate_serial": "%DOWNSTREAM_PEER_SERIAL%",
    "certificate_not_after": "%DOWNSTREAM_PEER_CERT_V_END%",
    "sni": "%REQUESTED_SERVER_NAME%",
    "tls_version": "%DOWNSTREAM_TLS_VERSION%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_host": "%UPSTREAM_HOST%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}


def uses_ambient(mesh: Mesh) -> bool:
    """Whether any namespace may be served by ztunnel."""
    return mesh.data_plane == "ambient" or any(s.data_plane == "ambient" for s in mesh.namespaces.values())


def mesh_config(stack: Stack) -> dict[str, Any]:
    """The whole of it, as the istiod chart's `meshConfig` and as the ConfigMap's `mesh`."""
    mesh = stack.platform.mesh
    config: dict[str, Any] = {
        "trustDomain": mesh.trust_domain,
        "rootNamespace": ROOT_NAMESPACE,
        "enableAutoMtls": True,
        "enablePrometheusMerge": True,
        # REGISTRY_ONLY is no firewall (a pod may leave its sidecar aside), but it finds mistakes early.
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        # Routes and policies must read one path alike: %2F and // become what they mean before anybody matches.
        "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
        # Whoever writes a VirtualService for `mesh` catches any host (ISTIO-SECURITY-2026-002): nobody's leaves home
        # unless it says so.
        "defaultVirtualServiceExportTo": ["."],
        "defaultDestinationRuleExportTo": ["."],
        "accessLogFile": "",  # the provider below writes it, where Telemetry says so
        "defaultConfig": default_proxy_config(stack),
        "extensionProviders": extension_providers(stack),
    }
    if stack.platform.observability.tracing.backend != "none":
        config["enableTracing"] = True
    return config


def default_proxy_config(stack: Stack) -> dict[str, Any]:
    """ProxyConfig of every proxy."""
    mesh = stack.platform.mesh
    # Sidecars and gateways speak HBONE with pods in ambient mode (profile-ambient.yaml of the chart).
    hbone = {"ISTIO_META_ENABLE_HBONE": "true"} if uses_ambient(mesh) else {}
    return {
        "holdApplicationUntilProxyStarts": True,
        "drainDuration": mesh.drain_duration,
        "terminationDrainDuration": mesh.drain_duration,
        # Internal aliases of partners are names that only the mesh knows: the sidecar answers for them.
        "proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"} | hbone,
        # `x-envoy-original-path` and its like tell the other side how we are built.
        "proxyHeaders": {"envoyDebugHeaders": {"disabled": True}, "server": {"disabled": True}},
    }


def extension_providers(stack: Stack) -> list[dict[str, Any]]:
    """Providers that Telemetry names (access log and tracing), and those whom CUSTOM policies ask."""
    asked = [*login_providers(stack), *authorizer_providers(stack)]
    return [*access_log_providers(stack), *tracing_provider(stack), *asked]


def authorizer_providers(stack: Stack) -> list[dict[str, Any]]:
    """Ext-authz providers: applications of ours. `failOpen` is left at false: no answer refuses."""
    found: list[dict[str, Any]] = []
    for name, each in stack.platform.mesh.authorizers.items():
        provider: dict[str, Any] = {
            "service": application_host(stack, each.application),
            "port": application_port(stack, each.application, each.port).port,
            "timeout": each.timeout,
        }
        if each.protocol == "grpc":
            found.append({"name": name, "envoyExtAuthzGrpc": provider})
            continue
        if each.path_prefix is not None:
            provider["pathPrefix"] = each.path_prefix
        if each.request_headers:
            provider["includeRequestHeadersInCheck"] = list(each.request_headers)
        if each.headers_to_upstream:
            provider["headersToUpstreamOnAllow"] = list(each.headers_to_upstream)
        found.append({"name": name, "envoyExtAuthzHttp": provider})
    return found


def access_log_providers(stack: Stack) -> list[dict[str, Any]]:
    """One for the mesh, and one for each namespace or workload that wants another format or further fields."""
    mesh = stack.platform.mesh
    found = [_access_log_provider(mesh.access_log, ACCESS_LOG_PROVIDER)]
    for namespace, settings in mesh.namespaces.items():
        if settings.telemetry is not None and settings.telemetry.access_log is not None:
            found.append(_own_provider(stack, settings.telemetry.access_log, namespace))
    for name, application in stack.applications.items():
        if application.telemetry is not None and application.telemetry.access_log is not None:
            found.append(_own_provider(stack, application.telemetry.access_log, f"{application.namespace}.{name}"))
    return [each for index, each in enumerate(found) if each not in found[:index]]


def access_log_provider_name(stack: Stack, log: AccessLog, scope: str) -> str:
    """The provider of a scope (a namespace, or `namespace.application`): the mesh's unless it wants another format."""
    if not stack.platform.mesh.managed:
        return "envoy"  # in somebody else's mesh only Istio's built-in provider is sure to be known
    mesh = stack.platform.mesh.access_log
    return ACCESS_LOG_PROVIDER if (log.format, log.fields) == (mesh.format, mesh.fields) else f"access-log-{scope}"


def _own_provider(stack: Stack, log: AccessLog, scope: str) -> dict[str, Any]:
    return _access_log_provider(log, access_log_provider_name(stack, log, scope))


def _access_log_provider(log: AccessLog, name: str) -> dict[str, Any]:
    """A file access log on standard output, as JSON or as text of the same fields."""
    fields = ACCESS_LOG_FIELDS | log.fields
    log_format: dict[str, Any] = (
        {"labels": fields}
        if log.format == "json"
        else {"text": " ".join(f"{field}={value}" for field, value in fields.items()) + "\n"}
    )
    return {"name": name, "envoyFileAccessLog": {"path": "/dev/stdout", "logFormat": log_format}}


def tracing_provider(stack: Stack) -> list[dict[str, Any]]:
    """Where spans go. Our own Jaeger takes OTLP; Zipkin speaks its own protocol."""
    found = collector(stack)
    if found is None:
        return []
    kind = "zipkin" if stack.platform.observability.tracing.backend == "zipkin" else "opentelemetry"
    return [{"name": TRACING_PROVIDER, kind: {"service": found.host, "port": found.port}}]

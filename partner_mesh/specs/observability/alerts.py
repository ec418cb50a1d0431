"""Alert rules: one set for the mesh, and a few for each partner, so that a partner brings and takes its own.

Metric names are Istio's (istio.io, "Standard Metrics") and Envoy's (`listener_ssl_*`). Thresholds are configured.
`tests/specs/observability` parses every rule and has promtool run them on seeded series.
"""

from datetime import UTC, datetime, time
from typing import Any, Final

from partner_mesh.config.base import seconds
from partner_mesh.config.partner import Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.network_policy import OBSERVABILITY_NAMESPACE
from partner_mesh.specs.stack import owned

PROMETHEUS_RULE: Final = "monitoring.coreos.com/v1"
RUNBOOK: Final = "docs/how-to/alerts.md"
_DAY: Final = 86_400


def mesh_rules(stack: Stack) -> tuple[Manifest, ...]:
    """Rules that speak of the mesh and of every partner alike; none where there is no Prometheus of ours."""
    if not _wanted(stack):
        return ()
    alerts = stack.platform.observability.alerts
    errors, latency = alerts.error_rate_percent / 100, seconds(alerts.latency_p99) * 1000
    by_partner = 'partner!="",reporter="source"'
    rules = [
        _alert(
            "PartnerErrorRate",
            f'sum by (partner) (rate(istio_requests_total{{{by_partner},response_code=~"5.."}}[5m]))'
            f" / sum by (partner) (rate(istio_requests_total{{{by_partner}}}[5m])) > {errors:g}",
            "10m",
            "warning",
            "{{ $labels.partner }}: {{ $value | humanizePercentage }} of requests fail",
        ),
        _alert(
            "PartnerLatency",
            "histogram_quantile(0.99, sum by (partner, le)"
            f" (rate(istio_request_duration_milliseconds_bucket{{{by_partner}}}[5m]))) > {latency:g}",
            "10m",
            "warning",
            "{{ $labels.partner }}: the slowest hundredth of requests takes {{ $value }} ms",
        ),
        _alert(
            "PartnerDenied",
            f'sum by (partner) (rate(istio_requests_total{{{by_partner},response_code="403"}}[5m])) > 0.1',
            "10m",
            "info",
            "{{ $labels.partner }}: policy turns requests away",
        ),
        _alert(
            "PartnerHandshakeFailures",
            "sum by (namespace, pod) (rate(envoy_listener_ssl_connection_error[5m])"
            " + rate(envoy_listener_ssl_fail_verify_no_cert[5m]) + rate(envoy_listener_ssl_fail_verify_error[5m])"
            f" + rate(envoy_listener_ssl_fail_verify_san[5m])) * 60 > {alerts.handshake_failures_per_minute}",
            "10m",
            "warning",
            "{{ $labels.namespace }}: {{ $value }} TLS handshakes a minute fail",
        ),
        _alert(
            "CertificateExpires",
            f"(partner_mesh_certificate_not_after_seconds - time()) / {_DAY} < {alerts.certificate_days}",
            "1h",
            "warning",
            "{{ $labels.partner }}: {{ $labels.certificate }} expires in {{ $value | humanize }} days",
        ),
        _alert(
            "CertificateExpiresNow",
            f"(partner_mesh_certificate_not_after_seconds - time()) / {_DAY} < 7",
            "10m",
            "critical",
            "{{ $labels.partner }}: {{ $labels.certificate }} expires in {{ $value | humanize }} days",
        ),
        _alert(
            "ProxyConfigurationRejected",
            "sum by (type) (pilot_total_xds_rejects) > 0",
            "5m",
            "critical",
            "a proxy refuses its configuration ({{ $labels.type }})",
        ),
        _alert(
            "ProxyConfigurationLate",
            "histogram_quantile(0.99, sum by (le) (rate(pilot_proxy_convergence_time_bucket[5m]))) > 30",
            "10m",
            "warning",
            "a change takes {{ $value }} s to reach the proxies",
        ),
        _alert("ControlPlaneGone", 'absent(up{job="istiod"} == 1)', "5m", "critical", "no istiod answers"),
        _alert(
            "EgressGatewayErrors",
            'sum(rate(istio_requests_total{source_workload="egress",response_code=~"5.."}[5m]))'
            ' / sum(rate(istio_requests_total{source_workload="egress"}[5m])) > 0.05',
            "10m",
            "warning",
            "{{ $value | humanizePercentage }} of outbound requests fail at the egress gateway",
        ),
    ]
    return (_rules("partner-mesh", owned(), [{"name": "partner-mesh", "rules": rules}]),)


def partner_rules(stack: Stack, partner: Partner) -> tuple[Manifest, ...]:
    """A partner's own rules: the days on which its certificates end, as declared in its file."""
    if not _wanted(stack) or not partner.certificates:
        return ()
    rules = [
        {
            "record": "partner_mesh_certificate_not_after_seconds",
            "expr": f"vector({int(datetime.combine(fact.not_after, time(), UTC).timestamp())})",
            "labels": {"partner": partner.name, "certificate": fact.name},
        }
        for fact in partner.certificates
    ]
    return (_rules(partner.name, owned(partner=partner.name), [{"name": f"partner-{partner.name}", "rules": rules}]),)


def pod_monitors(stack: Stack) -> tuple[Manifest, ...]:
    """What Prometheus scrapes: every proxy's merged metrics, and istiod."""
    if not _wanted(stack):
        return ()
    proxies = {
        "selector": {"matchExpressions": [{"key": "security.istio.io/tlsMode", "operator": "Exists"}]},
        "namespaceSelector": {"any": True},
        "jobLabel": "envoy",
        "podMetricsEndpoints": [
            {
                "path": "/stats/prometheus",
                "portNumber": 15020,
                "interval": "15s",
            }
        ],
    }
    istiod = {
        "selector": {"matchLabels": {"app": "istiod"}},
        "namespaceSelector": {"matchNames": ["istio-system"]},
        "podMetricsEndpoints": [
            {
                "portNumber": 15014,
                "interval": "15s",
                "relabelings": [{"targetLabel": "job", "replacement": "istiod", "action": "replace"}],
            }
        ],
    }
    return tuple(
        Manifest(PROMETHEUS_RULE, "PodMonitor", name, OBSERVABILITY_NAMESPACE, owned(), body={"spec": spec})
        for name, spec in (("proxies", proxies), ("istiod", istiod))
    )


def _wanted(stack: Stack) -> bool:
    return stack.platform.mesh.managed and stack.platform.observability.prometheus.enabled


def _rules(name: str, labels: dict[str, str], groups: list[dict[str, Any]]) -> Manifest:
    return Manifest(
        PROMETHEUS_RULE, "PrometheusRule", name, OBSERVABILITY_NAMESPACE, labels, body={"spec": {"groups": groups}}
    )


def _alert(name: str, expression: str, hold: str, severity: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": hold,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook": f"{RUNBOOK}#{name.lower()}"},
    }

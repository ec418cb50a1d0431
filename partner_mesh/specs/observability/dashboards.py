"""Grafana dashboards as code: one table of panels a dashboard, rendered to the JSON model.

Field names follow Grafana's dashboard JSON model (schemaVersion 39). Grafana's sidecar finds the ConfigMaps by label.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.network_policy import OBSERVABILITY_NAMESPACE
from partner_mesh.specs.stack import owned

_PARTNER: Final = 'partner=~"$partner",reporter="source"'
_COLUMNS: Final = 2
_WIDTH, _HEIGHT = 24 // _COLUMNS, 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: a title, PromQL with the legend of each series, and Grafana's unit."""

    title: str
    series: tuple[tuple[str, str], ...]
    unit: str = "short"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels in reading order; `variables` are names with the query that lists their values."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[tuple[str, str], ...] = ()


def _rate(selector: str, by: str) -> str:
    return f"sum by ({by}) (rate(istio_requests_total{{{selector}}}[$__rate_interval]))"


def _quantile(quantile: float, selector: str, by: str) -> str:
    bucket = f"istio_request_duration_milliseconds_bucket{{{selector}}}"
    return f"histogram_quantile({quantile}, sum by ({by}, le) (rate({bucket}[$__rate_interval])))"


DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    Dashboard(
        "partners",
        "Partners",
        (
            Panel("Requests", ((_rate(_PARTNER, "partner"), "{{partner}}"),), "reqps"),
            Panel("Failures", ((_rate(f'{_PARTNER},response_code=~"5.."', "partner"), "{{partner}}"),), "reqps"),
            Panel("Turned away", ((_rate(f'{_PARTNER},response_code="403"', "partner"), "{{partner}}"),), "reqps"),
            Panel(
                "Latency",
                (
                    (_quantile(0.5, _PARTNER, "partner"), "{{partner}} median"),
                    (_quantile(0.99, _PARTNER, "partner"), "{{partner}} p99"),
                ),
                "ms",
            ),
            Panel(
                "Days until certificates end",
                (("(partner_mesh_certificate_not_after_seconds - time()) / 86400", "{{partner}} {{certificate}}"),),
                "d",
            ),
        ),
        (("partner", "label_values(istio_requests_total, partner)"),),
    ),
    Dashboard(
        "gateways",
        "Gateways",
        (
            Panel(
                "Requests", ((_rate('source_workload=~"$gateway"', "source_workload"), "{{source_workload}}"),), "reqps"
            ),
            Panel("Answers", ((_rate('source_workload=~"$gateway"', "response_code"), "{{response_code}}"),), "reqps"),
            Panel(
                "TLS handshakes that failed",
                (
                    (
                        "sum by (namespace) (rate(envoy_listener_ssl_connection_error[$__rate_interval]))",
                        "{{namespace}}",
                    ),
                    (
                        "sum by (namespace) (rate(envoy_listener_ssl_fail_verify_no_cert[$__rate_interval]))",
                        "{{namespace}} no certificate",
                    ),
                    (
                        "sum by (namespace) (rate(envoy_listener_ssl_fail_verify_san[$__rate_interval]))",
                        "{{namespace}} wrong name",
                    ),
                ),
                "ops",
            ),
            Panel("Open connections", (("sum by (namespace) (envoy_listener_downstream_cx_active)", "{{namespace}}"),)),
        ),
        (("gateway", 'label_values(istio_requests_total{source_workload_namespace=~"istio-.*"}, source_workload)'),),
    ),
    Dashboard(
        "egress",
        "Egress",
        (
            Panel(
                "Requests by host",
                ((_rate('source_workload="egress"', "destination_service"), "{{destination_service}}"),),
                "reqps",
            ),
            Panel(
                "Failures by host",
                (
                    (
                        _rate('source_workload="egress",response_code=~"5.."', "destination_service"),
                        "{{destination_service}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "Latency by host",
                ((_quantile(0.99, 'source_workload="egress"', "destination_service"), "{{destination_service}} p99"),),
                "ms",
            ),
            Panel(
                "Who leaves",
                (
                    (
                        _rate('destination_workload="egress",reporter="destination"', "source_workload"),
                        "{{source_workload}}",
                    ),
                ),
                "reqps",
            ),
        ),
    ),
    Dashboard(
        "control-plane",
        "Control plane",
        (
            Panel("Proxies", (("sum by (version) (pilot_xds)", "{{version}}"),)),
            Panel(
                "Time until a change works",
                (
                    (
                        (
                            "histogram_quantile(0.99, sum by (le)"
                            " (rate(pilot_proxy_convergence_time_bucket[$__rate_interval])))"
                        ),
                        "p99",
                    ),
                ),
                "s",
            ),
            Panel("Rejected by proxies", (("sum by (type) (pilot_total_xds_rejects)", "{{type}}"),)),
            Panel("Memory", (('process_resident_memory_bytes{job="istiod"}', "{{pod}}"),), "bytes"),
        ),
    ),
    Dashboard(
        "upgrade",
        "Upgrade",
        (
            Panel("Proxies by version", (('sum by (tag) (istio_build{component="proxy"})', "{{tag}}"),)),
            Panel("Control planes by version", (('sum by (tag) (istio_build{component="pilot"})', "{{tag}}"),)),
            Panel(
                "Failures",
                (
                    (
                        _rate('reporter="source",response_code=~"5.."', "source_workload_namespace"),
                        "{{source_workload_namespace}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "Latency",
                (
                    (
                        _quantile(0.99, 'reporter="source"', "source_workload_namespace"),
                        "{{source_workload_namespace}} p99",
                    ),
                ),
                "ms",
            ),
        ),
    ),
)


def dashboards(stack: Stack) -> tuple[Manifest, ...]:
    """A ConfigMap a dashboard; none without Grafana."""
    wanted = stack.platform.observability
    if not (stack.platform.mesh.managed and wanted.grafana and wanted.prometheus.enabled):
        return ()
    return tuple(
        Manifest(
            "v1",
            "ConfigMap",
            f"dashboard-{dashboard.name}",
            OBSERVABILITY_NAMESPACE,
            owned() | {"grafana_dashboard": "1"},
            body={"data": {f"{dashboard.name}.json": json.dumps(model(dashboard), indent=1)}},
        )
        for dashboard in DASHBOARDS
    )


def model(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON model of a dashboard."""
    return {
        "uid": f"partner-mesh-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["partner-mesh"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_variable(name, query) for name, query in dashboard.variables]},
        "panels": _panels(dashboard.panels),
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
    }


def _panels(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    return [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": {"type": "prometheus", "uid": "prometheus"},
            "gridPos": {"x": number % _COLUMNS * _WIDTH, "y": number // _COLUMNS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
                for index, (expression, legend) in enumerate(panel.series)
            ],
        }
        for number, panel in enumerate(panels)
    ]

"""Metrics, traces and dashboards; and what Telemetry says about one mesh, namespace or workload."""

from typing import Annotated, Literal

from pydantic import Field

from partner_mesh.config.base import Cidr, Duration, Flag, Model, Percent


class AccessLog(Model):
    """Envoy's access log. `errors_only` keeps answers of 400 and above and connections that failed."""

    enabled: Flag = True
    format: Literal["json", "text"] = "json"
    errors_only: Flag = False
    fields: dict[str, str] = {}  # further JSON fields → Envoy command operators


class MetricTags(Model):
    """Tags added to (name → CEL expression) and removed from every request metric."""

    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Telemetry(Model):
    """Overrides for a namespace or a workload."""

    access_log: AccessLog | None = None
    sampling: Percent | None = None
    metrics: MetricTags | None = None


class RemoteWrite(Model):
    """Where Prometheus sends its samples; the token is a Secret's name.

    `ranges` and `port` are the receiver's: the URL may be encrypted, and policies must not depend on what it says.
    """

    url: str
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 443
    token_secret: str | None = None
    ranges: Annotated[tuple[Cidr, ...], Field(min_length=1)]


class Federation(Model):
    """A central Prometheus that takes aggregates from ours (`/federate`), and the addresses that it calls from."""

    ranges: Annotated[tuple[Cidr, ...], Field(min_length=1)]


class Prometheus(Model):
    """An own Prometheus. `federation` and `thanos` are for those who have a central one.

    What it may call is said in addresses: an object store or a receiver on the internet is no reason to open it all.
    """

    enabled: Flag = True
    retention: Annotated[str, Field(pattern=r"^\d+[hdwy]$")] = "15d"
    replicas: Annotated[int, Field(strict=True, ge=1, le=4)] = 1
    storage_gib: Annotated[int, Field(strict=True, ge=5, le=16384)] = 50
    remote_write: RemoteWrite | None = None
    federation: Federation | None = None
    thanos: Flag = False
    thanos_ranges: tuple[Cidr, ...] = ()  # of the object storage, where it is no endpoint within the network


class Tracing(Model):
    """Where spans go and how many (percent of requests)."""

    backend: Literal["jaeger", "otlp", "zipkin", "none"] = "jaeger"
    endpoint: str | None = None  # host:port, for otlp and zipkin
    sampling: Percent = 1.0


class Alerts(Model):
    """Thresholds of the generated alert rules, per partner."""

    error_rate_percent: Percent = 5
    latency_p99: Duration = "2s"
    certificate_days: Annotated[int, Field(strict=True, ge=1)] = 30
    handshake_failures_per_minute: Annotated[int, Field(strict=True, ge=1)] = 30


class Observability(Model):
    """What is installed to look at the mesh."""

    prometheus: Prometheus = Prometheus()
    tracing: Tracing = Tracing()
    alerts: Alerts = Alerts()
    kiali: Flag = True
    grafana: Flag = True

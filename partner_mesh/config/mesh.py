"""The mesh section: revisions and their upgrade, identity, and defaults for every workload."""

from typing import Annotated, Literal

from pydantic import Field

from partner_mesh.config.base import ChartSource, Cidr, Day, Duration, Flag, HeaderName, Model, Name, SecretName
from partner_mesh.config.observability import AccessLog, MetricTags, Telemetry

Revision = Annotated[str, Field(pattern=r"^\d+-\d+-\d+$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGT]|[KMGT]i)?$")]
MutualTls = Literal["STRICT", "PERMISSIVE", "DISABLE"]


class Upgrade(Model):
    """An upgrade under way; the key is present only while one is.

    The states in order: control plane beside (`to` alone) → `namespaces` moved one by one → `gateways: true` →
    `promoted: true` (tag and default revision) → `mesh.revision` becomes `to` and the key goes.
    """

    to: Revision
    namespaces: tuple[Name, ...] = ()
    gateways: Flag = False
    promoted: Flag = False


class MutualTlsException(Model):
    """A dated exception from mutual TLS: the gate refuses it after its day."""

    mode: MutualTls
    until: Day | None = None  # required unless STRICT
    ports: dict[int, MutualTls] = {}  # target port → mode


class NamespaceSettings(Model):
    """What holds for a whole namespace of applications."""

    mutual_tls: MutualTlsException | None = None
    data_plane: Literal["sidecar", "ambient"] = "sidecar"
    pod_security: Literal["restricted", "baseline", "privileged"] = "restricted"
    telemetry: Telemetry | None = None
    labels: dict[str, str] = {}


class Resources(Model):
    """Requests and limits as Kubernetes quantities."""

    cpu: Quantity = "100m"
    memory: Quantity = "128Mi"
    memory_limit: Quantity | None = None


class Authorizer(Model):
    """Somebody whom policies with action CUSTOM ask: a port of one of our applications. Without an answer: refused."""

    application: Name
    port: Name
    protocol: Literal["grpc", "http"] = "grpc"  # Envoy's ext_authz service, or plain requests
    timeout: Duration = "1s"
    path_prefix: Annotated[str, Field(pattern=r"^/[^\s]*$")] | None = None  # http: put before the request's path
    request_headers: tuple[HeaderName, ...] = ()  # http: what it is shown
    headers_to_upstream: tuple[HeaderName, ...] = ()  # http: what of its answer goes on with the request


class Peer(Model):
    """The other cluster of a two-cluster mesh: it shares our trust domain and root.

    Its kubeconfig is a Secret `istio-remote-secret-<name>` (key `<name>`; in the store: property `kubeconfig`).
    """

    name: Name
    network: Name
    gateway: Annotated[str, Field(min_length=1)]  # address of its east-west gateway
    ranges: Annotated[tuple[Cidr, ...], Field(min_length=1)]  # its network: east-west gateway, API server, pods


class MultiCluster(Model):
    """A mesh over two clusters by east-west gateways."""

    cluster: Name
    network: Name
    ca: SecretName = "cacerts"  # ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem: an intermediate of one root
    peers: Annotated[tuple[Peer, ...], Field(min_length=1)]


class Mesh(Model):
    """Istio. `managed: false`: somebody else runs it; only applications and partners are deployed."""

    revision: Revision
    upgrade: Upgrade | None = None
    managed: Flag = True
    tag: Name = "stable"  # the revision tag that gateways and namespaces at rest carry
    trust_domain: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")] = "cluster.local"
    mutual_tls: MutualTls = "STRICT"
    data_plane: Literal["sidecar", "ambient"] = "sidecar"  # `ambient` also installs ztunnel for namespaces that ask
    access_log: AccessLog = AccessLog()
    metrics: MetricTags = MetricTags()
    charts: ChartSource = "https://blob.istio.io/istio-release/charts"
    hub: str = "docker.io/istio"
    istiod: Resources = Resources(cpu="500m", memory="2Gi")
    proxy: Resources = Resources()
    replicas: Annotated[int, Field(strict=True, ge=1, le=20)] = 2
    drain_duration: Duration = "5s"
    namespaces: dict[Name, NamespaceSettings] = {}
    authorizers: dict[Name, Authorizer] = {}  # by the name that policies give as their provider
    multi_cluster: MultiCluster | None = None

    @property
    def version(self) -> str:
        """The chart version of the stable control plane."""
        return self.revision.replace("-", ".")

"""The platform section: network, cluster, node groups, gateways, firewall and what stands around the mesh."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from partner_mesh.config.base import ChartSource, Cidr, Duration, Flag, Host, Model, Name, SecretName
from partner_mesh.config.mesh import Mesh
from partner_mesh.config.observability import Observability


class Network(Model):
    """The VPC: zones, their subnets (computed) and the NAT addresses that partners allow-list on their side."""

    cidr: Cidr
    zones: Annotated[int, Field(strict=True, ge=2, le=6)] = 3
    nat_gateways: Annotated[int, Field(strict=True, ge=1, le=6)] = 1
    flow_logs: Flag = True
    flow_log_retention_days: Annotated[int, Field(strict=True, ge=1, le=3653)] = 90
    endpoints: tuple[
        Literal["s3", "ecr", "sts", "ec2", "secretsmanager", "logs", "eks", "elasticloadbalancing", "kms"], ...
    ] = ("s3",)


class Size(Model):
    """How many nodes a group has: least, most, and at start (defaults to the least)."""

    min: Annotated[int, Field(strict=True, ge=0, le=450)]
    max: Annotated[int, Field(strict=True, ge=1, le=450)]
    desired: Annotated[int, Field(strict=True, ge=0, le=450)] | None = None


class NodeGroup(Model):
    """A managed node group. `dedicated` taints its nodes `dedicated=<value>:NoSchedule` and labels them alike."""

    instances: Annotated[tuple[str, ...], Field(min_length=1)]
    size: Size
    dedicated: Name | None = None
    disk_gib: Annotated[int, Field(strict=True, ge=20, le=16384)] = 50
    capacity: Literal["on-demand", "spot"] = "on-demand"
    labels: dict[str, str] = {}
    ami: Literal["al2023", "al2023-arm64", "bottlerocket", "bottlerocket-arm64"] = "al2023"


class Endpoint(Model):
    """The Kubernetes API's endpoint: private, and public only for named addresses."""

    private: Flag = True
    allowed_cidrs: tuple[Cidr, ...] = ()


class EksCluster(Model):
    """A cluster that this program creates."""

    kind: Literal["eks"]
    version: Annotated[str, Field(pattern=r"^1\.\d{2}$")]
    endpoint: Endpoint = Endpoint()
    admins: tuple[str, ...] = ()  # IAM principal ARNs
    viewers: tuple[str, ...] = ()
    node_groups: Annotated[dict[Name, NodeGroup], Field(min_length=1)]
    log_retention_days: Annotated[int, Field(strict=True, ge=1, le=3653)] = 90
    addons: dict[Name, str] = {}  # add-on name → version; the table of defaults is in specs
    deletion_protection: Flag = True


class ExistingCluster(Model):
    """A cluster that is there already: no AWS resource is made.

    `kubeconfig` is a file's path (the KUBECONFIG of the environment when left out), never its content.
    """

    kind: Literal["existing"]
    kubeconfig: str | None = None
    context: str | None = None
    version: Annotated[str, Field(pattern=r"^1\.\d{2}$")] | None = None
    node_groups: dict[Name, NodeGroup] = {}
    vpc_resource_controller: Flag = False  # True: SecurityGroupPolicy is served there


Cluster = Annotated[EksCluster | ExistingCluster, Field(discriminator="kind")]


class Replicas(Model):
    """Bounds of the autoscaler of a gateway."""

    min: Annotated[int, Field(strict=True, ge=1, le=100)] = 2
    max: Annotated[int, Field(strict=True, ge=1, le=500)] = 5


class Gateway(Model):
    """One gateway Deployment with a namespace, an identity, a security group and nodes of its own.

    `exposure: web` stands behind the firewall and an ALB, `exposure: partner` behind an NLB that passes TLS through.
    """

    direction: Literal["ingress", "egress"]
    exposure: Literal["web", "partner"] | None = None  # ingress only
    host: Host | None = None  # web: the UI's host
    hosts: tuple[Host, ...] = ()  # web: further hosts
    certificate: SecretName | None = None  # the server certificate's Secret (partner: default of its partners)
    client_certificates: Flag | None = None  # refused on web: the ALB ends TLS
    firewall: Flag | None = None  # refused on partner: WAF attaches to ALB only
    api: Literal["istio", "gateway-api"] = "istio"  # web: in which API its listener and routes are written
    node_group: Name | None = None  # default: the group dedicated to this gateway's kind, if there is one
    enforce_at: Literal["sidecar", "edge"] = "sidecar"  # edge: addresses are judged at the gateway, too
    max_partners: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = (
        None  # a shard's size; 100 at the edge, else 1000
    )
    replicas: Replicas = Replicas()
    source_ranges: tuple[Cidr, ...] = ()  # web: who may reach the load balancer; everyone when empty
    load_balancer_ranges: tuple[Cidr, ...] = ()  # where the load balancer in front stands, if the network is not ours
    max_connection_duration: Duration = "1h"  # bounds what a revocation at the edge leaves open
    zone_id: str | None = None  # Route 53 zone for the hosts' records
    shield: Flag = False  # Shield Advanced on the addresses


class RateRule(Model):
    """An own rate rule of the firewall: requests of one address in five minutes on paths that begin so."""

    name: Name
    limit: Annotated[int, Field(strict=True, ge=10, le=2_000_000_000)]
    path_prefix: str = "/"


class Firewall(Model):
    """The WAF in front of the web gateway. `rate_limit` counts requests of one address in five minutes."""

    managed_rules: tuple[
        Literal[
            "common", "knownBadInputs", "sqli", "ipReputation", "anonymousIp", "linux", "adminProtection", "botControl"
        ],
        ...,
    ] = ("common", "knownBadInputs", "ipReputation")
    rate_limit: Annotated[int, Field(strict=True, ge=10, le=2_000_000_000)] = 2000
    rate_rules: tuple[RateRule, ...] = ()
    blocked_countries: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = ()
    blocked_ranges: tuple[Cidr, ...] = ()
    allowed_ranges: tuple[Cidr, ...] = ()  # judged before everything else
    count_only: tuple[str, ...] = ()  # managed groups that only count
    log_retention_days: Annotated[int, Field(strict=True, ge=1, le=3653)] = 90


class Calico(Model):
    """Calico. `managed: false`: we do not install it; its objects are made only where `installed` says it is there."""

    managed: Flag = True
    installed: Flag | None = None  # default: as managed
    version: Annotated[str, Field(pattern=r"^v?\d+\.\d+\.\d+$")] = "v3.32.0"

    @property
    def present(self) -> bool:
        """Whether Calico's objects may be deployed."""
        return self.managed if self.installed is None else self.installed


class Secrets(Model):
    """Where certificates come from. `none`: Secrets of the configured names already exist."""

    store: Literal["aws-secrets-manager", "none"] = "aws-secrets-manager"
    prefix: str = ""  # put before each name in the store; default: `<platform name>/`
    refresh: Duration = "15m"
    managed: Flag = True  # we install External Secrets Operator


class Charts(Model):
    """Where Helm charts come from: each publisher's repository, unless a mirror is named here.

    A folder holds them as `helm pull` and `helm package` leave them: `<chart>-<version>.tgz`. Versions of Istio and
    Calico have keys of their own.
    """

    repository: ChartSource | None = None  # in place of every publisher's, but not of `mesh.charts`
    versions: dict[
        Literal[
            "aws-load-balancer-controller",
            "external-secrets",
            "jaeger",
            "kiali-server",
            "kube-prometheus-stack",
            "oauth2-proxy",
        ],
        Annotated[str, Field(pattern=r"^v?\d+\.\d+\.\d+$")],
    ] = {}


class SharedPlatform(Model):
    """Where a shard's stack finds the platform: partners of a shard can live in a stack of their own."""

    stack: str  # organisation/project/stack of the platform


class Platform(Model):
    """Everything that is there once an environment."""

    name: Name
    environment: Literal["dev", "staging", "prod"] = "dev"
    network: Network | None = None  # required with `cluster.kind: eks`
    cluster: Cluster
    mesh: Mesh
    gateways: Annotated[dict[Name, Gateway], Field(min_length=1)]
    firewall: Firewall = Firewall()
    calico: Calico = Calico()
    secrets: Secrets = Secrets()  # on an existing cluster the default is `store: none`
    observability: Observability = Observability()
    charts: Charts = Charts()
    tags: dict[str, str] = {}
    shared: SharedPlatform | None = None  # present in a shard's stack: only its partners are deployed

    @model_validator(mode="before")
    @classmethod
    def _bring_nothing_unasked(cls, values: Any) -> Any:
        """On somebody else's cluster External Secrets is not assumed: a bare API server has no such kind."""
        cluster = values.get("cluster") if isinstance(values, dict) else None
        if isinstance(cluster, dict) and cluster.get("kind") == "existing" and "secrets" not in values:
            return {**values, "secrets": {"store": "none"}}
        return values

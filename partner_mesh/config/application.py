"""An application: where it runs, who may call it, how its traffic is shaped."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from partner_mesh.config.base import (
    Cidr,
    Duration,
    Flag,
    HeaderName,
    Host,
    Listed,
    Method,
    Model,
    Name,
    Path,
    Port,
    SecretName,
    Weight,
)
from partner_mesh.config.mesh import MutualTlsException
from partner_mesh.config.observability import Telemetry
from partner_mesh.config.traffic import (
    CircuitBreaker,
    Fault,
    HeaderChanges,
    LoadBalancing,
    Match,
    Mirror,
    Protocol,
    RateLimit,
    RetriesOrAttempts,
)


class ApplicationPort(Model):
    """A port of the application's Service. `ports: {http: 8080}` is short for port and target port alike."""

    port: Port
    target_port: Port | None = None
    protocol: Protocol = "http"

    @property
    def target(self) -> int:
        """The pod's port."""
        return self.target_port or self.port


def _port(value: Any) -> Any:
    return {"port": value} if isinstance(value, int) and not isinstance(value, bool) else value


PortOrNumber = Annotated[ApplicationPort, BeforeValidator(_port, json_schema_input_type=int | ApplicationPort)]


class Caller(Model):
    """An application in the mesh that may call this one; a bare name may call every port, method and path."""

    application: Name
    ports: tuple[Name, ...] = ()
    methods: tuple[Method, ...] = ()
    paths: tuple[Path, ...] = ()


CallerOrName = Annotated[
    Caller,
    BeforeValidator(lambda v: {"application": v} if isinstance(v, str) else v, json_schema_input_type=str | Caller),
]


class GroupRule(Model):
    """A rule of the application's own security group; the peer is an address block or another group's id."""

    to: Cidr | None = None
    source: Annotated[Cidr | None, Field(alias="from")] = None
    group: Annotated[str, Field(pattern=r"^sg-[0-9a-z]+$")] | None = None
    port: Port
    protocol: Literal["tcp", "udp"] = "tcp"
    description: Annotated[str, Field(max_length=255)] = ""


class SecurityGroup(Model):
    """The application's own security group: rules beside those that its callers and routes bring."""

    egress: tuple[GroupRule, ...] = ()
    ingress: tuple[GroupRule, ...] = ()
    group_ids: tuple[str, ...] = ()  # further groups that exist already


class Version(Model):
    """A version (pods labelled `version: <name>`) and its share of requests."""

    weight: Weight = 0


VersionOrWeight = Annotated[
    Version, BeforeValidator(lambda v: {"weight": v} if isinstance(v, int) else v, json_schema_input_type=int | Version)
]


class Route(Model):
    """An own rule for matching requests inside the mesh, judged before the weights. `version` pins them."""

    match: Match
    version: str | None = None
    rewrite: Path | None = None
    timeout: Duration | None = None
    retries: RetriesOrAttempts | None = None
    headers: HeaderChanges | None = None
    fault: Fault | None = None
    rate_limit: RateLimit | None = None


class WebRoute(Model):
    """A path served through a web gateway. `public` admits requests without an end user's token."""

    path: Path
    methods: tuple[Method, ...] = ()
    port: Name | None = None  # default: the application's only port, or the one named http
    gateway: Name | None = None  # default: the only web gateway
    host: Host | None = None  # default: the gateway's host
    rewrite: Path | None = None
    timeout: Duration | None = None
    retries: RetriesOrAttempts | None = None
    public: Flag = False


class Login(Model):
    """OIDC login for a web UI by an ext-authz provider (an oauth2-proxy release of ours beside the web gateway)."""

    client_id: str
    client_secret: SecretName  # keys client-secret, and cookie-secret of 16, 24 or 32 bytes
    hosts: tuple[Host, ...] = ()  # of the issuer's token and key endpoints, where they are not the issuer's own
    scopes: tuple[str, ...] = ("openid", "email")


class EndUsers(Model):
    """JSON Web Tokens of end users: who issues them, for whom, and what their claims must say."""

    issuer: Annotated[str, Field(pattern=r"^https://")]
    jwks_uri: Annotated[str, Field(pattern=r"^https://")] | None = None
    audiences: Annotated[tuple[str, ...], Field(min_length=1)]
    require: dict[str, Annotated[tuple[str, ...], Listed]] = {}  # claim → accepted values
    claim_to_headers: dict[HeaderName, str] = {}  # header → claim
    forward_token: Flag = False
    login: Login | None = None


class PolicySource(Model):
    """Who: every part that is given must agree; within a part any value does."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[Name, ...] = ()
    not_namespaces: tuple[Name, ...] = ()
    ip_blocks: tuple[Cidr, ...] = ()
    not_ip_blocks: tuple[Cidr, ...] = ()
    remote_ip_blocks: tuple[Cidr, ...] = ()
    not_remote_ip_blocks: tuple[Cidr, ...] = ()


class PolicyOperation(Model):
    """What: hosts, ports, methods, paths, and their negative forms."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    not_ports: tuple[Port, ...] = ()
    methods: tuple[Method, ...] = ()
    not_methods: tuple[Method, ...] = ()
    paths: tuple[Path, ...] = ()
    not_paths: tuple[Path, ...] = ()


class PolicyCondition(Model):
    """A condition: one of Istio's keys, with values or their negation."""

    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


class PolicyRule(Model):
    """One rule; at least one part must be given: a rule without parts would match everything."""

    source: Annotated[tuple[PolicySource, ...], Field(alias="from"), Listed] = ()
    operation: Annotated[tuple[PolicyOperation, ...], Field(alias="to"), Listed] = ()
    when: tuple[PolicyCondition, ...] = ()


class Policy(Model):
    """An AuthorizationPolicy written by hand, for what callers and routes do not express."""

    name: Name
    action: Literal["ALLOW", "DENY", "CUSTOM"]
    provider: str | None = None  # CUSTOM: the extension provider's name
    dry_run: Flag = False
    rules: Annotated[tuple[PolicyRule, ...], Field(min_length=1)]


class Application(Model):
    """Something of ours that runs in the mesh. Its Deployment is not ours: namespace, identity and policies are."""

    namespace: Name
    node_group: Name | None = None
    ports: Annotated[dict[Name, PortOrNumber], Field(min_length=1)]
    callers: tuple[CallerOrName, ...] = ()
    replicas: Annotated[int, Field(strict=True, ge=1, le=1000)] = 2  # pods at most: for capacity rules
    deployments: tuple[Name, ...] = ()  # Deployments that are there: an upgrade's step restarts them by itself
    security_group: SecurityGroup | None = None
    versions: dict[Name, VersionOrWeight] = {}
    mirror: Mirror | None = None
    fault: Fault | None = None
    routes: tuple[Route, ...] = ()
    timeout: Duration | None = None
    retries: RetriesOrAttempts | None = None
    circuit_breaker: CircuitBreaker | None = None
    load_balancing: LoadBalancing | None = None
    rate_limit: RateLimit | None = None
    max_request_bytes: Annotated[int, Field(strict=True, ge=1)] | None = None
    web: Annotated[tuple[WebRoute, ...], Listed] = ()
    end_users: EndUsers | None = None
    mutual_tls: MutualTlsException | None = None
    policies: tuple[Policy, ...] = ()
    telemetry: Telemetry | None = None

    @property
    def speaks_of_requests(self) -> bool:
        """Whether anything is said that is judged request by request: in ambient mode that takes a waypoint."""
        callers = any(caller.methods or caller.paths for caller in self.callers)
        shaped = self.circuit_breaker is not None or self.load_balancing is not None
        return callers or shaped or bool(self.web) or self.end_users is not None or bool(self.policies)

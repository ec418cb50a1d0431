"""A partner: what it may call on us, and what we may call on it. One short file each."""

from typing import Annotated, Literal

from pydantic import Field

from partner_mesh.config.base import (
    Cidr,
    Day,
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
)
from partner_mesh.config.traffic import (
    CircuitBreaker,
    HeaderChanges,
    LoadBalancing,
    Protocol,
    RateLimit,
    RetriesOrAttempts,
)

EnforceAt = Literal["sidecar", "edge"]


class ClientCertificate(Model):
    """Which certificates the partner's clients present: the CA's Secret and the exact names they carry."""

    ca: SecretName
    subject_alt_names: Annotated[tuple[str, ...], Field(min_length=1)]
    fingerprints: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()  # SHA-256 of the certificates
    crl: Flag = False  # the CA's Secret also holds ca.crl


class InboundRoute(Model):
    """Requests that the partner may send, and the application's port that answers them (`application:port`)."""

    methods: tuple[Method, ...] = ()
    path: Path | None = None  # required for HTTP, refused for TCP
    headers: dict[HeaderName, str] = {}  # must be present with exactly this value
    to: Annotated[str, Field(pattern=r"^[a-z0-9-]+:[a-z0-9-]+$")]
    version: str | None = None  # pin to one version of the application
    rewrite: Path | None = None
    set_headers: HeaderChanges | None = None
    timeout: Duration | None = None
    retries: RetriesOrAttempts | None = None
    rate_limit: RateLimit | None = None

    @property
    def application(self) -> str:
        """The application's name."""
        return self.to.partition(":")[0]

    @property
    def port(self) -> str:
        """The name of the application's port."""
        return self.to.partition(":")[2]


class InboundTls(Model):
    """TLS that we offer the partner. Client certificates are always asked for."""

    min_version: Literal["1.2", "1.3"] = "1.2"
    cipher_suites: tuple[str, ...] = ()


class Inbound(Model):
    """One host of ours that the partner calls."""

    host: Host
    name: Name | None = None  # tells objects apart; default: the host's first label
    gateway: Name | None = None  # default: the only partner gateway
    enforce_at: EnforceAt | None = None  # default: the gateway's
    protocol: Protocol = "http"
    certificate: SecretName | None = None  # our server certificate; default: the gateway's
    client_certificate: ClientCertificate
    tls: InboundTls = InboundTls()
    source_ranges: tuple[Cidr, ...] = ()
    any_source: Flag = False
    routes: Annotated[tuple[InboundRoute, ...], Field(min_length=1)]
    rate_limit: RateLimit | None = None

    @property
    def label(self) -> str:
        """What tells this entry's objects from those of the partner's other entries."""
        return self.name or self.host.partition(".")[0]


class Alias(Model):
    """How applications address the partner inside: one internal name and port, a path prefix for each partner."""

    host: Host
    port: Port
    prefix: Annotated[str, Field(pattern=r"^/[a-zA-Z0-9._~-]+/$")]


class OutboundTls(Model):
    """TLS towards the partner; `mutual` presents our client certificate, delivered to the egress gateway alone."""

    mode: Literal["simple", "mutual"] = "simple"
    certificate: SecretName | None = None
    ca: SecretName | None = None  # a private CA; public ones when left out
    sni: Host | None = None  # default: the host
    subject_alt_names: tuple[str, ...] = ()  # default: the host
    min_version: Literal["1.2"] = "1.2"  # ClientTLSSettings has no minimum of its own; the mesh begins with 1.2


class Token(Model):
    """A token that goes with each request: a Secret's name and key, never the token."""

    secret: SecretName
    key: str = "token"
    header: HeaderName = "authorization"
    scheme: str = "Bearer"
    rotated: Day | None = None  # the day on which the Secret's content changed: the gateway starts anew to read it


class Outbound(Model):
    """One host of the partner that some applications may call."""

    host: Host
    name: Name | None = None
    callers: Annotated[tuple[Name, ...], Field(alias="from", min_length=1)]  # applications
    gateway: Name | None = None  # default: the only egress gateway
    protocol: Protocol = "http"
    port: Port = 443
    methods: tuple[Method, ...] = ()
    paths: tuple[Path, ...] = ()  # everything when empty
    rewrite: Path | None = None  # only with exactly one path
    alias: Alias | None = None
    tls: OutboundTls = OutboundTls()
    token: Token | None = None
    set_headers: HeaderChanges | None = None
    timeout: Duration | None = None
    retries: RetriesOrAttempts | None = None
    circuit_breaker: CircuitBreaker | None = None
    load_balancing: LoadBalancing | None = None
    rate_limit: RateLimit | None = None

    @property
    def label(self) -> str:
        """What tells this entry's objects from those of the partner's other entries."""
        return self.name or self.host.partition(".")[0]

    @property
    def server_names(self) -> tuple[str, ...]:
        """The names one of which the partner's certificate must carry; never empty."""
        return self.tls.subject_alt_names or (self.host,)


class CertificateFact(Model):
    """Public facts of a certificate, so that a gate warns before it expires."""

    name: SecretName
    not_after: Day
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Contact(Model):
    """Whom to ask at the partner's."""

    name: str
    email: str | None = None
    phone: str | None = None


class Partner(Model):
    """Everything that one outside company and we may do with each other."""

    name: Name
    owner: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    description: str = ""
    contacts: tuple[Contact, ...] = ()
    enforce_at: EnforceAt | None = None
    inbound: Annotated[tuple[Inbound, ...], Listed] = ()
    outbound: Annotated[tuple[Outbound, ...], Listed] = ()
    hairpin: Flag = False
    certificates: tuple[CertificateFact, ...] = ()
    test_window: str = ""

"""One question to the data plane and its answer, as values that cross a socket as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Outcome = Literal["answered", "filtered", "refused", "reset", "handshake", "timeout", "silent", "unresolved"]
Protocol = Literal["http", "h2", "tcp", "websocket"]

OUTSIDE = "outside"
MESH = "mesh"  # the authority of workload certificates: istiod


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a client shows: signed by `authority` (credential `<namespace>/<secret>`; any other name: a stranger's)."""

    authority: str
    names: tuple[str, ...] = ()
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An end user's JSON Web Token. `forged`: signed with a key that the issuer's JWKS does not hold."""

    issuer: str
    audiences: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    expired: bool = False
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """One request.

    `source` is a pod's key (`<namespace>/<workload>`) or `outside`; there, `address` is the client's own. `to` is where
    the connection goes: an address, a public host, a Service name or a pod's key. `server_name` None: plain text,
    "" : TLS without SNI. `host` is what the request claims. `protocol` h2 is HTTP/2 without upgrade, websocket a
    handshake and `body` as a frame, which a lab server answers with what it saw in another, tcp the lines of `body`,
    each sent when the one before has been answered likewise; it has no host, method or path.
    """

    source: str
    to: str
    port: int
    host: str
    method: str = "GET"
    path: str = "/"
    address: str | None = None
    server_name: str | None = None
    certificate: ClientCertificate | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout: float = 5.0  # seconds for the whole
    protocol: Protocol = "http"
    token: Token | None = None
    sidecar: bool = False  # its TLS offers what a sidecar's does: ALPN, by which sidecars and doors know their own
    unproxied: bool = False  # from a pod, but not by its sidecar: what a program does that has got around it

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From JSON."""
        certificate, token = document.get("certificate"), document.get("token")
        shown = None
        if certificate is not None:
            shown = ClientCertificate(**{**certificate, "names": tuple(certificate["names"])})
        carried = None if token is None else Token(**{**token, "audiences": tuple(token["audiences"])})
        return cls(**{**document, "certificate": shown, "token": carried})


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of it.

    `answered`: an HTTP status came back. `filtered`: a NetworkPolicy let no packet through. `refused`: nobody listens.
    `handshake`: TLS ended with an alert, `detail` names it. `reset`: the connection was cut before an answer; a client
    certificate that the server wants and does not get may show as either. `timeout`: nothing in time. `silent`: closed
    in good order without an answer. `unresolved`: the pod's DNS knows no such name.
    """

    outcome: Outcome
    status: int | None = None
    seen: Mapping[str, Any] | None = None  # what the server at the end saw, if one answered
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""  # the body if it is not a lab server's
    server_certificate: tuple[str, ...] = ()  # its names
    detail: str = ""
    milliseconds: float = 0.0

    @property
    def reached(self) -> str | None:
        """Which server at the end saw the request; None if none did."""
        return None if self.seen is None else str(self.seen["server"])

    @property
    def permitted(self) -> bool:
        """Whether the request reached a server at all: a status of its own choosing is no refusal."""
        return self.seen is not None

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(**{**document, "server_certificate": tuple(document.get("server_certificate", ()))})

    def sentence(self) -> str:
        """For a person."""
        if self.outcome == "answered" and self.status is None:
            return f"answered by {self.reached}"
        if self.outcome != "answered":
            return f"{self.outcome}{': ' + self.detail if self.detail else ''}"
        return (
            f"{self.status}, answered by {self.reached}"
            if self.permitted
            else f"{self.status} {self.text.strip()[:80]}".strip()
        )

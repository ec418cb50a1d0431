"""What the layers of a connection share: endpoints, opinions, and how opinions become one verdict.

A layer is anything that may refuse a connection: a security group, a NetworkPolicy, an AuthorizationPolicy, a route.
Each is asked for one ordered pair of endpoints and answers for every port (and, where it looks into HTTP, for every
request) at once. Every layer must agree: a refusal needs no second opinion, and one that cannot tell makes the answer
`unknown` unless another refuses.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass, field

if TYPE_CHECKING:  # both number the endpoints that are declared here
    from partner_mesh.analysis.kinds import Kinds
    from partner_mesh.analysis.universe import Universe

# Names of the layers, as results show them, in the order in which they are asked.
SECURITY_GROUP: Final = "security group"
NETWORK_POLICY: Final = "NetworkPolicy"
PRIMARY_NETWORK: Final = "primary network"
FURTHER_NETWORK: Final = "further network"
MUTUAL_TLS: Final = "mTLS"
AUTHORISATION: Final = "authorisation"
ROUTE: Final = "route"
EGRESS_REGISTRY: Final = "egress registry"


class Verdict(Enum):
    """Whether a connection comes about."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload as an endpoint: all its replicas at once. Look it up in `World.workload` for what it is made of."""

    kind: str
    namespace: str
    name: str

    def document(self) -> dict[str, Any]:
        """The endpoint as results show it."""
        return {"kind": self.kind, "namespace": self.namespace, "name": self.name}

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}[{self.kind}]"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses outside the cluster that no layer tells apart."""

    addresses: AddressSet

    def __str__(self) -> str:
        return str(self.addresses)


@dataclass(frozen=True, slots=True)
class Partner:
    """An outside company, known by its certificate and the addresses it calls from."""

    name: str
    addresses: AddressSet = AddressSet.ALL

    def document(self) -> dict[str, Any]:
        """The endpoint as results show it."""
        return {"partner": self.name}

    def __str__(self) -> str:
        return f"partner {self.name}"


@dataclass(frozen=True, slots=True)
class IngressController:
    """The controller that serves Ingress objects and is not among the workloads: its labels and address are unknown."""

    def document(self) -> dict[str, Any]:
        """The endpoint as results show it."""
        return {"ingressController": True}

    def __str__(self) -> str:
        return "{ingress controller}"


@dataclass(frozen=True, slots=True)
class Client:
    """A caller from outside that comes through a gateway and is nobody's partner, or another's: `name` says which."""

    name: str  # "anonymous", "user with token", "user without token", "another partner", "elsewhere"
    addresses: AddressSet = AddressSet.ALL
    beside: str = ""  # the partner that "another partner" is not, or whose certificate comes from "elsewhere"

    def document(self) -> dict[str, Any]:
        """The endpoint as results show it."""
        if self.name == "elsewhere":
            return {"partner": self.beside, "elsewhere": True}
        return {"client": self.name, "not": self.beside} if self.beside else {"client": self.name}

    def __str__(self) -> str:
        if self.name == "elsewhere":
            return f"partner {self.beside} from elsewhere"
        return f"{self.name} (not {self.beside})" if self.beside else self.name


@dataclass(frozen=True, slots=True)
class ExternalHost:
    """A host outside the mesh, as the mesh's registry names it."""

    name: str

    def document(self) -> dict[str, Any]:
        """The endpoint as results show it."""
        return {"host": self.name}

    def __str__(self) -> str:
        return self.name


Endpoint = Workload | Addresses | Partner | IngressController | Client | ExternalHost


@runtime_checkable
class HttpSet(Protocol):
    """A set of HTTP requests: hosts x methods x paths. The mesh layer brings the implementation."""

    def __and__(self, other: Any) -> Any: ...

    def __sub__(self, other: Any) -> Any: ...

    def __bool__(self) -> bool: ...

    def document(self) -> list[dict[str, Any]]:
        """`[{"hosts": […], "methods": […], "paths": […]}, …]`, as results show it."""
        ...


@dataclass(frozen=True, slots=True)
class Because:
    """One object that decided, or the absence of one, and why where the object alone does not say it."""

    layer: str
    object: str  # "NetworkPolicy charging/default-deny"; for an absence a phrase: "no policy selects either end"
    resource: Resource | None = field(default=None, compare=False)
    reason: str = ""
    path: tuple[str | int, ...] = ()  # where in the resource's document: ("spec", "ingress", 0)

    @classmethod
    def of(cls, layer: str, resource: Resource, reason: str = "", path: tuple[str | int, ...] = ()) -> "Because":
        """The reason that is an object."""
        return cls(layer, resource.title, resource, reason, path)

    def document(self) -> dict[str, Any]:
        """`{"layer", "object"}` and, where there is one, `"reason"`."""
        shown = {"layer": self.layer, "object": self.object}
        if self.reason:
            shown["reason"] = self.reason
        return shown


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one layer says of some ports, and of some requests on them, between two endpoints.

    `http` is None where the layer does not look into HTTP, or says the same of every request and of what is not HTTP.
    """

    layer: str
    verdict: Verdict
    ports: PortSet
    because: tuple[Because, ...]
    http: HttpSet | None = None


class Layer(Protocol):
    """One layer of the data plane, knowing the whole world, asked pair by pair.

    `opinions` covers every port of TCP, UDP and SCTP (and every request on it) exactly once. An empty answer says
    that this layer does not take part between these two.
    """

    name: str

    def endpoints(self) -> Iterable[Endpoint]:
        """Callers that this layer knows besides workloads and addresses: partners, for example."""
        ...

    def kinds(self, universe: "Universe") -> "Kinds":
        """What the layer tells apart among the endpoints of a universe."""
        ...

    def address_sets(self) -> Iterable[AddressSet]:
        """Sets of outside addresses that the layer's objects name: the world outside is cut along them."""
        ...

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """What the layer says of `ports`, which is never empty; ports beyond it need no answer."""
        ...

"""One rule of an AuthorizationPolicy, read as istiod reads it.

`from` entries and `to` entries are alternatives, the fields of one entry all hold, the values of one field are
alternatives (istio `pilot/pkg/security/authz/model`). On a TCP filter chain an ALLOW rule that asks for anything of
HTTP is dropped as a whole, and in a DENY rule such a field is dropped alone: the rule refuses more, never less.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from partner_mesh.analysis import http, strings
from partner_mesh.analysis.http import Condition, HttpSet, Requests
from partner_mesh.analysis.peers import NO, YES, Answer, Peer, either, named, no, within
from partner_mesh.analysis.rule_fields import (
    SERVER_NAME,
    Asked,
    blocks,
    cannot_tell,
    header_field,
    host_field,
    identity_matcher,
    negative,
    port_set,
    server_name,
    string_field,
    texts,
    token_field,
)
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass

TCP: Final = PortSet.protocol("TCP")
_SOURCE_FIELDS: Final = {
    "principals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks", "remoteIpBlocks", "requestPrincipals",
}  # fmt: skip
_OPERATION_FIELDS: Final = {"hosts", "ports", "methods", "paths"}
_HTTP_OPERATIONS: Final = ("hosts", "methods", "paths")


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule matches for one peer: requests on ports. `maybe` says why it cannot be told for sure."""

    ports: PortSet
    http: HttpSet
    maybe: str = ""


class Rule:
    """A rule, compiled once and asked for many peers."""

    def __init__(self, document: Mapping[str, Any], namespace: str, action: str) -> None:
        self.document = document
        self.namespace = namespace
        self.action = action
        self.unknown = sorted({str(key) for key in document} - {"from", "to", "when"})
        self.mentioned = Mentioned()
        conditions = [self._condition(each) for each in _list(document.get("when"))]
        self._when_ports = [each for each in conditions if isinstance(each, PortSet)]
        shared = [each for each in conditions if isinstance(each, Asked)]
        sources = [_mapping(_mapping(each).get("source")) for each in _list(document.get("from"))]
        self.callers = _exact_principals(sources)
        self.sources = [[*self._source(each), *shared] for each in sources] or [shared]
        operations = [_mapping(_mapping(each).get("operation")) for each in _list(document.get("to"))]
        self.operations = [self._operation(each) for each in operations] or [_Operation()]

    @property
    def asks_http(self) -> bool:
        """Whether anything in it can only be judged in HTTP."""
        return any(each.http_only for clause in self.sources for each in clause) or any(
            each.asks_http for each in self.operations
        )

    @cached_property
    def ports(self) -> tuple[PortSet, ...]:
        """The port sets that the rule tells apart."""
        return tuple(dict.fromkeys(self._ports(each) for each in self.operations))

    def matches(self, peer: Peer, issuers: tuple[str, ...], *, tcp: bool) -> list[Match]:
        """What the rule matches for a peer, on HTTP filter chains or on TCP ones."""
        if tcp and self.asks_http and self.action == "ALLOW":
            return []
        unknown = f"field {self.unknown[0]!r} is not modelled" if self.unknown else ""
        found: list[Match] = []
        for clause in self.sources:
            answer, conditions = self._judge(clause, peer, issuers, tcp=tcp)
            if not answer:
                continue
            carried = http.of([Requests(conditions=frozenset(conditions))]) if conditions else HttpSet.ALL
            for operation in self.operations:
                maybe = answer.maybe or operation.unknown or unknown
                requests = HttpSet.ALL if tcp else carried & operation.requests
                ports = self._ports(operation)
                if ports and requests:
                    found.append(Match(ports, requests, maybe))
        return found

    def _ports(self, operation: "_Operation") -> PortSet:
        ports = operation.ports
        for each in self._when_ports:
            ports &= each
        return ports

    def _judge(
        self, clause: Sequence[Asked], peer: Peer, issuers: tuple[str, ...], *, tcp: bool
    ) -> tuple[Answer, list[Condition]]:
        maybe = ""
        conditions: list[Condition] = []
        for asked in clause:
            if tcp and asked.http_only:
                continue
            answer, needed = asked.answer(peer, issuers)
            if not answer:
                return NO, []
            maybe = maybe or answer.maybe
            if tcp and needed:  # no request carries the fact: it is the connection's own
                maybe = maybe or self._of_connection(needed)
            else:
                conditions.extend(needed)
        return (Answer(holds=False, maybe=maybe) if maybe else YES), conditions

    def _of_connection(self, needed: Sequence[Condition]) -> str:
        """Why a fact about a connection cannot be told; "" where the client chooses it and the rule lets it in."""
        chosen = all(each.subject == SERVER_NAME for each in needed)
        return "" if chosen and self.action == "ALLOW" else f"{needed[0].subject} of the connection is not known"

    # What `from` asks ---------------------------------------------------------------------------------------------

    def _source(self, source: Mapping[str, Any]) -> list[Asked]:
        asked: list[Asked] = []
        known = _SOURCE_FIELDS | {negative(each) for each in _SOURCE_FIELDS}
        asked += [cannot_tell(f"source field {key!r} is not modelled") for key in source if key not in known]
        for field in sorted(_SOURCE_FIELDS):
            values, excluded = texts(source.get(field)), texts(source.get(negative(field)))
            if values or excluded:
                asked.append(self._peer_field(field, values, excluded))
        return asked

    def _peer_field(self, field: str, values: Sequence[str], excluded: Sequence[str]) -> Asked:
        match field:
            case "ipBlocks":
                return self._addresses(values, excluded)
            case "remoteIpBlocks":
                return self._remote(values, excluded)
            case "requestPrincipals":
                return token_field("request.auth.principal", values, excluded)
            case _:
                return self._identity(field, values, excluded)

    def _identity(self, field: str, values: Sequence[str], excluded: Sequence[str]) -> Asked:
        self.mentioned.note(field, (*values, *excluded), self.namespace)
        wanted = [identity_matcher(field, each, self.namespace) for each in values]
        refused = [identity_matcher(field, each, self.namespace) for each in excluded]

        def answer(peer: Peer, _: tuple[str, ...]) -> tuple[Answer, tuple[Condition, ...]]:
            found = either([named(peer, each) for each in wanted]) if values else YES
            if found and excluded:
                found = _both(found, no(either([named(peer, each) for each in refused])))
            return found, ()

        return Asked(answer)

    def _addresses(self, values: Sequence[str], excluded: Sequence[str]) -> Asked:
        wanted, refused = blocks(values), blocks(excluded)
        self.mentioned.addresses += [each for each in (wanted, refused) if each]

        def answer(peer: Peer, _: tuple[str, ...]) -> tuple[Answer, tuple[Condition, ...]]:
            found = within(peer.addresses, wanted, "the source") if values else YES
            if found and excluded:
                found = _both(found, no(within(peer.addresses, refused, "the source")))
            return found, ()

        return Asked(answer)

    def _remote(self, values: Sequence[str], excluded: Sequence[str]) -> Asked:
        wanted, refused = blocks(values), blocks(excluded)
        self.mentioned.addresses += [each for each in (wanted, refused) if each]

        def answer(peer: Peer, _: tuple[str, ...]) -> tuple[Answer, tuple[Condition, ...]]:
            if (
                peer.remote is None and peer.claims_remote
            ):  # the client writes X-Forwarded-For: any address can be claimed
                claims = [Condition("remote.ip", ", ".join(values))] if values else []
                claims += [Condition("remote.ip", ", ".join(excluded), holds=False)] if excluded else []
                return YES, tuple(claims)
            found = within(peer.remote, wanted, "the client") if values else YES
            if found and excluded:
                found = _both(found, no(within(peer.remote, refused, "the client")))
            return found, ()

        return Asked(answer)

    # What `to` asks -----------------------------------------------------------------------------------------------

    def _operation(self, operation: Mapping[str, Any]) -> "_Operation":
        known = _OPERATION_FIELDS | {negative(each) for each in _OPERATION_FIELDS}
        unknown = [str(key) for key in operation if key not in known]
        ports = port_set(texts(operation.get("ports"))) if operation.get("ports") else TCP
        ports -= port_set(texts(operation.get("notPorts")))
        asks = any(operation.get(field) or operation.get(negative(field)) for field in _HTTP_OPERATIONS)
        box = Requests(
            host_field(operation),
            string_field(operation, "methods", strings.authorization_pattern),
            string_field(operation, "paths", strings.authorization_path) & http.ANY_PATH,
        )
        reason = f"operation field {unknown[0]!r} is not modelled" if unknown else ""
        return _Operation(ports, http.of([box]), asks_http=asks, unknown=reason)

    # What `when` asks ---------------------------------------------------------------------------------------------

    def _condition(self, condition: Any) -> Asked | PortSet:  # noqa: PLR0911  # one return for each kind of key
        condition = _mapping(condition)
        key = str(condition.get("key") or "")
        values, excluded = texts(condition.get("values")), texts(condition.get("notValues"))
        if not values and not excluded:
            return TCP  # istiod leaves a condition without values out
        identity = {
            "source.principal": "principals",
            "source.namespace": "namespaces",
            "source.serviceAccount": "serviceAccounts",
            "source.trustDomain": "trustDomains",
        }
        if key in identity:
            return self._identity(identity[key], values, excluded)
        if key == "source.ip":
            return self._addresses(values, excluded)
        if key == "remote.ip":
            return self._remote(values, excluded)
        if key == "destination.port":
            return (port_set(values) if values else TCP) - port_set(excluded)
        if key == SERVER_NAME:
            return server_name(values, excluded)
        if key.startswith("request.auth."):
            return token_field(key, values, excluded)
        if key.startswith("request.headers["):
            return header_field(key, values, excluded)
        return cannot_tell(f"condition on {key} is not modelled")


@dataclass(frozen=True, slots=True)
class _Operation:
    ports: PortSet = TCP
    requests: HttpSet = HttpSet.ALL
    asks_http: bool = False
    unknown: str = ""


def _exact_principals(sources: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The principals outside which a rule matches no mesh identity; None where it names others than by full name."""
    named = [texts(each.get("principals")) for each in sources]
    if not named or not all(named) or any("*" in value for values in named for value in values):
        return None
    return frozenset(value for values in named for value in values)


class Mentioned:
    """What a rule can tell peers apart by. Peers that agree in all of it are alike to the rule."""

    def __init__(self) -> None:
        self.exact: dict[str, set[str]] = {"principals": set(), "namespaces": set(), "serviceAccounts": set()}
        self.patterns: list[tuple[str, str, str]] = []
        self.addresses: list[AddressSet] = []

    def note(self, field: str, values: Iterable[str], namespace: str) -> None:
        """Remembers the values of an identity field."""
        for value in values:
            if "*" in value or field == "trustDomains":
                self.patterns.append((field, value, namespace))
            else:
                self.exact[field].add(
                    f"{namespace}/{value}" if field == "serviceAccounts" and "/" not in value else value
                )


def _both(left: Answer, right: Answer) -> Answer:
    if not left or not right:
        return NO
    return Answer(holds=False, maybe=left.maybe or right.maybe) if left.maybe or right.maybe else YES


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, (dict, Mapping)) else {}

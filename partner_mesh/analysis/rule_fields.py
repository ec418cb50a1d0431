"""The fields of an AuthorizationPolicy's rule, each read into a question about a peer or into a set of requests."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from partner_mesh.analysis import strings
from partner_mesh.analysis.authentication import Principal
from partner_mesh.analysis.http import Condition
from partner_mesh.analysis.peers import NO, YES, Answer, Peer
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass

SERVER_NAME: Final = "connection.sni"


@dataclass(frozen=True, slots=True)
class Asked:
    """One field of a rule: whether a peer satisfies it, and what the request must carry besides."""

    answer: Callable[[Peer, tuple[str, ...]], tuple[Answer, tuple[Condition, ...]]]
    http_only: bool = False


def identity_matches(field: str, value: str, namespace: str, principal: Principal) -> bool:
    """Whether a mesh identity matches a value of `principals`, `namespaces`, `serviceAccounts` or `trustDomains`."""
    return identity_matcher(field, value, namespace)(principal)


def identity_matcher(field: str, value: str, namespace: str) -> Callable[[Principal], bool]:
    """The same as a question that is asked of many identities."""
    match field:
        case "principals":
            wanted = strings.authorization_pattern(value)
            return lambda principal: str(principal) in wanted
        case "namespaces":
            pattern = re.compile(".*".join(re.escape(part) for part in value.split("*")))
            return lambda principal: pattern.fullmatch(principal.namespace) is not None
        case "serviceAccounts":
            home, _, account = value.rpartition("/")
            pair = (home or namespace, account)
            return lambda principal: (principal.namespace, principal.service_account) == pair
        case _:
            domains = strings.authorization_pattern(value)
            return lambda principal: principal.trust_domain in domains


def token_field(subject: str, values: Sequence[str], excluded: Sequence[str]) -> Asked:
    """A fact about the end user's token. Without a token nothing matches, and everything excluded is absent."""

    def answer(peer: Peer, issuers: tuple[str, ...]) -> tuple[Answer, tuple[Condition, ...]]:
        if peer.token == "none" or not issuers:  # noqa: S105  # the word for "no token", no password
            return (NO if values else YES), ()
        needed: list[Condition] = []
        by_issuer = subject == "request.auth.principal"
        if by_issuer and values and not any(_issued(each, issuers) for each in values):
            return NO, ()
        every_token = by_issuer and ("*" in values or all(f"{issuer}/*" in values for issuer in issuers))
        if values and not (every_token and peer.token == "valid"):  # noqa: S105
            needed.append(Condition(subject, " or ".join(values), exact=_single(values)))
        if excluded:
            needed.append(Condition(subject, " or ".join(excluded), holds=False))
        return YES, tuple(needed)

    return Asked(answer, http_only=True)


def _issued(value: str, issuers: Iterable[str]) -> bool:
    """Whether a request principal (`issuer/subject`) can come from one of the accepted issuers."""
    if value.startswith("*"):
        ending = value[1:].rpartition("/")[0]
        return any(issuer.endswith(ending) for issuer in issuers)
    issuer, slash, _ = value.rpartition("/")
    if not slash:
        return any(each.startswith(value.removesuffix("*")) for each in issuers)
    return issuer in issuers


def header_field(key: str, values: Sequence[str], excluded: Sequence[str]) -> Asked:
    """A request header: the client writes it, so the requests that match are those that carry it."""
    subject = f"request.headers[{key.removeprefix('request.headers[').removesuffix(']').lower()}]"
    needed = [Condition(subject, " or ".join(values), exact=_single(values))] if values else []
    needed += [Condition(subject, " or ".join(excluded), holds=False)] if excluded else []
    return Asked(lambda _peer, _issuers: (YES, tuple(needed)), http_only=True)


def server_name(values: Sequence[str], excluded: Sequence[str]) -> Asked:
    """`connection.sni`: known where the client's mesh rules set it, else the client's own choice."""
    wanted = _patterns(values) if values else strings.StringSet.ALL
    refused = _patterns(excluded)

    def answer(peer: Peer, _: tuple[str, ...]) -> tuple[Answer, tuple[Condition, ...]]:
        if peer.sni is None:
            chosen = [Condition(SERVER_NAME, " or ".join(values), exact=_single(values))] if values else []
            chosen += [Condition(SERVER_NAME, " or ".join(excluded), holds=False)] if excluded else []
            return YES, tuple(chosen)
        return (YES if peer.sni in wanted and peer.sni not in refused else NO), ()

    return Asked(answer)


def _patterns(values: Iterable[str]) -> strings.StringSet:
    total = strings.StringSet.NONE
    for value in values:
        total = total | strings.authorization_pattern(value)
    return total


def _single(values: Sequence[str]) -> bool:
    return len(values) == 1 and "*" not in values[0]


def cannot_tell(reason: str) -> Asked:
    """A field that nobody can judge: the rule matches perhaps."""
    return Asked(lambda _peer, _issuers: (Answer(holds=False, maybe=reason), ()))


def negative(field: str) -> str:
    """`notHosts` of `hosts`."""
    return f"not{field[0].upper()}{field[1:]}"


def string_field(
    operation: Mapping[str, Any], field: str, read: Callable[[str], strings.StringSet]
) -> strings.StringSet:
    """The texts that a field and its negative leave."""
    values, excluded = texts(operation.get(field)), texts(operation.get(negative(field)))
    total = strings.StringSet.ALL
    if values:
        total = strings.StringSet.NONE
        for value in values:
            total = total | read(value)
    for value in excluded:
        total = total - read(value)
    return total


def host_field(operation: Mapping[str, Any]) -> strings.StringSet:
    """`hosts`, without regard to case. `h` beside `h:*` is one set, made at once: there are thousands of these."""
    values = [value.lower() for value in texts(operation.get("hosts"))]
    if values and not operation.get("notHosts"):
        total = strings.StringSet.NONE
        for value in values:
            if f"{value}:*" in values:
                total = total | strings.host_with_any_port(value)
            elif not (value.endswith(":*") and value[:-2] in values):
                total = total | strings.authorization_pattern(value)
        return total
    return string_field(operation, "hosts", lambda value: strings.authorization_pattern(value.lower()))


def port_set(values: Iterable[str]) -> PortSet:
    """Port numbers as a set; istiod refuses anything else."""
    return PortSet.union(PortSet.single("TCP", int(value)) for value in values if value.isdecimal())


def blocks(values: Iterable[str]) -> AddressSet:
    """Blocks as one set. istiod skips a value that is no address; so does this, which widens nothing."""
    found: list[AddressSet] = []
    for value in values:
        try:
            found.append(AddressSet.of(value))
        except ValueError:
            continue
    return AddressSet.union(found)


def texts(value: Any) -> tuple[str, ...]:
    """The entries of a list as texts; nothing where there is no list."""
    return tuple(str(each) for each in value) if isinstance(value, list) else ()

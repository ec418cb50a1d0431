"""VirtualServices: where a request goes that has reached a proxy, in the terms of who sent it.

Routes are tried in order and the first match decides, so each leg holds only the requests that no earlier one took
(istio `pilot/pkg/networking/core/route/route.go`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from partner_mesh.analysis import http, strings
from partner_mesh.analysis.http import Condition, HttpSet, Requests
from partner_mesh.analysis.layers import ROUTE, Because
from partner_mesh.analysis.mesh_config import NETWORKING, MeshConfig, exports_of, visible
from partner_mesh.analysis.regex import Unmodelled
from partner_mesh.analysis.registry import full_name, host_matches
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.rewrites import Prefix, Rewrite, Substitution, Unchanged, Whole
from partner_mesh.analysis.strings import StringSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.written import items, mappings
from partner_mesh.model.record import dataclass

MESH: Final = "mesh"
Fate = Literal["route", "redirect", "response", "unknown"]
NO_REWRITE: Final = Rewrite()
_KNOWN_MATCH: Final = {
    "name", "uri", "scheme", "method", "authority", "headers", "port", "sourceLabels", "gateways", "queryParams",
    "ignoreUriCase", "withoutHeaders", "sourceNamespace", "statPrefix",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route leads: a registry host, one of its subsets, one of its ports (None: its only one)."""

    host: str
    subset: str = ""
    port: int | None = None
    mirror: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """Requests that share a fate. Hosts are left open: whoever knows the listener narrows them."""

    requests: HttpSet
    fate: Fate
    because: Because
    targets: tuple[Target, ...] = ()
    rewrite: Rewrite = NO_REWRITE
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that routes: who it is decides which VirtualServices and matches hold. `gateway` is "ns/name"."""

    namespace: str
    labels: Mapping[str, str]
    gateway: str = MESH


class VirtualServices:
    """All VirtualService objects, by the gateway that they bind and by host."""

    def __init__(self, world: World, mesh: MeshConfig, converted: Iterable[Resource] = ()) -> None:
        self.mesh = mesh
        self._exact: dict[tuple[str, str], list[Resource]] = {}
        self._wild: dict[str, list[tuple[str, Resource]]] = {}
        listed = [*world.of(NETWORKING, "VirtualService"), *converted]
        self.all = sorted(listed, key=lambda each: (each.name, each.namespace))
        for resource in self.all:
            for gateway in gateways_of(resource):
                for host in hosts_of(resource):
                    if "*" in host:
                        self._wild.setdefault(gateway, []).append((host, resource))
                    else:
                        self._exact.setdefault((gateway, host), []).append(resource)

    def bound(self, gateway: str, namespace: str, pattern: str) -> tuple[tuple[str, Resource], ...]:
        """(host, object) of what proxies of a namespace know for a gateway and hosts within a pattern.

        A VirtualService's wildcard that contains the pattern counts as the pattern itself.
        """
        found: list[tuple[str, Resource]] = []
        if "*" in pattern:
            for (bound_to, host), resources in self._exact.items():
                if bound_to == gateway and host_matches(pattern, host):
                    found += [(host, each) for each in resources]
        else:
            found += [(pattern, each) for each in self._exact.get((gateway, pattern), ())]
        for host, resource in self._wild.get(gateway, ()):
            if host_matches(pattern, host):
                found.append((host, resource))
            elif host_matches(host, pattern):
                found.append((pattern, resource))
        known = [(host, each) for host, each in found if self.known_in(each, namespace)]
        return tuple(sorted(known, key=lambda each: (each[1].name, each[1].namespace, each[0])))

    def known_in(self, resource: Resource, namespace: str) -> bool:
        """Whether proxies of a namespace are told of a VirtualService."""
        exports = exports_of(resource, self.mesh.default_virtual_service_export)
        return visible(exports, resource.namespace, namespace)


def gateways_of(resource: Resource) -> tuple[str, ...]:
    """The gateways a VirtualService binds, as `namespace/name` or `mesh`."""
    names = [str(each) for each in items(resource.spec.get("gateways"))] or [MESH]
    return tuple(
        each if each == MESH or "/" in each else f"{resource.namespace}/{each.partition('.')[0]}" for each in names
    )


def hosts_of(resource: Resource) -> tuple[str, ...]:
    """A VirtualService's hosts as full names."""
    return tuple(full_name(str(each), resource.namespace) for each in items(resource.spec.get("hosts")))


def legs(resources: Iterable[Resource], proxy: Proxy, port: int) -> list[Leg]:
    """What becomes of requests for a host that these VirtualServices serve, in order, on a port of the proxy.

    Requests that no leg holds are answered 404 by the proxy. Catch-all routes go to the end, as istiod puts them.
    """
    entries = [entry for resource in resources for entry in _entries(resource, proxy, port)]
    entries.sort(key=lambda each: each.catch_all)  # stable: the rest keeps its order
    rest = HttpSet.ALL
    found: list[Leg] = []
    for entry in entries:
        taken = rest & entry.requests
        if taken:
            found.append(Leg(taken, entry.fate, entry.because, entry.targets, entry.rewrite, entry.reason))
        if entry.fate != "unknown" or not entry.reason.startswith("match"):
            rest -= entry.requests
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    requests: HttpSet
    fate: Fate
    because: Because
    targets: tuple[Target, ...]
    rewrite: Rewrite
    reason: str
    catch_all: bool


def _entries(resource: Resource, proxy: Proxy, port: int) -> Iterable[_Entry]:
    for index, route in enumerate(items(resource.spec.get("http"))):
        if not isinstance(route, Mapping):
            continue
        matches = [each for each in items(route.get("match")) if isinstance(each, Mapping)]
        because = Because.of(ROUTE, resource, path=("spec", "http", index))
        for match in matches or [{}]:
            if not _applies(match, proxy, port):
                continue
            yield _entry(resource, route, match, because)
        if not matches:
            return  # nothing behind a route without a match is ever reached


def _applies(match: Mapping[str, Any], proxy: Proxy, port: int) -> bool:
    """Whether the match is one for this proxy at all (`sourceMatchHTTP`)."""
    if match.get("port") not in (None, 0, port):
        return False
    gateways = match.get("gateways")
    if gateways:
        return proxy.gateway in (str(each) for each in gateways)
    labels = match.get("sourceLabels")
    wanted = {str(k): str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}
    if not wanted.items() <= proxy.labels.items():
        return False
    return match.get("sourceNamespace") in (None, "", proxy.namespace)


def _entry(resource: Resource, route: Mapping[str, Any], match: Mapping[str, Any], because: Because) -> _Entry:
    reason = ""
    try:
        requests = matched(match)
    except Unmodelled as error:
        requests, reason = HttpSet.ALL, f"match: {error}"
    targets = tuple(_targets(resource, route))
    fate: Fate = "route"
    if "redirect" in route:
        fate = "redirect"
    elif "directResponse" in route:
        fate = "response"
    elif "delegate" in route:
        fate, reason = "unknown", "a delegate VirtualService is not modelled"
    elif "unmodelled" in route:  # of another API's route that was converted into this one
        fate, reason = "unknown", str(route["unmodelled"])
    elif not targets:
        fate, reason = "unknown", "the route leads nowhere"
    rewrite = Rewrite()
    try:
        rewrite = _rewrite(route, match, requests)
    except Unmodelled as error:
        reason = reason or str(error)
    if reason:
        fate = "unknown"
    catch_all = not set(match) & {"headers", "withoutHeaders", "queryParams", "method", "authority", "scheme"} and (
        "uri" not in match or match["uri"] in ({"prefix": "/"}, {"regex": ".*"})
    )
    return _Entry(requests, fate, because, targets, rewrite, reason, catch_all)


def matched(match: Mapping[str, Any]) -> HttpSet:
    """The requests of an HTTPMatchRequest; hosts by `authority` only. Raises `regex.Unmodelled`."""
    unknown = sorted(set(match) - _KNOWN_MATCH)
    if unknown:
        raise Unmodelled(f"field {unknown[0]!r} is not modelled")
    fold = match.get("ignoreUriCase") is True
    paths = string_match(match.get("uri"), fold=fold) & http.ANY_PATH if match.get("uri") else http.ANY_PATH
    methods = string_match(match["method"]) if match.get("method") else StringSet.ALL
    hosts = string_match(match["authority"]) if match.get("authority") else StringSet.ALL
    conditions = [_condition("request.headers", name, value) for name, value in _items(match.get("headers"))]
    conditions += [_condition("request.query", name, value) for name, value in _items(match.get("queryParams"))]
    conditions += [
        _condition("request.headers", name, value).negated() for name, value in _items(match.get("withoutHeaders"))
    ]
    return http.of([Requests(hosts, methods, paths, frozenset(conditions))])


def string_match(value: Any, *, fold: bool = False) -> StringSet:
    """A StringMatch as a set. Raises `regex.Unmodelled`."""
    if not isinstance(value, Mapping):
        raise Unmodelled(f"{value!r} is no StringMatch")
    if "exact" in value:
        text = str(value["exact"])
        return strings.ignoring_case(text) if fold else strings.exact(text)
    if "prefix" in value:
        text = str(value["prefix"])
        if fold:
            raise Unmodelled("a prefix that ignores case is not modelled")
        return strings.prefix(text)
    if "regex" in value:
        return strings.regex(str(value["regex"]))
    raise Unmodelled(f"{dict(value)!r} is no StringMatch")


def _condition(subject: str, name: str, value: Any) -> Condition:
    """A header or query parameter that the sender chooses: recorded, not judged."""
    value = value if isinstance(value, Mapping) else {}
    if "exact" in value:
        return Condition(f"{subject}[{name.lower()}]", str(value["exact"]), exact=True)
    kind, text = next(iter(value.items()), ("", "present"))
    return Condition(f"{subject}[{name.lower()}]", f"{kind} {text}".strip())


def _items(value: Any) -> list[tuple[str, Any]]:
    return sorted((str(k), v) for k, v in value.items()) if isinstance(value, Mapping) else []


def _rewrite(route: Mapping[str, Any], match: Mapping[str, Any], requests: HttpSet) -> Rewrite:
    document = route.get("rewrite")
    authority = ""
    headers = route.get("headers")
    operations = headers.get("request") if isinstance(headers, Mapping) else None
    written = operations.get("set") if isinstance(operations, Mapping) else None
    for name, value in _items(written):
        if name.lower() in ("host", ":authority"):
            authority = str(value)
    if not isinstance(document, Mapping):
        return Rewrite(authority=authority)
    authority = str(document.get("authority") or authority)
    substitution = document.get("uriRegexRewrite")
    if isinstance(substitution, Mapping):
        domain = StringSet.NONE
        for box in requests.boxes:
            domain = domain | box.paths
        found = Substitution(str(substitution.get("match") or ""), str(substitution.get("rewrite") or ""), domain)
        found.before(http.ANY_PATH)  # raises now rather than later
        return Rewrite(found, authority)
    new = str(document.get("uri") or "")
    if not new:
        return Rewrite(Unchanged(), authority)
    uri = match.get("uri")
    if isinstance(uri, Mapping) and ("exact" in uri or "regex" in uri):
        return Rewrite(Whole(new), authority)
    prefix = str(uri["prefix"]) if isinstance(uri, Mapping) and "prefix" in uri else "/"
    return Rewrite(Prefix(prefix, new), authority)


def _targets(resource: Resource, route: Mapping[str, Any]) -> Iterable[Target]:
    for destination in items(route.get("route")):
        if isinstance(destination, Mapping) and (destination.get("weight") != 0 or len(route["route"]) == 1):
            yield target(destination.get("destination"), resource.namespace)
    mirrored = [route.get("mirror"), *(each.get("destination") for each in mappings(route.get("mirrors")))]
    for each in mirrored:
        if isinstance(each, Mapping):
            found = target(each, resource.namespace)
            yield Target(found.host, found.subset, found.port, mirror=True)


def target(destination: Any, namespace: str) -> Target:
    """A Destination."""
    destination = destination if isinstance(destination, Mapping) else {}
    port = destination.get("port")
    number = port.get("number") if isinstance(port, Mapping) else None
    host = full_name(str(destination.get("host") or ""), namespace)
    return Target(host, str(destination.get("subset") or ""), number)


def raw_legs(resources: Iterable[Resource], proxy: Proxy, port: int) -> Iterable[Leg]:
    """`tls` and `tcp` routes: connections that are passed on unread."""
    for resource in resources:
        for kind in ("tls", "tcp"):
            for index, route in enumerate(resource.spec.get(kind) or ()):
                because = Because.of(ROUTE, resource, path=("spec", kind, index))
                matches = route.get("match") or [{}]
                if any(_raw_applies(each, proxy, port) for each in matches):
                    targets = tuple(
                        target(each.get("destination"), resource.namespace) for each in items(route.get("route"))
                    )
                    yield Leg(HttpSet.ALL, "route", because, targets)


def _raw_applies(match: Mapping[str, Any], proxy: Proxy, port: int) -> bool:
    gateways = match.get("gateways")
    if gateways and proxy.gateway not in gateways:
        return False
    return match.get("port") in (None, 0, port)

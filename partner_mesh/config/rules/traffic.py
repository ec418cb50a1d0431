"""Routes and traffic settings: what can be expressed, and matches what it says."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from partner_mesh.config.application import Application
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.traffic import Fault, LoadBalancing, Protocol
from partner_mesh.config.translation import Finding
from partner_mesh.model.path import PathTemplate

_GRPC: Final = re.compile(r"/(?:[A-Za-z_][\w]*\.)*[A-Za-z_]\w*/(?:[A-Za-z_]\w*|\{\*\}|\{\*\*\})|/\{\*\*\}")
_REQUEST_KEYS: Final = ("path", "methods", "headers", "rewrite", "setHeaders", "timeout", "retries", "rateLimit")


def inbound_routes(world: World) -> Iterator[Finding]:
    """A route for requests has a path; no two routes of an entry match alike; TCP has one route and no requests."""
    for path, _, entry in world.inbound():
        seen: dict[object, int] = {}
        for number, route in enumerate(entry.routes):
            place = (*path, "routes", number)
            if entry.protocol == "tcp":
                continue
            if route.path is None:
                yield Finding((*place, "path"), "is missing", 'add the path; every path is "/{**}"')
                continue
            for method in route.methods or ("*",):
                key = (route.path, method, tuple(sorted(route.headers.items())))
                if key in seen and seen[key] != number:
                    reason = f"routes[{seen[key]}] matches the same requests"
                    yield Finding(place, reason, "tell them apart by method, path or header, or remove one")
                    break
                seen.setdefault(key, number)
        if entry.protocol == "tcp" and len(entry.routes) > 1:
            yield Finding(
                (*path, "routes", 1), "a TCP entry leads to one port", "give the second port a host of its own"
            )


def tcp_has_no_requests(world: World) -> Iterator[Finding]:
    """Connections have no methods, paths, headers, rewrites, timeouts or tokens: where all is TCP there are none."""
    for path, _, entry in world.inbound():
        if entry.protocol != "tcp":
            continue
        if entry.rate_limit:
            yield _tcp((*path, "rateLimit"), "rateLimit")
        for number, route in enumerate(entry.routes):
            given = (
                route.path,
                route.methods,
                route.headers,
                route.rewrite,
                route.set_headers,
                route.timeout,
                route.retries,
            )
            for key, value in zip(_REQUEST_KEYS, (*given, route.rate_limit), strict=True):
                if value:
                    yield _tcp((*path, "routes", number, key), key)
    for path, _, call in world.outbound():
        if call.protocol != "tcp":
            continue
        values = {
            "paths": call.paths,
            "methods": call.methods,
            "rewrite": call.rewrite,
            "setHeaders": call.set_headers,
            "timeout": call.timeout,
            "retries": call.retries,
            "rateLimit": call.rate_limit,
            "alias": call.alias,
            "token": call.token,
        }
        yield from (_tcp((*path, key), key) for key, value in values.items() if value)
    for name, application in world.applications.items():
        if all(port.protocol == "tcp" for port in application.ports.values()):
            yield from (_tcp(("applications", name, key), key) for key in _requests(application))


def _requests(application: Application) -> list[str]:
    values = {
        "timeout": application.timeout,
        "retries": application.retries,
        "fault": application.fault,
        "mirror": application.mirror,
        "routes": application.routes,
        "rateLimit": application.rate_limit,
        "maxRequestBytes": application.max_request_bytes,
        "endUsers": application.end_users,
    }
    return [key for key, value in values.items() if value]


def _tcp(place: Path, key: str) -> Finding:
    return Finding(
        place, f"{key} is about requests, and tcp has none", "take it away, or set a protocol that has requests"
    )


def grpc_paths(world: World) -> Iterator[Finding]:
    """Requests of gRPC are POSTs to `/package.Service/Method`; `{*}` stands for every method of a service."""
    for path, _, entry in world.inbound():
        if entry.protocol == "grpc":
            for number, route in enumerate(entry.routes):
                paths = () if route.path is None else (route.path,)
                yield from _grpc((*path, "routes", number), paths, route.methods, "path")
    for path, _, call in world.outbound():
        if call.protocol == "grpc":
            yield from _grpc(path, call.paths, call.methods, "paths")


def _grpc(place: Path, paths: Sequence[str], methods: Sequence[str], key: str) -> Iterator[Finding]:
    for number, path in enumerate(paths):
        if not _GRPC.fullmatch(path):
            where: Path = (*place, key, number) if key == "paths" else (*place, key)
            yield Finding(where, f"{path} is not a gRPC path", "write /package.Service/Method or /package.Service/{*}")
    if any(method != "POST" for method in methods):
        yield Finding((*place, "methods"), "gRPC requests are POSTs", "leave the methods away")


def rewrites(world: World) -> Iterator[Finding]:
    """A rewrite carries over the wildcards of its path in their order, or has none; and it has one path to rewrite."""
    for path, _, entry in world.inbound():
        for number, route in enumerate(entry.routes):
            yield from _rewrite((*path, "routes", number, "rewrite"), route.path, route.rewrite)
    for path, _, call in world.outbound():
        if call.rewrite is not None and len(call.paths) != 1 and call.protocol != "tcp":
            reason = f"{len(call.paths)} paths would be rewritten to one"
            yield Finding((*path, "rewrite"), reason, "give the entry exactly one path")
        elif call.rewrite is not None and call.paths:
            yield from _rewrite((*path, "rewrite"), call.paths[0], call.rewrite)
    for name, application in world.applications.items():
        for number, web in enumerate(application.web):
            yield from _rewrite(("applications", name, "web", number, "rewrite"), web.path, web.rewrite)
        for number, own in enumerate(application.routes):
            place: Path = ("applications", name, "routes", number, "rewrite")
            if own.rewrite is not None and own.match.path is None:
                yield Finding(place, "there is no path to rewrite", "add match.path")
            yield from _rewrite(place, own.match.path, own.rewrite)


def _rewrite(place: Path, path: str | None, rewrite: str | None) -> Iterator[Finding]:
    if path is None or rewrite is None:
        return
    old, new = PathTemplate(path).wildcards, PathTemplate(rewrite).wildcards
    if new and new != old:
        reason = f"its wildcards {' '.join(new)} are not those of the path ({' '.join(old) or 'none'})"
        yield Finding(place, reason, "repeat the path's wildcards in their order, or use none")


def matches(world: World) -> Iterator[Finding]:
    """An own route matches something: no method, path or header would be every request."""
    for name, application in world.applications.items():
        for number, route in enumerate(application.routes):
            match = route.match
            if not match.methods and match.path is None and not match.headers:
                place: Path = ("applications", name, "routes", number, "match")
                yield Finding(
                    place, "is empty, and empty never means all", 'say path: "/{**}" if every request is meant'
                )


def web_routes(world: World) -> Iterator[Finding]:
    """A path of a web host is served by one application; public ones make sense only beside those that are not."""
    seen: dict[tuple[str | None, str | None, str, str], str] = {}
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            place: Path = ("applications", name, "web", number)
            for method in route.methods or ("*",):
                key = (route.gateway, route.host, route.path, method)
                if key in seen:
                    yield Finding(
                        (*place, "path"), f"{route.path} is already served by {seen[key]}", "keep one of them"
                    )
                    break
                seen[key] = name
            if route.public and application.end_users is None:
                reason = f"{name} has no endUsers, so every route is public already"
                yield Finding((*place, "public"), reason, "add endUsers, or take public away")


def shares(world: World) -> Iterator[Finding]:
    """The weights of an application's versions add up to 100."""
    for name, application in world.applications.items():
        total = sum(version.weight for version in application.versions.values())
        if application.versions and total != 100:
            place: Path = ("applications", name, "versions")
            yield Finding(place, f"the weights add up to {total}", "make them add up to 100")


def faults(world: World) -> Iterator[Finding]:
    """Injected faults do something, and in prod they end: `until`."""
    prod = world.platform is not None and world.platform.environment == "prod"
    for name, application in world.applications.items():
        injected: list[tuple[Path, Fault | None]] = [(("fault",), application.fault)]
        injected += [(("routes", number, "fault"), route.fault) for number, route in enumerate(application.routes)]
        for part, fault in injected:
            place: Path = ("applications", name, *part)
            if fault is not None and fault.abort is None and fault.delay is None:
                yield Finding(place, "neither aborts nor delays", "add abort or delay")
            if fault is not None and prod and fault.until is None:
                yield Finding(
                    (*place, "until"), "is missing: a fault in prod needs an end", "add until: with the day it ends"
                )


def hashes(world: World) -> Iterator[Finding]:
    """A consistent hash is by exactly one of header, cookie and source address; other policies hash nothing."""
    found: list[tuple[Path, LoadBalancing | None, Protocol]] = [
        (("applications", name), app.load_balancing, "http") for name, app in world.applications.items()
    ]
    found += [(path, call.load_balancing, call.protocol) for path, _, call in world.outbound()]
    for path, balancing, _ in found:
        if balancing is None:
            continue
        place = (*path, "loadBalancing", "hash")
        hashed = balancing.hash
        count = sum(map(bool, (hashed.header, hashed.cookie, hashed.source_address))) if hashed is not None else 0
        if balancing.policy == "consistent-hash" and count != 1:
            reason = "a consistent hash is by exactly one of header, cookie and sourceAddress"
            yield Finding(place, reason, "give one of them")
        if balancing.policy != "consistent-hash" and hashed is not None:
            yield Finding(place, f"{balancing.policy} hashes nothing", "set policy: consistent-hash, or take hash away")


def policies(world: World) -> Iterator[Finding]:
    """A rule of a policy by hand has parts that say something, and CUSTOM alone has a provider."""
    for name, application in world.applications.items():
        for number, policy in enumerate(application.policies):
            place: Path = ("applications", name, "policies", number)
            if (policy.action == "CUSTOM") != (policy.provider is not None):
                reason = "a provider goes with action CUSTOM and only with it"
                yield Finding((*place, "provider"), reason, "name the extension provider, or change the action")
            for index, rule in enumerate(policy.rules):
                at = (*place, "rules", index)
                if not rule.source and not rule.operation and not rule.when:
                    yield Finding(at, "has no part, and would match everything", "add from, to or when")
                for key, parts in (("from", rule.source), ("to", rule.operation)):
                    for part, given in enumerate(parts):
                        if not any(value for _, value in given):
                            yield Finding((*at, key, part), "is empty, and empty never means all", "say who or what")
                for part, condition in enumerate(rule.when):
                    if not condition.values and not condition.not_values:
                        yield Finding((*at, "when", part, "values"), "is missing", "add values or notValues")


RULES: Final = {
    "inbound-route": inbound_routes,
    "tcp-request": tcp_has_no_requests,
    "grpc-path": grpc_paths,
    "rewrite": rewrites,
    "empty-match": matches,
    "web-route": web_routes,
    "weights": shares,
    "fault": faults,
    "consistent-hash": hashes,
    "policy": policies,
}

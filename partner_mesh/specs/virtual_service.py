"""An application's VirtualService inside the mesh: own routes first, then the shares of its versions."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.config.application import Application, Route
from partner_mesh.config.stack import Stack
from partner_mesh.config.traffic import Fault, HeaderChanges, Match, Retries
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.application import visible_to
from partner_mesh.specs.stack import application_host, owned


def virtual_services(stack: Stack, application: str, partner_gateways: tuple[str, ...]) -> tuple[Manifest, ...]:
    """The routing of callers' sidecars; none where an application says nothing about it."""
    declared = stack.applications[application]
    if not _says_something(declared):
        return ()
    host = application_host(stack, application)
    spec: dict[str, Any] = {
        "hosts": [host],
        "gateways": ["mesh"],
        "exportTo": visible_to(stack, application, partner_gateways),
    }
    protocols = {port.protocol for port in declared.ports.values()}
    if protocols - {"tcp"}:
        spec["http"] = [*(_own_route(declared, host, route) for route in declared.routes), _default(declared, host)]
    if "tcp" in protocols and declared.versions:
        spec["tcp"] = [
            {
                "match": [{"port": port.port}],
                "route": weighted(host, declared, port.port),
            }
            for port in declared.ports.values()
            if port.protocol == "tcp"
        ]
    labels = owned(application=application)
    return (Manifest(NETWORKING, "VirtualService", application, declared.namespace, labels, body={"spec": spec}),)


def _says_something(application: Application) -> bool:
    parts = (application.versions, application.mirror, application.fault, application.routes, application.timeout)
    return any(parts) or application.retries is not None


def _own_route(application: Application, host: str, route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {"match": [http_match(route.match)]}
    if route.rewrite is not None:
        found["rewrite"] = rewrite(route.match.path, route.rewrite)
    found |= _resilience(route.timeout or application.timeout, route.retries or application.retries)
    fault = route.fault or application.fault
    if fault is not None:
        found["fault"] = fault_injection(fault)
    if route.headers is not None:
        found["headers"] = {"request": header_changes(route.headers)}
    found["route"] = [destination(host, route.version)] if route.version else weighted(host, application)
    return found


def _default(application: Application, host: str) -> dict[str, Any]:
    found = _resilience(application.timeout, application.retries)
    if application.fault is not None:
        found["fault"] = fault_injection(application.fault)
    if application.mirror is not None:
        found["mirror"] = {"host": host, "subset": application.mirror.to}
        found["mirrorPercentage"] = {"value": application.mirror.percent}
    found["route"] = weighted(host, application)
    return found


def weighted(host: str, application: Application, port: int | None = None) -> list[dict[str, Any]]:
    """Destinations by the versions' shares; versions with a share of zero get no request and are left out."""
    shares = [(version, entry.weight) for version, entry in application.versions.items() if entry.weight > 0]
    if not shares:
        return [destination(host, port=port)]
    if len(shares) == 1:
        return [destination(host, shares[0][0], port)]
    return [destination(host, version, port) | {"weight": weight} for version, weight in shares]


def destination(host: str, version: str | None = None, port: int | None = None) -> dict[str, Any]:
    """One destination of a route."""
    found: dict[str, Any] = {"host": host}
    if version is not None:
        found["subset"] = version
    if port is not None:
        found["port"] = {"number": port}
    return {"destination": found}


def http_match(match: Match) -> dict[str, Any]:
    """An HTTPMatchRequest. The loader has refused a match without parts, which would match everything."""
    found: dict[str, Any] = {}
    if match.path is not None:
        found["uri"] = uri(match.path)
    if match.methods:
        found["method"] = methods(match.methods)
    if match.headers:
        found["headers"] = {header: {"exact": value} for header, value in match.headers.items()}
    return found


def uri(path: str) -> dict[str, str]:
    """A StringMatch for a path or template; Envoy matches the whole path without its query."""
    template = PathTemplate(path)
    return {"exact": path} if template.exact else {"regex": template.regex()}


def methods(names: tuple[str, ...]) -> dict[str, str]:
    """A StringMatch for some methods."""
    return {"exact": names[0]} if len(names) == 1 else {"regex": "|".join(names)}


def rewrite(path: str | None, target: str) -> dict[str, Any]:
    """HTTPRewrite from a path or template to another; the n-th wildcard is carried over to the n-th."""
    old, new = PathTemplate(path or "/{**}"), PathTemplate(target)
    if old.exact and new.exact:
        return {"uri": target}
    return {"uriRegexRewrite": {"match": old.regex(), "rewrite": new.substitution()}}


def retries_policy(retries: Retries) -> dict[str, Any]:
    """HTTPRetry. Zero attempts are said, since Istio's default is two."""
    found: dict[str, Any] = {"attempts": retries.attempts}
    if retries.attempts:
        if retries.per_try_timeout is not None:
            found["perTryTimeout"] = retries.per_try_timeout
        found["retryOn"] = ",".join(retries.on)
    return found


def fault_injection(fault: Fault) -> dict[str, Any]:
    """HTTPFaultInjection."""
    found: dict[str, Any] = {}
    if fault.delay is not None:
        found["delay"] = {"fixedDelay": fault.delay.duration, "percentage": {"value": fault.delay.percent}}
    if fault.abort is not None:
        found["abort"] = {"httpStatus": fault.abort.status, "percentage": {"value": fault.abort.percent}}
    return found


def header_changes(changes: HeaderChanges) -> dict[str, Any]:
    """HeaderOperations, without empty parts."""
    written = {name: literal(value) for name, value in changes.set.items()}
    parts: Mapping[str, Any] = {"set": written, "remove": list(changes.remove)}
    return {name: value for name, value in parts.items() if value}


def literal(value: str) -> str:
    """A header's value in which nothing is an operator of Envoy's: `%ENVIRONMENT(…)%` would read a token's Secret."""
    return value.replace("%", "%%")


def _resilience(timeout: str | None, retries: Retries | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if timeout is not None:
        found["timeout"] = timeout
    if retries is not None:
        found["retries"] = retries_policy(retries)
    return found

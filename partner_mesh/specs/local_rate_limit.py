"""Local rate limits and request sizes, at the proxy of what they protect.

There is no Istio API for them: EnvoyFilters put Envoy's own filters (`envoy.filters.http.local_ratelimit`,
`envoy.filters.http.buffer`) directly before the router, so behind authorisation: what is refused there must not use up
the bucket of those who are admitted. (`filterClass` would say that, but istiod 1.31 does not read it, and `ADD` puts a
filter behind the router: `patchHTTPFilters`, listener_patch.go.) Each pod counts for itself. A limit of some requests
is a descriptor with a bucket of its own; what matches none counts against the bucket of all, if there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from partner_mesh.config.base import seconds
from partner_mesh.config.stack import Stack
from partner_mesh.config.traffic import Match, RateLimit
from partner_mesh.model import Manifest
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.stack import owned

API: Final = "networking.istio.io/v1alpha3"  # EnvoyFilter has no other version
Context = Literal["SIDECAR_INBOUND", "GATEWAY"]
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"
_UNLIMITED: Final = {"max_tokens": 4294967295, "tokens_per_fill": 4294967295, "fill_interval": "1s"}
_ALWAYS: Final = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


@dataclass(frozen=True, slots=True)
class Limited:
    """Requests that share a bucket: those that match, of a host if one is given. Paths are those the proxy sees."""

    limit: RateLimit
    match: Match
    host: str | None = None


def of_application(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """The limits of an application and of its own routes, and its greatest request."""
    declared = stack.applications[application]
    limited = [Limited(route.rate_limit, route.match) for route in declared.routes if route.rate_limit is not None]
    labels = owned(application=application)
    found = []
    if declared.rate_limit is not None or limited:
        name, limit = f"{application}-rate-limit", declared.rate_limit
        found.append(rate_limit_filter(stack, application, name, labels=labels, limit=limit, limited=limited))
    if declared.max_request_bytes is not None:
        found.append(request_size_filter(stack, application, declared.max_request_bytes))
    return tuple(found)


def rate_limit_filter(
    stack: Stack,
    application: str,
    name: str,
    *,
    labels: Mapping[str, str],
    limit: RateLimit | None = None,
    limited: Sequence[Limited] = (),
) -> Manifest:
    """The filter at an application's sidecars."""
    value = {"name": f"{name}.local_ratelimit", "typed_config": buckets(name, limit=limit, limited=limited)}
    namespace = stack.applications[application].namespace
    return inserted("SIDECAR_INBOUND", namespace, {"app": application}, name=name, labels=labels, value=value)


def request_size_filter(stack: Stack, application: str, most: int) -> Manifest:
    """Requests with a longer body get 413. The body is held until it is whole: streams do not bear that."""
    name, namespace = f"{application}-request-size", stack.applications[application].namespace
    typed = {"@type": f"{_TYPE}.buffer.v3.Buffer", "max_request_bytes": most}
    value = {"name": f"{name}.buffer", "typed_config": typed}
    labels = owned(application=application)
    return inserted("SIDECAR_INBOUND", namespace, {"app": application}, name=name, labels=labels, value=value)


def buckets(name: str, *, limit: RateLimit | None = None, limited: Sequence[Limited] = ()) -> dict[str, Any]:
    """Envoy's LocalRateLimit: one bucket for all requests (or none), and one for each group of requests."""
    value: dict[str, Any] = {
        "@type": f"{_TYPE}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": name.replace("-", "_").replace(".", "_"),
        "token_bucket": bucket(limit) if limit is not None else dict(_UNLIMITED),
        "filter_enabled": {"runtime_key": f"{name}.enabled", **_ALWAYS},
        "filter_enforced": {"runtime_key": f"{name}.enforced", **_ALWAYS},
    }
    if limited:
        value["rate_limits"] = [{"actions": [_counted_as(index, each)]} for index, each in enumerate(limited)]
        value["descriptors"] = [
            {"entries": [{"key": "group", "value": str(index)}], "token_bucket": bucket(each.limit)}
            for index, each in enumerate(limited)
        ]
    return value


def bucket(limit: RateLimit) -> dict[str, Any]:
    """A token bucket. Envoy refills no more often than every 50 ms."""
    interval = max(seconds(limit.per), 0.05)
    return {
        "max_tokens": limit.burst or limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": f"{interval:g}s",
    }


def _counted_as(index: int, limited: Limited) -> dict[str, Any]:
    return {
        "header_value_match": {
            "descriptor_key": "group",
            "descriptor_value": str(index),
            "headers": header_matchers(limited),
        }
    }


def header_matchers(limited: Limited) -> list[dict[str, Any]]:
    """Envoy's HeaderMatchers; `:path` has the query with it. Raises ValueError for a group without any."""
    match, found = limited.match, []
    if limited.host is not None:
        found.append(_regex(":authority", f"{limited.host.replace('.', '[.]')}(:[0-9]+)?"))
    if match.path is not None:
        found.append(_regex(":path", f"{PathTemplate(match.path).regex()}([?].*)?"))
    if match.methods:
        found.append(_regex(":method", "|".join(match.methods)))
    found += [{"name": header, "string_match": {"exact": value}} for header, value in match.headers.items()]
    if not found:
        raise ValueError("a rate limit for no condition would count every request")
    return found


def _regex(header: str, expression: str) -> dict[str, Any]:
    return {"name": header, "string_match": {"safe_regex": {"regex": expression}}}


def inserted(
    context: Context,
    namespace: str,
    pods: Mapping[str, str],
    *,
    name: str,
    labels: Mapping[str, str],
    value: Mapping[str, Any],
) -> Manifest:
    """An EnvoyFilter that puts an HTTP filter before the router, at the proxies of pods with these labels."""
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "subFilter": {"name": "envoy.filters.http.router"},
    }
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": context, "listener": {"filterChain": {"filter": manager}}},
        "patch": {"operation": "INSERT_BEFORE", "value": dict(value)},
    }
    spec = {"workloadSelector": {"labels": dict(pods)}, "configPatches": [patch]}
    return Manifest(API, "EnvoyFilter", name, namespace, dict(labels), body={"spec": spec})

"""Local rate limits and request sizes, at the sidecar of the application that they protect.

There is no Istio API for them: EnvoyFilters add Envoy's own filters (`envoy.filters.http.local_ratelimit`,
`envoy.filters.http.buffer`) behind authorisation. Each pod counts for itself. A limit of one route is a descriptor
with a bucket of its own; requests that match none are counted against the application's bucket, if it has one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partner_mesh.config.base import seconds
from partner_mesh.config.stack import Stack
from partner_mesh.config.traffic import Match, RateLimit
from partner_mesh.model import Manifest
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.stack import owned, selector

API: Final = "networking.istio.io/v1alpha3"  # EnvoyFilter has no other version
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"
_UNLIMITED: Final = {"max_tokens": 4294967295, "tokens_per_fill": 4294967295, "fill_interval": "1s"}
_ALWAYS: Final = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


@dataclass(frozen=True, slots=True)
class Limited:
    """Requests that share a bucket: those that match, of a host if one is given."""

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
    """A filter with one bucket for all requests (or none) and one for each group of requests."""
    value: dict[str, Any] = {
        "@type": f"{_TYPE}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": name.replace("-", "_"),
        "token_bucket": bucket(limit) if limit is not None else dict(_UNLIMITED),
        "filter_enabled": {"runtime_key": f"{name}.enabled", **_ALWAYS},
        "filter_enforced": {"runtime_key": f"{name}.enforced", **_ALWAYS},
    }
    if limited:
        value["rate_limits"] = [
            {
                "actions": [
                    {
                        "header_value_match": {
                            "descriptor_key": "group",
                            "descriptor_value": str(index),
                            "headers": header_matchers(each),
                        }
                    }
                ]
            }
            for index, each in enumerate(limited)
        ]
        value["descriptors"] = [
            {"entries": [{"key": "group", "value": str(index)}], "token_bucket": bucket(each.limit)}
            for index, each in enumerate(limited)
        ]
    return _inserted(stack, application, name, labels, {"name": f"{name}.local_ratelimit", "typed_config": value})


def request_size_filter(stack: Stack, application: str, most: int) -> Manifest:
    """Requests with a longer body get 413. The body is held until it is whole: streams do not bear that."""
    value = {"@type": f"{_TYPE}.buffer.v3.Buffer", "max_request_bytes": most}
    name, labels = f"{application}-request-size", owned(application=application)
    return _inserted(stack, application, name, labels, {"name": f"{name}.buffer", "typed_config": value})


def bucket(limit: RateLimit) -> dict[str, Any]:
    """A token bucket. Envoy refills no more often than every 50 ms."""
    interval = max(seconds(limit.per), 0.05)
    return {
        "max_tokens": limit.burst or limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": f"{interval:g}s",
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


def _inserted(
    stack: Stack, application: str, name: str, labels: Mapping[str, str], value: Mapping[str, Any]
) -> Manifest:
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_INBOUND",
        },
        # After authorisation: what is refused there must not use up the bucket of those who are admitted.
        "patch": {"operation": "ADD", "filterClass": "AUTHZ", "value": dict(value)},
    }
    spec = {"workloadSelector": {"labels": selector(application)["matchLabels"]}, "configPatches": [patch]}
    namespace = stack.applications[application].namespace
    return Manifest(API, "EnvoyFilter", name, namespace, dict(labels), body={"spec": spec})

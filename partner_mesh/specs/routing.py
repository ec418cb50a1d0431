"""How partners' requests are routed on: rewrites and what they lead to, headers that must not cross the border."""

from typing import Any, Final

from partner_mesh.config.traffic import HeaderChanges, Retries
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.virtual_service import literal, retries_policy

# An ALB that ends mutual TLS tells the client's certificate in these (AWS, "Mutual authentication with TLS in
# Application Load Balancer"). Nobody in front of a partner gateway sets them, so whoever sends them lies.
FORGED_HEADERS: Final = (
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-leaf",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
)
# What the mesh adds to a request and no outside company should read: our identities, addresses and trace ids.
INTERNAL_HEADERS: Final = (
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
)
# Without a word in the configuration only that is sent again which surely nobody has seen: a charge made twice is
# worse than an error. Istio's default would also repeat on the gRPC states `unavailable` and `cancelled`.
UNSEEN: Final = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}


def retries(declared: Retries | None) -> dict[str, Any]:
    """HTTPRetry, always said."""
    return dict(UNSEEN) if declared is None else retries_policy(declared)


def request_headers(changes: HeaderChanges | None, strip: tuple[str, ...]) -> dict[str, Any]:
    """HeaderOperations of a request that crosses the border: what is stripped always, and what the entry asks for."""
    found: dict[str, Any] = {}
    if changes is not None and changes.set:
        found["set"] = {name: literal(value) for name, value in changes.set.items()}
    wanted = changes.remove if changes is not None else ()
    found["remove"] = list(dict.fromkeys((*strip, *wanted)))
    return found


def image(path: str, rewrite: str | None) -> str:
    """What a path or template becomes: all paths that the rewrite can lead to, and no other, as a template.

    Raises ValueError where no template says that exactly; the loader has refused it before.
    """
    if rewrite is None:
        return path
    old, new = PathTemplate(path), PathTemplate(rewrite)
    if new.wildcards != old.wildcards[: len(new.wildcards)]:
        raise ValueError(f"{path} → {rewrite}: the wildcards of a rewrite are the first of its path's, in order")
    return rewrite


def below(prefix: str, path: str) -> str:
    """A path as it is written below an alias' prefix (`/acme/`)."""
    return prefix.rstrip("/") + path

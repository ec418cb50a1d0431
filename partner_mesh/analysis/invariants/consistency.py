"""One out of step: what every other route, namespace or group of its kind does, and this one does not."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.invariants.facts import INTERNET, Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.mesh_config import NETWORKING
from partner_mesh.analysis.resources import Resource
from partner_mesh.model.names import MANAGED_BY, MANAGED_BY_LABEL

_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_ENOUGH: Final = 3  # of fewer routes it cannot be told who is out of step
# Headers that say one thing together: who removes one of them means all. What a load balancer of AWS says of a client's
# certificate (Elastic Load Balancing, "Mutual authentication with TLS"), and what traces are continued by (B3, W3C).
_FAMILIES: Final = (
    frozenset(f"x-amzn-mtls-clientcert{part}" for part in ("", "-issuer", "-leaf", "-serial-number", "-subject",
                                                          "-validity")),
    frozenset(("b3", "x-b3-flags", "x-b3-parentspanid", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid")),
    frozenset(("traceparent", "tracestate")),
)  # fmt: skip
# What proxies tell each other of a request (Envoy, "HTTP header manipulation"; Istio's metadata exchange): who removes
# most of it at a border means all.
_INSIDE: Final = frozenset((
    "x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-proto", "x-request-id",
    *(f"x-envoy-{each}" for each in ("attempt-count", "decorator-operation", "expected-rq-timeout-ms",
                                     "external-address", "internal", "original-path", "peer-metadata",
                                     "peer-metadata-id")),
))  # fmt: skip
# What tells browsers to be careful (OWASP Secure Headers Project): who sets most of them is asked about the others.
_CAREFUL: Final = frozenset((
    "strict-transport-security", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
    "cross-origin-opener-policy",
))  # fmt: skip


def headers_alike(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A header that tells the inside, or that a caller may forge, is removed at a gateway by every route or by none.

    Which headers those are is read off the gateway's other routes: what most of them remove or set, all of them do.
    """
    by_gateway: dict[str, list[tuple[Resource, int, frozenset[str]]]] = {}
    for resource in facts.world.of(NETWORKING, "VirtualService"):
        gateways = [each for each in resource.spec.get("gateways") or () if each != "mesh"]
        if gateways and "mesh" not in (resource.spec.get("gateways") or ()):
            for index, route in enumerate(resource.spec.get("http") or ()):
                if isinstance(route, Mapping) and route.get("route"):
                    by_gateway.setdefault(resource.namespace, []).append((resource, index, _headers(route)))
    for routes in by_gateway.values():
        for resource, index, said in routes:
            if halves := sorted(_halves(said)):
                reason = f"http route {index} does not {'; '.join(halves[:3])}, but removes what says the same"
                yield invariant.at(resource, reason, "remove all headers of a family")
            careful = {f"set response header {each}" for each in _CAREFUL}
            if len(careful) < 2 * len(careful & said) < 2 * len(careful):
                reason = f"http route {index} does not {'; '.join(sorted(careful - said))}, but sets its like"
                yield invariant.at(resource, reason, "set them all, or agree on the exception", Severity.INFO)
        if len(routes) < _ENOUGH:
            continue
        count = Counter(each for _, _, said in routes for each in said)
        usual = [each for each, number in count.items() if 2 * number > len(routes)]
        for resource, index, said in routes:
            missing = [each for each in usual if each not in said]
            if missing:
                yield invariant.at(
                    resource,
                    f"http route {index} does not {'; '.join(missing[:3])}, as the other routes of its gateway do",
                    "give every route of a gateway the same headers",
                )


def _halves(said: frozenset[str]) -> Iterator[str]:
    """What is left of a family of which something is removed, or of the inside's of which most is."""
    for family in _FAMILIES:
        wanted = {f"remove request header {each}" for each in family}
        if wanted & said:
            yield from wanted - said
    inside = {f"remove request header {each}" for each in _INSIDE}
    if 2 * len(inside & said) > len(inside):
        yield from inside - said


def _headers(route: Mapping[str, Any]) -> frozenset[str]:
    found: list[str] = []
    headers = route.get("headers")
    for side in ("request", "response"):
        said = headers.get(side) if isinstance(headers, Mapping) else None
        if isinstance(said, Mapping):
            found += [f"remove {side} header {str(each).lower()}" for each in said.get("remove") or ()]
            found += [f"set {side} header {str(each).lower()}" for each in said.get("set") or ()]
    return frozenset(found)


def pods_restricted(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A pod with NET_ADMIN, or on its node's network, goes round its sidecar."""
    managed = [each for each in facts.world.of("", "Namespace") if each.labels.get(MANAGED_BY_LABEL) == MANAGED_BY]
    if not any(_ENFORCE in each.labels for each in managed):
        return
    for resource in managed:
        if resource.labels.get(_ENFORCE) not in ("restricted", "baseline", "privileged"):
            yield invariant.at(
                resource, f"has no {_ENFORCE}: pods may go round their sidecar", f"label it {_ENFORCE}: restricted"
            )


def groups_closed(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A group that no pod holds is a load balancer's, a node's or the control plane's; only the first faces outwards.

    A load balancer's is one that lets traffic out to groups of pods alone.
    """
    held = {name for endpoint in facts.world.workloads for name in facts.groups.groups_of(endpoint)}
    for name, group in facts.groups.unheld():
        balancer = bool(group.egress) and all(
            rule.groups and rule.groups <= held and not rule.addresses for rule in group.egress
        )
        if balancer:
            continue
        for rule in group.ingress:
            if rule.addresses & INTERNET:
                yield invariant.at(
                    group.resource,
                    f"{name} admits {rule.addresses & INTERNET} on {rule.ports}, and is no load balancer's",
                    "admit groups, or the network's own addresses",
                )


INVARIANTS: Final = (
    Invariant("PM036-headers", Severity.WARNING, "Routes of one gateway treat headers alike", headers_alike),
    Invariant("PM037-pod-security", Severity.WARNING, "No pod goes round its sidecar", pods_restricted),
    Invariant(
        "PM038-group-open", Severity.ERROR, "Nodes and the control plane admit nobody from outside", groups_closed
    ),
)

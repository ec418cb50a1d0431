"""What a partner may ask, said where it is enforced.

At the application's sidecar: one ALLOW a partner and application. The caller is the gateway (its principal), the
client's address is the one that the gateway forwards (`remoteIpBlocks`: `ipBlocks` would see the gateway), the host is
the original one, the path is the one after rewrite. Gateways carry no policy a partner, so they stay linear, and a
revocation holds from the next request on open connections too (design, `lab.md` faults 3 and 4).

At the gateway, where `enforceAt: edge` asks for it, in addition: one ALLOW an entry, of its addresses and its host.
Methods, paths and headers are its routes' there, which name exactly those; Envoy answers 404 to all else before it
travels inside. istiod writes a gateway's policies into the filter chain of every server, so a word here stands there
as often as partners squared (docs/adr/0011). Never principals: behind MUTUAL the principal is what a partner's CA has
signed, `spiffe://cluster.local/...` included.

TCP has no X-Forwarded-For, so a sidecar cannot know the client's address. The gateway enforces it in every case: the
static ALLOW of its port speaks of paths, which Istio leaves out of TCP filter chains (builder.go, `skipped rule on TCP
filter chain`), so a TCP entry's own ALLOW is the only one there and its absence refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from partner_mesh.config.partner import Inbound, InboundRoute, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import SECURITY, gateway_namespace
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.routing import image
from partner_mesh.specs.shards import Shard
from partner_mesh.specs.stack import GATEWAY_TARGET_PORT, application_port, gateway_principal, owned, selector

GRPC_METHODS: Final = ("POST",)  # every gRPC call is one


def own_port(gateway: str) -> Manifest:
    """The static ALLOW of a partner gateway: every request on its port, judged further by the applications."""
    operation = {"ports": [str(GATEWAY_TARGET_PORT)], "paths": ["/*"]}
    return allow("own-port", gateway_namespace(gateway), {"istio": gateway}, owned(gateway=gateway), [
        {"to": [{"operation": operation}]},
    ])  # fmt: skip


def application_policies(
    stack: Stack, partner: Partner, served: Sequence[tuple[Inbound, Shard]]
) -> tuple[Manifest, ...]:
    """One ALLOW for each application that the partner reaches, in order of first mention."""
    rules: dict[str, list[dict[str, Any]]] = {}
    for entry, shard in served:
        for application in dict.fromkeys(route.application for route in entry.routes):
            rules.setdefault(application, []).extend(application_rules(stack, entry, shard, application))
    return tuple(
        allow(
            f"{partner.name}.{application}",
            stack.applications[application].namespace,
            selector(application)["matchLabels"],
            owned(partner=partner.name, application=application),
            found,
        )
        for application, found in rules.items()
    )


def application_rules(stack: Stack, entry: Inbound, shard: Shard, application: str) -> list[dict[str, Any]]:
    """What one entry admits to one application; routes that differ in nothing but their paths share a rule."""
    principal = gateway_principal(stack, shard.name)
    if entry.protocol == "tcp":
        ports = [str(application_port(stack, r.application, r.port).target) for r in entry.routes]
        operation = {"ports": list(dict.fromkeys(ports))}
        return [{"from": [{"source": {"principals": [principal]}}], "to": [{"operation": operation}]}]
    ranges = () if entry.any_source else entry.source_ranges
    paths: dict[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], dict[str, None]] = {}
    for route in entry.routes:
        if route.application == application and route.path is not None:
            port = str(application_port(stack, application, route.port).target)
            key = port, operation_methods(entry, route), headers_at_the_application(route)
            paths.setdefault(key, {})[image(route.path, route.rewrite)] = None
    return [
        request_rule(
            {"principals": (principal,), "remoteIpBlocks": ranges},
            entry.host,
            port,
            methods=methods,
            paths=tuple(found),
            headers=headers,
        )
        for (port, methods, headers), found in paths.items()
    ]


def edge_policy(partner: Partner, entry: Inbound, shard: Shard) -> tuple[Manifest, ...]:
    """An entry's ALLOW at the gateway: of TCP always, of requests with `enforceAt: edge`."""
    port = str(GATEWAY_TARGET_PORT)
    # The direct peer is the client: the load balancer passes TCP on with its address, and no proxy stands between.
    source = {"ipBlocks": () if entry.any_source else entry.source_ranges}
    if entry.protocol == "tcp":
        rule = _from(source)
        rule["to"] = [{"operation": {"ports": [port]}}]
        rule["when"] = [{"key": "connection.sni", "values": [entry.host]}]
    elif shard.enforce_at == "edge":
        rule = _from(source)
        rule["to"] = [{"operation": _operation(entry.host, port)}]
    else:
        return ()
    name, labels = entry_name(partner.name, entry.label), owned(partner=partner.name)
    return (allow(name, gateway_namespace(shard.name), {"istio": shard.name}, labels, [rule]),)


def request_rule(
    source: Mapping[str, Sequence[str]],
    host: str,
    port: str,
    *,
    methods: tuple[str, ...],
    paths: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
) -> dict[str, Any]:
    """A rule for requests. Without addresses it admits every one: said by `anySource` and by nothing else."""
    operation = _operation(host, port)
    if methods:
        operation["methods"] = list(methods)
    operation["paths"] = list(paths)
    rule = _from(source)
    rule["to"] = [{"operation": operation}]
    conditions = [
        {"key": f"request.headers[{header}]", "values": [value]}
        for header, value in headers
        # A star at an end is a pattern in a policy and a plain character in a route: no exact condition says it.
        if not value.startswith("*") and not value.endswith("*")
    ]
    if conditions:
        rule["when"] = conditions
    return rule


def _operation(host: str, port: str) -> dict[str, Any]:
    """Requests for a host, with or without a port behind it."""
    return {"hosts": [host, f"{host}:*"], "ports": [port]}


def _from(source: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The beginning of a rule: its source, without the parts that are open."""
    given = {part: list(values) for part, values in source.items() if values}
    return {"from": [{"source": given}]} if given else {}


def operation_methods(entry: Inbound, route: InboundRoute) -> tuple[str, ...]:
    """The methods of a route; none means that the configuration leaves them open."""
    return route.methods or (GRPC_METHODS if entry.protocol == "grpc" else ())


def headers_at_the_application(route: InboundRoute) -> tuple[tuple[str, str], ...]:
    """The headers that a route asks for, as the sidecar reads them: the gateway may have set or removed some."""
    changes = route.set_headers
    written = changes.set if changes is not None else {}
    removed = changes.remove if changes is not None else ()
    return tuple(
        (header, written.get(header, value))
        for header, value in route.headers.items()
        if header in written or header not in removed  # Envoy removes first and sets then
    )


def reached_applications(stack: Stack, entries: Sequence[Inbound]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Applications that some entries lead to, and on which pod ports."""
    ports: dict[str, dict[int, None]] = {}
    for entry in entries:
        for route in entry.routes:
            target = application_port(stack, route.application, route.port).target
            ports.setdefault(route.application, {})[target] = None
    yield from ((application, tuple(found)) for application, found in ports.items())


def allow(
    name: str, namespace: str, pods: dict[str, str], labels: dict[str, str], rules: Sequence[dict[str, Any]]
) -> Manifest:
    """An ALLOW for some pods. Raises ValueError for a rule that says nothing: it would admit everything."""
    if not rules or not all(rules):
        raise ValueError(f"AuthorizationPolicy {namespace}/{name}: an empty rule admits everything")
    spec = {"selector": {"matchLabels": dict(pods)}, "action": "ALLOW", "rules": list(rules)}
    return Manifest(SECURITY, "AuthorizationPolicy", name, namespace, labels, body={"spec": spec})

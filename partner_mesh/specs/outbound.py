"""How a request leaves the mesh for a partner's host.

A workload calls the partner's own host over plain HTTP. Its sidecar captures the call and hands it to the egress
gateway over mesh mTLS; the gateway originates TLS towards the partner, with our client certificate where the partner
asks for one. One server takes all partners' requests: a server for each would grow listeners with the square of their
number (design, `lab.md`). Opaque TCP has no Host to tell partners apart, so each of those has a server chosen by SNI,
on a port beside (`outbound_tcp.py`).

Everything of an entry lives in the egress gateway's namespace. Its callers' namespaces learn one object of it, the
capture; the host itself is known to the gateway alone (docs/adr/0024).
"""

from dataclasses import replace
from typing import Any, Final

from partner_mesh.config.partner import Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, TELEMETRY, gateway_namespace
from partner_mesh.specs import network_policy, outbound_token
from partner_mesh.specs.captured_port import CAPTURED_PORT, NO_ADDRESS
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.external_destination import credential, external_destination
from partner_mesh.specs.outbound_authorization import consumer_binding, internet, to_egress_gateway
from partner_mesh.specs.outbound_tcp import tcp_objects
from partner_mesh.specs.partner_limits import outbound_limit
from partner_mesh.specs.routing import INTERNAL_HEADERS, UNSEEN, below, request_headers, retries
from partner_mesh.specs.stack import GATEWAY_SERVICE_PORT, gateway_host, owned
from partner_mesh.specs.virtual_service import destination, rewrite, uri

PARTNER_PORT: Final = 443


def egress_gateway_objects(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """What an egress gateway has before any partner: its server, the way to it, and its way out."""
    namespace, labels = gateway_namespace(gateway), owned(gateway=gateway)
    server = {
        "port": {"number": GATEWAY_SERVICE_PORT, "name": "https", "protocol": "HTTPS"},
        "hosts": [f"{namespace}/*"],
        "tls": {"mode": "ISTIO_MUTUAL"},
    }
    static = {"selector": {"istio": gateway}, "servers": [server]}
    return (
        Manifest(NETWORKING, "Gateway", gateway, namespace, labels, body={"spec": static}),
        way_to_gateway(gateway),
        no_trace_outside(gateway),
        network_policy.egress_gateway_policy(gateway, [PARTNER_PORT]),
    )


def way_to_gateway(gateway: str) -> Manifest:
    """Mutual TLS from every sidecar to the egress gateway; HTTP/2 callers stay HTTP/2, which gRPC needs.

    Exported to all: partners' rules for their TCP servers merge into this one only with the same `exportTo`
    (`mergeDestinationRule`, pilot/pkg/model/destination_rule.go).
    """
    spec = {
        "host": gateway_host(gateway),
        "exportTo": ["*"],
        "trafficPolicy": {
            "connectionPool": {"http": {"useClientProtocol": True}},
            "tls": {"mode": "ISTIO_MUTUAL", "sni": gateway_host(gateway)},
        },
    }
    namespace, labels = gateway_namespace(gateway), owned(gateway=gateway)
    return Manifest(NETWORKING, "DestinationRule", gateway, namespace, labels, body={"spec": spec})


def no_trace_outside(gateway: str) -> Manifest:
    """No trace ids leave with requests; spans are still reported.

    Routes remove what the application sent, but Envoy injects its own context after it has removed headers
    (`UpstreamRequest`, envoy source/common/router/upstream_request.cc), so removal alone does not hold. The field is
    Istio's since 1.30; provider and sampling stay those of the mesh, from which this inherits.
    """
    spec = {"selector": {"matchLabels": {"istio": gateway}}, "tracing": [{"disableContextPropagation": True}]}
    namespace, labels = gateway_namespace(gateway), owned(gateway=gateway)
    return Manifest(TELEMETRY, "Telemetry", "no-trace-outside", namespace, labels, body={"spec": spec})


def outbound(stack: Stack, partner: Partner) -> tuple[Manifest, ...]:
    """All objects of a partner's outbound entries, in the order in which they are of use."""
    found: list[Manifest] = []
    for entry in partner.outbound:
        found += credential(stack, partner, entry)
        if entry.protocol == "tcp":
            found += tcp_objects(stack, partner, entry)
        else:
            found.append(service_entry(stack, partner, entry))
            found.append(external_destination(stack, partner, entry))
            found.append(exit_route(stack, partner, entry))
            if entry.alias is not None:
                found.append(alias_exit_route(stack, partner, entry))
            found.append(capture_route(stack, partner, entry))
        found.append(consumer_binding(stack, partner, entry))
        found += outbound_limit(stack, partner, entry)
    return (*found, *to_egress_gateway(stack, partner), *internet(stack, partner))


def caller_namespaces(stack: Stack, entry: Outbound) -> list[str]:
    """The namespaces that learn of an entry, in declared order, each once."""
    return list(dict.fromkeys(stack.applications[caller].namespace for caller in entry.callers))


def service_entry(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """The partner's host, known to the egress gateway alone: nobody else asks for it by an address of the mesh."""
    spec = {
        "hosts": [entry.host],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "exportTo": ["."],
        "ports": [{"number": entry.port, "name": "https", "protocol": "HTTPS"}],
    }
    found = _networking(stack, partner, entry, "ServiceEntry", spec=spec)
    return replace(found, labels={**found.labels, **NO_ADDRESS})


def capture_route(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """From a caller's sidecar to the egress gateway, with the path as the application sends it.

    The sidecar knows no service of this host. On port 80 it takes routes for such hosts, too (`serviceByPort[80]` in
    `buildSidecarVirtualHostsForVirtualService`, istio pilot/pkg/networking/core/route/route.go). So it has no cluster
    by which a call could leave past the gateway, not even where this object is missing.
    """
    gateway = stack.outbound_gateway(entry)
    spec = {
        "hosts": [entry.host],
        "gateways": ["mesh"],
        "exportTo": caller_namespaces(stack, entry),
        "http": [to_gateway(gateway, CAPTURED_PORT)],
    }
    return _networking(stack, partner, entry, "VirtualService", spec=spec, suffix=".capture")


def to_gateway(gateway: str, port: int) -> dict[str, Any]:
    """What is called on a port goes to the gateway; it alone repeats calls to the partner, or tries would multiply."""
    return {
        "match": [{"port": port}],
        "retries": dict(UNSEEN),
        "route": [destination(gateway_host(gateway), port=GATEWAY_SERVICE_PORT)],
    }


def exit_route(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """From the egress gateway to the partner, without the headers that tell the partner who we are inside.

    What may be asked is the policy's business; paths are matched here only where they are rewritten.
    """
    if entry.rewrite is None:
        routes = [_exit(partner, entry, {})]
    else:
        routes = [
            _exit(partner, entry, {"match": [{"uri": uri(path)}], "rewrite": rewrite(path, entry.rewrite)})
            for path in entry.paths
        ]
    spec = _at_gateway(stack, partner, entry, entry.host, routes)
    return _networking(stack, partner, entry, "VirtualService", spec=spec, suffix=".exit")


def alias_exit_route(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """The same for requests to the internal alias: the prefix goes, the partner's authority comes.

    Many partners share the alias' host. A gateway joins the routes of all VirtualServices of one host
    (`buildGatewayHTTPRouteConfig`, pilot/pkg/networking/core/gateway.go), which a sidecar does not: so each partner
    brings its own routes here, and nothing shared names a partner (docs/adr/0020).
    """
    if entry.alias is None:
        raise ValueError(f"{entry.host} has no alias")
    if entry.rewrite is None:
        matches: list[dict[str, Any]] = [{"match": [{"uri": {"prefix": entry.alias.prefix}}], "rewrite": {"uri": "/"}}]
    else:
        matches = [
            {
                "match": [{"uri": uri(below(entry.alias.prefix, path))}],
                "rewrite": rewrite(below(entry.alias.prefix, path), entry.rewrite),
            }
            for path in entry.paths
        ]
    routes = [
        _exit(partner, entry, match | {"rewrite": {**match["rewrite"], "authority": entry.host}}) for match in matches
    ]
    spec = _at_gateway(stack, partner, entry, entry.alias.host, routes)
    return _networking(stack, partner, entry, "VirtualService", spec=spec, suffix=".alias")


def _exit(partner: Partner, entry: Outbound, match: dict[str, Any]) -> dict[str, Any]:
    headers = request_headers(entry.set_headers, INTERNAL_HEADERS)
    if token := outbound_token.header(partner, entry):
        headers = {"set": headers.get("set", {}) | token, "remove": headers["remove"]}
    found = match | {"headers": {"request": headers}}
    if entry.timeout is not None:
        found["timeout"] = entry.timeout
    found["retries"] = retries(entry.retries)
    found["route"] = [destination(entry.host, port=entry.port)]
    return found


def _at_gateway(
    stack: Stack, partner: Partner, entry: Outbound, host: str, routes: list[dict[str, Any]]
) -> dict[str, Any]:
    gateway = stack.outbound_gateway(entry)
    gateways = [f"{gateway_namespace(gateway)}/{gateway}"]
    # A route's name is the `partner` of metrics and of the access log (telemetry.of_gateway).
    named = [{"name": partner.name, **route} for route in routes]
    return {"hosts": [host], "gateways": gateways, "exportTo": ["."], "http": named}


def _networking(
    stack: Stack, partner: Partner, entry: Outbound, kind: str, *, spec: dict[str, Any], suffix: str = ""
) -> Manifest:
    name = entry_name(partner.name, entry.label) + suffix
    namespace = gateway_namespace(stack.outbound_gateway(entry))
    return Manifest(NETWORKING, kind, name, namespace, owned(partner=partner.name), body={"spec": spec})

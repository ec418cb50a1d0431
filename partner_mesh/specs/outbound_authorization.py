"""Who may call a partner: bound at the egress gateway by identity, and by address at both ends of the way to it.

The egress gateway has one server for all, so one ALLOW an entry stays linear. Paths are those that the application
sends: the exit's rewrite comes after. REGISTRY_ONLY is no firewall, and a sidecar can be bypassed; the NetworkPolicies
hold then, too.
"""

from typing import Any

from partner_mesh.config.partner import Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.inbound_authorization import GRPC_METHODS, allow
from partner_mesh.specs.network_policy import NOT_INTERNET, block, pods, policy, rule
from partner_mesh.specs.outbound_tcp import EGRESS_TLS_PORT
from partner_mesh.specs.routing import below
from partner_mesh.specs.stack import GATEWAY_TARGET_PORT, application_principal, owned, selector


def consumer_binding(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """One ALLOW an entry: its callers, by host and by alias."""
    gateway = stack.outbound_gateway(entry)
    callers = {"source": {"principals": [application_principal(stack, caller) for caller in entry.callers]}}
    rules: list[dict[str, Any]]
    if entry.protocol == "tcp":
        server = [{"key": "connection.sni", "values": [entry.host]}]
        rules = [{"from": [callers], "to": [{"operation": {"ports": [str(EGRESS_TLS_PORT)]}}], "when": server}]
    else:
        operations = [_operation(entry, entry.host, entry.paths)]
        if entry.alias is not None:
            prefix = entry.alias.prefix
            paths = tuple(below(prefix, path) for path in entry.paths) or (f"{prefix}*",)
            operations.append(_operation(entry, entry.alias.host, paths))
        rules = [{"from": [callers], "to": [{"operation": operation} for operation in operations]}]
    name, labels = entry_name(partner.name, entry.label), owned(partner=partner.name)
    return allow(name, gateway_namespace(gateway), {"istio": gateway}, labels, rules)


def _operation(entry: Outbound, host: str, paths: tuple[str, ...]) -> dict[str, Any]:
    operation: dict[str, Any] = {"hosts": [host, f"{host}:*"], "ports": [str(GATEWAY_TARGET_PORT)]}
    methods = entry.methods or (GRPC_METHODS if entry.protocol == "grpc" else ())
    if methods:
        operation["methods"] = list(methods)
    if paths:
        operation["paths"] = list(paths)
    return operation


def to_egress_gateway(stack: Stack, partner: Partner) -> tuple[Manifest, ...]:
    """Both ends of each edge from an application to an egress gateway, on the gateway's pod ports."""
    ports: dict[tuple[str, str], dict[int, None]] = {}
    for entry in partner.outbound:
        port = EGRESS_TLS_PORT if entry.protocol == "tcp" else GATEWAY_TARGET_PORT
        for caller in entry.callers:
            ports.setdefault((caller, stack.outbound_gateway(entry)), {})[port] = None
    labels = owned(partner=partner.name)
    found = []
    for (caller, gateway), targets in ports.items():
        name, place = f"{partner.name}.{caller}-to-{gateway}", gateway_namespace(gateway)
        namespace = stack.applications[caller].namespace
        there, here = pods(place, {"istio": gateway}), pods(namespace, {"app": caller})
        out, into = rule("egress", [there], targets), rule("ingress", [here], targets)
        found.append(policy(name, namespace, labels, selector(caller), egress=[out]))
        found.append(policy(name, place, labels, {"matchLabels": {"istio": gateway}}, ingress=[into]))
    return tuple(found)


def internet(stack: Stack, partner: Partner) -> tuple[Manifest, ...]:
    """The gateway's way to a partner on another port than 443, which its static policy opens for all."""
    ports: dict[str, dict[int, None]] = {}
    for entry in partner.outbound:
        if entry.port != 443:
            ports.setdefault(stack.outbound_gateway(entry), {})[entry.port] = None
    public = block("0.0.0.0/0", without=NOT_INTERNET)
    return tuple(
        policy(
            f"{partner.name}.internet",
            gateway_namespace(gateway),
            owned(partner=partner.name),
            {"matchLabels": {"istio": gateway}},
            egress=[rule("egress", [public], targets)],
        )
        for gateway, targets in ports.items()
    )

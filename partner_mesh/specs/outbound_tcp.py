"""A partner that speaks its own protocol inside TLS (SMPP, FIX): captured by port, chosen by SNI at the gateway.

The application connects to the partner's host and port in plain TCP. Its sidecar wraps the bytes in mesh mTLS with the
partner's host as SNI, the gateway's server for that SNI unwraps them, and TLS towards the partner begins there. Two
such partners on one port are told apart by address only, so callers need Istio's DNS proxy
(`ISTIO_META_DNS_CAPTURE`), which gives each host an address of its own.
"""

from typing import Any, Final

from partner_mesh.config.partner import Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, gateway_namespace
from partner_mesh.specs.entry import dns_label, entry_name
from partner_mesh.specs.external_destination import external_destination
from partner_mesh.specs.stack import gateway_host, owned
from partner_mesh.specs.virtual_service import destination

# Port of the egress gateway's Service and pods alike. Istio's charts use it for SNI routing, too.
EGRESS_TLS_PORT: Final = 15443


def tcp_objects(stack: Stack, partner: Partner, entry: Outbound) -> tuple[Manifest, ...]:
    """The routing objects of a TCP entry."""
    gateway = stack.outbound_gateway(entry)
    namespace, name = gateway_namespace(gateway), entry_name(partner.name, entry.label)
    callers = list(dict.fromkeys(stack.applications[caller].namespace for caller in entry.callers))

    def networking(kind: str, suffix: str, spec: dict[str, Any]) -> Manifest:
        labels = owned(partner=partner.name)
        return Manifest(NETWORKING, kind, name + suffix, namespace, labels, body={"spec": spec})

    server = {
        "port": {"number": EGRESS_TLS_PORT, "name": dns_label(f"tls-{name}"), "protocol": "TLS"},
        "hosts": [f"{namespace}/{entry.host}"],
        "tls": {"mode": "ISTIO_MUTUAL"},
    }
    subset = {"name": name, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL", "sni": entry.host}}}
    return (
        networking("ServiceEntry", "", {
            "hosts": [entry.host],
            "location": "MESH_EXTERNAL",
            "resolution": "DNS",
            "exportTo": [".", *callers],
            "ports": [{"number": entry.port, "name": "tcp", "protocol": "TCP"}],
        }),
        external_destination(stack, partner, entry),
        networking("Gateway", "", {"selector": {"istio": gateway}, "servers": [server]}),
        networking("DestinationRule", ".gateway", {
            "host": gateway_host(gateway),
            "exportTo": ["*"],  # as `way_to_gateway`, into which Istio merges this subset
            "subsets": [subset],
        }),
        networking("VirtualService", ".exit", {
            "hosts": [entry.host],
            "gateways": [f"{namespace}/{name}"],
            "exportTo": ["."],
            "tcp": [{
                "match": [{"port": EGRESS_TLS_PORT}],
                "route": [destination(entry.host, port=entry.port)],
            }],
        }),
        networking("VirtualService", ".capture", {
            "hosts": [entry.host],
            "gateways": ["mesh"],
            "exportTo": callers,
            "tcp": [{
                "match": [{"port": entry.port}],
                "route": [destination(gateway_host(gateway), name, EGRESS_TLS_PORT)],
            }],
        }),
    )  # fmt: skip

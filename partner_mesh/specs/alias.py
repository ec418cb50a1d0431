"""The internal alias: one plain HTTP name for many partners, each below its own path prefix.

A namespace whose applications use an alias has one pair of objects for it that names no partner: the alias' host, and
its capture to the egress gateway. The gateway tells partners apart (`outbound.alias_exit_route`). A sidecar that saw
two VirtualServices of one host would keep the first and drop the second (httproute.go, `duplicate domain from virtual
service`), so the capture cannot be the partners' (docs/adr/0020).
"""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING
from partner_mesh.specs.outbound import to_gateway
from partner_mesh.specs.stack import GATEWAY_SERVICE_PORT, gateway_host, owned


def alias_objects(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """The aliases that applications of a namespace use; the name has to resolve by Istio's DNS proxy."""
    found: dict[str, dict[int, str]] = {}  # host → port → egress gateway, in order of first mention
    for partner in stack.partners:
        for entry in partner.outbound:
            here = any(stack.applications[caller].namespace == namespace for caller in entry.callers)
            if entry.alias is not None and here:
                found.setdefault(entry.alias.host, {})[entry.alias.port] = stack.outbound_gateway(entry)
    return tuple(
        manifest
        for host, ports in sorted(found.items())
        for manifest in _alias(namespace, host, dict(sorted(ports.items())))
    )


def _alias(namespace: str, host: str, ports: dict[int, str]) -> tuple[Manifest, Manifest]:
    """The alias and its capture. Without the capture a call would reach the gateway's port in plain text, and fail."""
    endpoints = [
        {"address": gateway_host(gateway), "ports": {f"http-{port}": GATEWAY_SERVICE_PORT}}
        for port, gateway in ports.items()
    ]
    entry = {
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "exportTo": ["."],
        "ports": [{"number": port, "name": f"http-{port}", "protocol": "HTTP"} for port in ports],
        "endpoints": endpoints,
    }
    capture = {
        "hosts": [host],
        "gateways": ["mesh"],
        "exportTo": ["."],
        "http": [to_gateway(gateway, port) for port, gateway in ports.items()],
    }
    return (
        Manifest(NETWORKING, "ServiceEntry", host, namespace, owned(), body={"spec": entry}),
        Manifest(NETWORKING, "VirtualService", host, namespace, owned(), body={"spec": capture}),
    )

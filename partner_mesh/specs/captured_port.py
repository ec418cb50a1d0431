"""The port where applications call partners in plain HTTP: TLS is the egress gateway's business.

A sidecar takes calls on a port when some service that it knows has that port. Partners' hosts are no such services
(`outbound.capture_route`), so each namespace has one that names no partner and leads nowhere.
"""

from typing import Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING
from partner_mesh.specs.stack import ambient, owned

CAPTURED_PORT: Final = 80
# istiod writes an address of its own into every ServiceEntry whose host sidecars are to resolve
# (pilot/pkg/controllers/ipallocate); here that would be a second write an object, for nobody.
NO_ADDRESS: Final = {"networking.istio.io/enable-autoallocate-ip": "false"}


def captured_port(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """The namespace's own; none where nothing leaves, or where pods have no sidecar."""
    if ambient(stack, namespace) or not stack.gateways("egress"):
        return ()
    name = f"port-{CAPTURED_PORT}"
    spec = {
        "hosts": [f"{name}.{namespace}.internal"],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",  # without endpoints: who calls it by name gets 503
        "exportTo": ["."],
        "ports": [{"number": CAPTURED_PORT, "name": "http", "protocol": "HTTP"}],
    }
    return (Manifest(NETWORKING, "ServiceEntry", name, namespace, owned() | NO_ADDRESS, body={"spec": spec}),)

"""What Envoys of gateways are told at their start beyond Istio's bootstrap: give memory back that an update has freed.

istiod sends a listener anew with everything in it, so each change of a partner allocates for a moment what all of them
need, and Envoy's allocator keeps the pages (docs/adr/0011). Where a Pod's annotation names a ConfigMap, the injection
template mounts it and sets `ISTIO_BOOTSTRAP_OVERRIDE`, pilot-agent hands it to Envoy as `--config-yaml`, and Envoy
merges it over its own bootstrap (istio 1.31: gateway-injection-template.yaml, pkg/envoy/proxy.go). A pod reads it when
it starts.
"""

import json
from typing import Any, Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs.stack import owned

NAME: Final = "proxy-bootstrap"
FILE: Final = "custom_bootstrap.json"  # the injection template's name for it
ANNOTATION: Final[dict[str, str]] = {"sidecar.istio.io/bootstrapOverride": NAME}

# envoy.config.bootstrap.v3.MemoryAllocatorManager: free pages go back to the system, this many bytes each interval.
# What a change leaves behind with 1,000 partners is gone after some two seconds.
BOOTSTRAP: Final[dict[str, Any]] = {
    "memory_allocator_manager": {"bytes_to_release": 32 * 1024 * 1024, "memory_release_interval": "1s"}
}


def of_gateway(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """The ConfigMap in a gateway's namespace; none where gateways are somebody else's."""
    if not stack.platform.mesh.managed:
        return ()
    body = {"data": {FILE: json.dumps(BOOTSTRAP)}}
    return (Manifest("v1", "ConfigMap", NAME, gateway_namespace(gateway), owned(gateway=gateway), body=body),)

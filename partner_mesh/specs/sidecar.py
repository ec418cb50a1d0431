"""Sidecar: what a namespace's proxies know about. What they do not know of they cannot be led to."""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, gateway_namespace
from partner_mesh.specs.stack import ambient, application_host, calls, owned
from partner_mesh.specs.tracing import collector


def sidecars(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """The namespace itself, every egress gateway's namespace, declared peers elsewhere, and telemetry.

    The egress namespaces stand whole: what each proxy learns there is bounded by the partners' `exportTo`, so that a
    new partner does not change this object. REGISTRY_ONLY is said again here because the mesh config may be somebody
    else's. Pods in ambient mode have no sidecar to tell.
    """
    if ambient(stack, namespace):
        return ()
    peers = [
        f"{stack.applications[callee].namespace}/{application_host(stack, callee)}"
        for caller in stack.by_namespace[namespace]
        for callee, _ in calls(stack, caller)
        if stack.applications[callee].namespace != namespace
    ]
    egress = [f"{gateway_namespace(gateway)}/*" for gateway, _ in stack.gateways("egress")]
    found = collector(stack)
    telemetry = [f"{found.namespace}/*"] if found is not None and found.namespace is not None else []
    spec = {
        "egress": [{"hosts": ["./*", *egress, *dict.fromkeys(peers), *telemetry]}],
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    }
    return (Manifest(NETWORKING, "Sidecar", "default", namespace, owned(), body={"spec": spec}),)

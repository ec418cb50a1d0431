"""The identity of every workload of the mesh, as its certificate says it: what policies of ours, and others', name."""

from partner_mesh.config.stack import Stack
from partner_mesh.model.names import ROOT_NAMESPACE, principal
from partner_mesh.specs.compile import effective_gateways
from partner_mesh.specs.inventory import inventory
from partner_mesh.specs.network_policy import OBSERVABILITY_NAMESPACE
from partner_mesh.specs.shards import shards

_OUTSIDE = (ROOT_NAMESPACE, OBSERVABILITY_NAMESPACE, "kube-system")  # run without a proxy


def identities(stack: Stack) -> dict[str, str]:
    """`namespace/workload` → SPIFFE id, of applications, gateways, logins and waypoints, in the inventory's order."""
    found = {}
    for document in inventory(stack, effective_gateways(stack, shards(stack))):
        metadata = document["metadata"]
        if document["kind"] == "Deployment" and metadata["namespace"] not in _OUTSIDE:
            account = document["spec"]["template"]["spec"]["serviceAccountName"]
            name = principal(stack.platform.mesh.trust_domain, metadata["namespace"], account)
            found[f"{metadata['namespace']}/{metadata['name']}"] = f"spiffe://{name}"
    return found

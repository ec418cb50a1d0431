"""Gateways of the Gateway API in the lab's terms: the servers that a client connects to, as istiod converts them.

The conversion is the analyser's: the lab needs of it only whom to play and which Secrets to deliver. What Envoy does
with the routes istiod alone decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from partner_mesh.analysis.gateway_api import GatewayApi
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.topology import World as Objects


def converted(documents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The documents, with Istio's kinds in place of the Gateway API's."""
    if not any(each["apiVersion"].startswith("gateway.networking.k8s.io/") for each in documents):
        return list(documents)
    found = GatewayApi(Objects(of_documents(documents)))
    others = [each for each in documents if not each["apiVersion"].startswith("gateway.networking.k8s.io/")]
    gateways = [each.document() for each in found.gateways]
    return [*others, *gateways, *(each.document() | {"kind": "VirtualService"} for each in found.routes)]

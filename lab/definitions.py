"""The custom resource definitions of a lab: Istio's, and the Gateway API's where documents speak of it.

Both come from pinned Go modules. Without the Gateway API's kinds istiod leaves its gateway controllers off, as it does
on a cluster that lacks them; so a stack that needs none of them is tried without.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from lab.tools import Tools, module

GATEWAY_API: Final = "gateway.networking.k8s.io/"


def definitions(tools: Tools, documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All that the documents need, to be applied and waited for."""
    found = list(_read(tools.crds.read_text()))
    if any(document["apiVersion"].startswith(GATEWAY_API) for document in documents):
        # The standard channel: what a cluster has unless somebody wanted experiments.
        for path in sorted((module("sigs.k8s.io/gateway-api") / "config/crd/standard").glob("*.yaml")):
            found += [each for each in _read(path.read_text()) if each["kind"] == "CustomResourceDefinition"]
    return found


def _read(text: str) -> Iterator[dict[str, Any]]:
    return (document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document)

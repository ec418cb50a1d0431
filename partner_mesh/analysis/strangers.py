"""Workloads that nobody means: where one is admitted, a selector or a peer says more than the names of those it means.

They are asked about where a layer stands alone. No Kubernetes object can have their name.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.topology import NAME_LABEL

NAME: Final = "(any other)"


def strangers(namespaces: Iterable[str]) -> Iterator[Resource]:
    """One in each of these namespaces, and one in a namespace that nobody means either."""
    yield Resource("v1", "Namespace", "", NAME, labels={NAME_LABEL: NAME}, metadata={"name": NAME})
    for home in dict.fromkeys((*namespaces, NAME)):
        yield Resource(
            "apps/v1", "Deployment", home, NAME,
            body={"spec": {"template": {"metadata": {}, "spec": {"serviceAccountName": NAME, "containers": []}}}},
            metadata={"name": NAME, "namespace": home},
        )  # fmt: skip

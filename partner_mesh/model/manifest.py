"""One Kubernetes object, complete and plain: what is deployed, analysed and written to disk."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.model.record import dataclass, field


@dataclass(frozen=True, slots=True)
class Manifest:
    """A Kubernetes object as pure data.

    `body` holds every top-level field besides apiVersion, kind and metadata: mostly `{"spec": {...}}`, for some kinds
    `data`, `rules` or nothing. It may hold late values (a Pulumi output in place of a security-group id): nobody looks
    into those before they are deployed.
    """

    api_version: str
    kind: str
    name: str
    namespace: str | None = None  # None for cluster-scoped kinds
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes an object unique in a cluster: group, kind, namespace ("" if cluster-scoped), name."""
        group = self.api_version.rpartition("/")[0]
        return group, self.kind, self.namespace or "", self.name

    def metadata(self) -> dict[str, Any]:
        """The `metadata` field, without empty maps: an empty label map would show as a difference on every apply."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.namespace is not None:
            metadata["namespace"] = self.namespace
        if self.labels:
            metadata["labels"] = dict(self.labels)
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return metadata

    def document(self) -> dict[str, Any]:
        """The object as a YAML document's mapping, in the order in which people read it."""
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": self.metadata(), **self.body}

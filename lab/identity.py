"""What tells an object from all others, whatever version it is written in."""

from collections.abc import Mapping
from typing import Any

Key = tuple[str, str, str, str]  # group, kind, namespace ("" if cluster-scoped), name


def key(document: Mapping[str, Any]) -> Key:
    """Of one document."""
    metadata = document["metadata"]
    return document["apiVersion"].rpartition("/")[0], document["kind"], metadata.get("namespace", ""), metadata["name"]

"""A compiled stack as the lab takes it: Istio's charts rendered, the stack's own objects, and what runs beside them."""

from typing import Any

from lab.charts import rendered
from lab.tools import Tools
from partner_mesh.specs.compiled import Compiled


def objects(compiled: Compiled) -> list[dict[str, Any]]:
    """What is deployed as objects, and the inventory that stands in for the rest: the first two tiers' documents."""
    return [*(m.document() for m in compiled.manifests), *(dict(d) for d in compiled.inventory)]


def judged(compiled: Compiled) -> list[dict[str, Any]]:
    """The analyser's documents: the same, and security groups."""
    return [*objects(compiled), *(dict(d) for d in compiled.security_groups)]


def documents(tools: Tools, compiled: Compiled) -> list[dict[str, Any]]:
    """The data plane's documents: what charts really make comes first and replaces the inventory's picture of it."""
    charts = rendered(tools, compiled.charts)
    made = {_key(document) for document in charts}
    return [*charts, *(document for document in objects(compiled) if _key(document) not in made)]


def _key(document: dict[str, Any]) -> tuple[str, str, str]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]

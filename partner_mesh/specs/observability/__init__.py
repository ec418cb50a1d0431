"""What looks at the mesh: charts, alert rules and dashboards, all as data."""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.observability.alerts import mesh_rules, partner_rules, pod_monitors
from partner_mesh.specs.observability.charts import observability_charts
from partner_mesh.specs.observability.dashboards import dashboards
from partner_mesh.specs.observability.namespace import observability_namespace

__all__ = ["dashboards", "mesh_rules", "observability_charts", "observability_objects", "partner_rules"]


def observability_objects(stack: Stack) -> tuple[Manifest, ...]:
    """Everything but the partners' own rules."""
    return (
        *observability_namespace(stack),
        *pod_monitors(stack),
        *mesh_rules(stack),
        *dashboards(stack),
    )

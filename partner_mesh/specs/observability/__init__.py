"""What looks at the mesh: charts, alert rules and dashboards, all as data."""

from partner_mesh.specs.observability.alerts import mesh_rules, partner_rules
from partner_mesh.specs.observability.charts import observability_charts
from partner_mesh.specs.observability.dashboards import dashboards

__all__ = ["dashboards", "mesh_rules", "observability_charts", "partner_rules"]

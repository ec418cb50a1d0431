"""Two sets of objects compared: their objects, and what their tables allow."""

from dataclasses import dataclass

from partner_mesh.analysis.differences import Access, access_changes
from partner_mesh.analysis.layers import Endpoint, Workload
from partner_mesh.analysis.object_changes import ObjectChanges, object_changes
from partner_mesh.analysis.resources import Loaded
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.table import Table
from partner_mesh.analysis.through_gateways import mesh_of

Services = tuple[tuple[str, frozenset[Workload]], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that reports tell. `after` is the new side's table; None where nothing had to be asked."""

    subject: str
    against: str
    objects: ObjectChanges
    accesses: tuple[Access, ...] = ()
    after: Results | None = None
    services: Services = ()  # a name for all the workloads behind one Service
    gateways: frozenset[Endpoint] = frozenset()
    transitions: tuple[tuple[str, str], ...] = ()  # (reason, remedy) of an upgrade's step that may not follow

    def hop(self, access: Access) -> bool:
        """Whether a change is one between a gateway and whoever comes before or after it."""
        return access.source in self.gateways or access.destination in self.gateways


def compared(
    before: Loaded,
    after: Loaded,
    *,
    subject: str = "",
    against: str = "",
    transitions: tuple[tuple[str, str], ...] = (),
) -> Comparison:
    """The comparison of two sets of objects."""
    objects = object_changes(before, after)
    if not objects:
        return Comparison(subject, against, objects, transitions=transitions)
    tables = Table(before), Table(after)
    was, now = (each.results() for each in tables)
    return Comparison(
        subject,
        against,
        objects,
        tuple(access_changes(was, now)),
        now,
        tuple(dict.fromkeys(pair for each in reversed(tables) for pair in _services(each))),
        frozenset(end for each in tables for end in mesh_of(each.reach).gateways.proxies),
        transitions,
    )


def _services(table: Table) -> Services:
    """The Services by the names that sentences give them."""
    return tuple(
        (
            each.name if each.name == each.namespace else f"{each.namespace}/{each.name}",
            frozenset(pods.endpoint for pods in table.world.selected_by(each)),
        )
        for each in table.world.services
    )

"""Two sets of objects compared: their objects, and what their tables allow."""

from typing import Final

from partner_mesh.analysis.depth import LayerChange, layer_changes
from partner_mesh.analysis.differences import Access, access_changes
from partner_mesh.analysis.handshakes import Handshake, handshake_changes
from partner_mesh.analysis.layers import Endpoint, Workload
from partner_mesh.analysis.narrowing import Narrowed, narrowed
from partner_mesh.analysis.near import access_changes_near, affected_partners
from partner_mesh.analysis.object_changes import ObjectChanges, object_changes
from partner_mesh.analysis.resources import Loaded, Note
from partner_mesh.analysis.table import Table
from partner_mesh.analysis.through_gateways import mesh_of
from partner_mesh.model.record import dataclass

FEW: Final = 100  # workloads: of so many a table of each layer takes no longer than the comparison itself
Services = tuple[tuple[str, frozenset[Workload]], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that reports tell.

    `after` is the new side's table, of what the change can affect; None where nothing had to be asked.
    """

    subject: str
    against: str
    objects: ObjectChanges
    accesses: tuple[Access, ...] = ()
    after: Table | None = None
    services: Services = ()  # a name for all the workloads behind one Service
    gateways: frozenset[Endpoint] = frozenset()
    layers: tuple[LayerChange, ...] = ()  # of one layer alone, while others refuse
    layers_asked: bool = True  # whether they were asked at all
    handshakes: tuple[Handshake, ...] = ()  # certificates and versions that TLS takes, or no longer
    transitions: tuple[tuple[str, str], ...] = ()  # (reason, remedy) of an upgrade's step that may not follow
    notes: tuple[Note, ...] = ()  # what of either side could not be read or was not compared

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
    whole: bool = False,
    layers: bool | None = None,
) -> Comparison:
    """The comparison of two sets of objects. `whole` compares everything, also what the change cannot affect.

    `layers` says whether each layer is asked alone besides; None for where that is cheap: near a few changed partners,
    or among a few workloads.
    """
    objects = object_changes(before, after)
    notes = tuple(dict.fromkeys((*before.notes, *after.notes)))
    if not objects:
        return Comparison(subject, against, objects, transitions=transitions, notes=notes)
    found = None if whole else _confined(before, after, objects)
    kept = None
    if found is None:
        tables = Table(before), Table(after)
        accesses = tuple(access_changes(tables[0].results(), tables[1].results()))
    else:
        tables, kept = found
        before, after = kept.before, kept.after
        accesses = tuple(access_changes_near(tables, kept))
    asked = layers if layers is not None else kept is not None or len(tables[1].world.workloads) <= FEW
    return Comparison(
        subject,
        against,
        objects,
        accesses,
        tables[1],
        tuple(dict.fromkeys(pair for each in reversed(tables) for pair in _services(each))),
        frozenset(end for each in tables for end in mesh_of(each.reach).gateways.proxies),
        tuple(layer_changes(before, after, objects, tables, accesses, kept=kept)) if asked else (),
        asked,
        tuple(handshake_changes(objects)),
        transitions,
        notes,
    )


def _confined(before: Loaded, after: Loaded, objects: ObjectChanges) -> tuple[tuple[Table, Table], Narrowed] | None:
    """The tables of what the objects can affect; None where the whole must be compared."""
    kept = narrowed(before, after, objects)
    if kept is None:
        return None
    tables = Table(kept.before), Table(kept.after)
    others = affected_partners(tables, kept, before, after)
    if others is None:
        return None
    if others:
        kept = narrowed(before, after, objects, others)
        if kept is None:
            return None
        tables = Table(kept.before), Table(kept.after)
    return tables, kept


def _services(table: Table) -> Services:
    """The Services by the names that sentences give them."""
    return tuple(
        (
            each.name if each.name == each.namespace else f"{each.namespace}/{each.name}",
            frozenset(pods.endpoint for pods in table.world.selected_by(each)),
        )
        for each in table.world.services
    )

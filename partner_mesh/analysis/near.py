"""The part of two tables that a few changed objects can affect, and the others whom they affect through a gateway."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from partner_mesh.analysis.differences import Access, direct_changes, journey_changes
from partner_mesh.analysis.layers import Addresses, Endpoint, Opinion, Verdict, Workload
from partner_mesh.analysis.mesh_config import selector
from partner_mesh.analysis.narrowing import Narrowed, blocks, near, nets
from partner_mesh.analysis.regions import Region, region
from partner_mesh.analysis.resources import Loaded, Resource
from partner_mesh.analysis.selectors import label_selector, selects
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.table import Table
from partner_mesh.analysis.through_gateways import mesh_of

Tables = tuple[Table, Table]


def access_changes_near(tables: Tables, kept: Narrowed) -> Iterator[Access]:
    """Every difference: pairs with an end that a changed object is about, then all journeys that are left."""
    addresses = _whole_parts(tables, AddressSet.union(nets(each) for each in kept.changed if each.kind == "NetworkSet"))
    ends = [list(_ends(each, kept.changed, addresses)) for each in tables]
    # To an affected end from everybody; from one to everybody else.
    to_ends = [each.reach.results(None, some) for each, some in zip(tables, ends, strict=True)]
    rest = [
        [end for end in each.reach.universe.endpoints if end not in set(some)]
        for each, some in zip(tables, ends, strict=True)
    ]
    from_ends = [each.reach.results(some, other) for each, some, other in zip(tables, ends, rest, strict=True)]
    yield from direct_changes(to_ends[0], to_ends[1])
    yield from direct_changes(from_ends[0], from_ends[1])
    yield from journey_changes(tables[0].journeys, tables[1].journeys)


def _whole_parts(tables: Tables, addresses: AddressSet) -> AddressSet:
    """The addresses with whatever shares a part with them on either side: both sides are asked of the same."""
    parts = [e.addresses for each in tables for e in each.reach.universe.endpoints if isinstance(e, Addresses)]
    while addresses:
        wider = AddressSet.union([addresses, *(each for each in parts if each & addresses)])
        if wider == addresses:
            break
        addresses = wider
    return addresses


def _ends(table: Table, changed: Iterable[Resource], addresses: AddressSet) -> dict[Endpoint, None]:
    """The ends of direct pairs that changed objects are about: what policies select, what nets lie in."""
    found: dict[Endpoint, None] = {}
    root = mesh_of(table.reach).config.root_namespace
    for resource in changed:
        if resource.kind in ("AuthorizationPolicy", "NetworkPolicy", "Gateway"):
            found.update(dict.fromkeys(_selected(table, resource, root)))
    for end in table.reach.universe.endpoints:
        if isinstance(end, Addresses) and end.addresses & addresses:
            found[end] = None
    return found


def _selected(table: Table, resource: Resource, root: str) -> Iterator[Workload]:
    everywhere = resource.kind == "Gateway" or (resource.namespace == root and resource.kind == "AuthorizationPolicy")
    if resource.kind == "NetworkPolicy":
        chosen = label_selector(resource.spec.get("podSelector"))
    elif resource.kind == "Gateway":
        chosen = label_selector({"matchLabels": resource.spec.get("selector") or {}})
    else:
        chosen = label_selector({"matchLabels": selector(resource)})
    for pods in table.world.workloads.values():
        if (everywhere or pods.namespace == resource.namespace) and selects(chosen, pods.labels):
            yield pods.endpoint


def affected_partners(tables: Tables, kept: Narrowed, before: Loaded, after: Loaded) -> frozenset[str] | None:
    """Partners of whom nothing changed, whose ways lead over packets that do; None where that may be anybody."""
    packets = [each for each in kept.changed if each.kind in ("NetworkPolicy", "NetworkSet")]
    if not packets:
        return frozenset()
    gateways = dict.fromkeys(end for each in tables for end in mesh_of(each.reach).gateways.proxies)
    changed = AddressSet.union(nets(each) for each in packets if each.kind == "NetworkSet")
    others: dict[Workload, None] = {}
    for gateway in gateways:
        for block in chain.from_iterable(blocks(each) for each in packets if each.kind == "NetworkPolicy"):
            if _differ(tables, gateway, Addresses(block)) or _differ(tables, Addresses(block), gateway):
                return None
        for workload in dict.fromkeys(end for each in tables for end in each.world.workloads):
            if workload != gateway and (_differ(tables, gateway, workload) or _differ(tables, workload, gateway)):
                others[workload] = None
    namespaces = frozenset(each.namespace for each in others) - frozenset(each.namespace for each in gateways)
    if any(each in gateways for each in others):
        return None
    return (
        near(before, namespaces, changed) | near(after, namespaces, changed) if namespaces or changed else frozenset()
    )


def _differ(tables: Tables, source: Endpoint, destination: Endpoint) -> bool:
    return _passing(tables[0], source, destination) != _passing(tables[1], source, destination)


def _passing(table: Table, source: Endpoint, destination: Endpoint) -> list[tuple[Verdict, Region]]:
    """What network policies let pass, ports put together; nothing where an end is not there."""
    world = table.world.workloads
    if any(isinstance(end, Workload) and end not in world for end in (source, destination)):
        return []
    opinions: Sequence[Opinion] = table.reach.network.opinions(source, destination, PortSet.ALL)
    return [
        (verdict, region((each.ports, None) for each in opinions if each.verdict is verdict))
        for verdict in (Verdict.ALLOWED, Verdict.UNKNOWN)
    ]

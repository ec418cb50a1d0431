"""The whole question in one call: objects in, the table of who can talk to whom out."""

from collections.abc import Iterable, Iterator

from partner_mesh.analysis.layers import Addresses, Client, Endpoint, ExternalHost, IngressController, Partner, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import Loaded, Note
from partner_mesh.analysis.results import Connection, Decision, Decisions, Results
from partner_mesh.analysis.selectors import Mask, mask_of
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.through_gateways import connections, mesh_of
from partner_mesh.analysis.topology import World
from partner_mesh.model.record import replace


class UnknownNameError(ValueError):
    """A name that means no endpoint; the message lists what there is."""


class Table:
    """One world and its questions."""

    def __init__(self, loaded: Loaded) -> None:
        self.reach = Reach.of(loaded)
        self._journeys: tuple[Connection, ...] | None = None

    @property
    def world(self) -> World:
        """The objects."""
        return self.reach.world

    @property
    def journeys(self) -> tuple[Connection, ...]:
        """The connections through gateways, all of them, found once."""
        if self._journeys is None:
            self._journeys = tuple(connections(self.reach, mesh_of(self.reach)))
        return self._journeys

    def results(self, sources: str = "", destinations: str = "", ports: PortSet = PortSet.ALL) -> Results:
        """The table; of the endpoints that a name means where one is given (see `named`).

        Raises UnknownNameError for a name that means nobody.
        """
        universe = self.reach.universe.endpoints
        known = dict.fromkeys((*universe, *(end for each in self.journeys for end in (each.source, each.destination))))
        wanted = [named(text, known, self.world) if text else None for text in (sources, destinations)]
        direct = [None if w is None else [each for each in w if each in self.reach.universe.position] for w in wanted]
        found = self.reach.results(direct[0], direct[1], ports)
        kept = [
            replace(each, ports=both)
            for each in self.journeys
            if (wanted[0] is None or each.source in wanted[0])
            and (wanted[1] is None or each.destination in wanted[1])
            and (both := each.ports & ports)
        ]
        return replace(found, journeys=tuple(kept), notes=tuple(dict.fromkeys((*found.notes, *self._mesh_notes()))))

    def _mesh_notes(self) -> Iterator[Note]:
        mesh = mesh_of(self.reach)
        if mesh.present:
            yield from mesh.notes


def named(text: str, endpoints: Iterable[Endpoint], world: World) -> list[Endpoint]:
    """The endpoints that a name means.

    `namespace/name`, `name` (of a workload, or of a Service for the workloads behind it), `namespace/` (all of a
    namespace), `partner NAME` or a partner's name, an address or CIDR (the parts of the outside that it touches),
    `outside`, `ingress-controller`, a client's name or an outside host. Raises UnknownNameError where that is nobody.
    """
    endpoints = list(endpoints)
    try:
        addresses = AddressSet.of(text)
    except ValueError:
        addresses = AddressSet.ALL if text == "outside" else AddressSet.NONE
    behind = {
        pods.endpoint
        for service in world.services
        if text in (service.name, f"{service.namespace}/{service.name}")
        for pods in world.selected_by(service)
    }
    found = [each for each in endpoints if each in behind or _means(text, each, addresses)]
    if not found:
        some = ", ".join(str(each) for each in endpoints if not isinstance(each, Addresses))
        raise UnknownNameError(f"{text}: no such endpoint; there are {some[:400] or 'none'}")
    return found


def _means(text: str, endpoint: Endpoint, addresses: AddressSet) -> bool:
    match endpoint:
        case Workload(kind, namespace, name):
            return text in (name, f"{namespace}/{name}", f"{namespace}/", f"{namespace}/{name}[{kind}]")
        case Addresses():
            return bool(endpoint.addresses & addresses)
        case Partner(name) | Client(name) | ExternalHost(name):
            return text in (name, str(endpoint))
        case IngressController():
            return text == "ingress-controller"
    return False


def declared(world: World) -> dict[Endpoint, PortSet]:
    """Each workload's declared ports: of its containers, and those that Services lead to."""
    found: dict[Endpoint, list[PortSet]] = {
        endpoint: [PortSet.single(port.protocol, port.port) for port in pods.ports]
        for endpoint, pods in world.workloads.items()
    }
    for service in world.services:
        for pods in world.selected_by(service):
            found[pods.endpoint] += [world.target(pods, port) for port in service.ports]
    return {endpoint: PortSet.union(ports) for endpoint, ports in found.items()}


def narrowed(results: Results, ports: dict[Endpoint, PortSet]) -> Results:
    """The table with each workload's ports kept to the given ones; other destinations stay whole."""
    rows = []
    cut: dict[tuple[int, PortSet], tuple[Decisions, Decisions]] = {}
    for row in results.rows:
        parts: dict[Decisions, Mask] = {}
        for mask, decisions in row:
            groups: dict[PortSet, list[int]] = {}
            for position, endpoint in enumerate(results.endpoints):
                if mask >> position & 1:
                    groups.setdefault(ports.get(endpoint, PortSet.ALL), []).append(position)
            for kept, members in groups.items():
                key = (id(decisions), kept)
                if key not in cut:
                    cut[key] = decisions, tuple(_cut(decisions, kept))
                parts[cut[key][1]] = parts.get(cut[key][1], 0) | mask_of(members)
        rows.append(tuple((mask, decisions) for decisions, mask in parts.items() if decisions))
    journeys = [
        replace(each, ports=both)
        for each in results.journeys
        if (both := each.ports & ports.get(each.destination, PortSet.ALL))
    ]
    return replace(results, rows=tuple(rows), journeys=tuple(journeys))


def _cut(decisions: Decisions, ports: PortSet) -> Iterator[Decision]:
    for each in decisions:
        if both := each.ports & ports:
            yield replace(each, ports=both)

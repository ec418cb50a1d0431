"""What Ingress and Route objects open, where the controller that serves them is not among the workloads."""

from collections.abc import Iterator, Sequence

from partner_mesh.analysis.kinds import Alike, BothSides, Kinds
from partner_mesh.analysis.layers import (
    ROUTE,
    Because,
    Endpoint,
    IngressController,
    Opinion,
    Verdict,
)
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import Backend, World
from partner_mesh.analysis.universe import Universe

_NO_ROUTE = Because(ROUTE, "no Ingress or Route leads here")


class IngressLayer:
    """The controller calls what some Ingress or Route leads to, on the Services' target ports, and nothing else."""

    name = ROUTE

    def __init__(self, world: World) -> None:
        self._backends: dict[Endpoint, list[Backend]] = {}
        for backend in world.ingress_backends:
            self._backends.setdefault(backend.endpoint, []).append(backend)

    def endpoints(self) -> Sequence[Endpoint]:
        """The controller, if there is anything for it to serve."""
        return (IngressController(),) if self._backends else ()

    def kinds(self, universe: Universe) -> Kinds:
        """Sources by whether they are the controller; destinations by what leads to them."""
        if not self._backends:
            return Alike()
        return BothSides(
            universe,
            lambda endpoint: isinstance(endpoint, IngressController),
            lambda endpoint: endpoint if endpoint in self._backends else None,
        )

    def address_sets(self) -> Iterator[AddressSet]:
        """None: an Ingress speaks of names."""
        yield from ()

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """Only the controller's connections are judged."""
        if not isinstance(source, IngressController):
            return ()
        found: list[Opinion] = []
        left = ports
        for backend in self._backends.get(destination, ()):
            if reached := backend.ports & left:
                found.append(Opinion(ROUTE, Verdict.ALLOWED, reached, (Because.of(ROUTE, backend.resource),)))
                left -= reached
        if left:
            found.append(Opinion(ROUTE, Verdict.DENIED, left, (_NO_ROUTE,)))
        return found

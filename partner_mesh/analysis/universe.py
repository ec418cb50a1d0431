"""Everybody who may be a peer, numbered, so that a set of peers is one integer.

Workloads, the ingress controller, partners and the parts of the outside world share one numbering. An address rule
speaks of the outside: Kubernetes says of `ipBlock` that it is for cluster-external addresses, and pods' addresses are
seldom known. Where a Pod was read with its address, a block of a few addresses (a /24 or smaller) that holds it means
that Pod.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from partner_mesh.analysis.layers import Addresses, Endpoint, IngressController, Partner, Workload
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.selectors import LabelIndex, Mask, mask_of
from partner_mesh.analysis.sets import V4_END, AddressSet, PortSet
from partner_mesh.analysis.topology import World

_FEW: Final = {4: 1 << 8, 6: 1 << 64}  # a block of at most so many addresses names hosts, not a part of the internet


class Universe:
    """The endpoints of one analysis in a fixed order; position i is bit i of every mask."""

    def __init__(self, world: World, endpoints: Sequence[Endpoint]) -> None:
        self.world = world
        self.endpoints = tuple(endpoints)
        self.position = {endpoint: position for position, endpoint in enumerate(self.endpoints)}
        self.everybody: Mask = (1 << len(self.endpoints)) - 1
        self.pods: tuple[Pods | None, ...] = tuple(
            world.workloads[each] if isinstance(each, Workload) else None for each in self.endpoints
        )
        self.workloads: Mask = mask_of(i for i, pods in enumerate(self.pods) if pods is not None)
        self.outside: Mask = mask_of(i for i, each in enumerate(self.endpoints) if isinstance(each, Addresses))
        self.controllers: Mask = mask_of(
            i for i, each in enumerate(self.endpoints) if isinstance(each, IngressController)
        )
        self._blocks: dict[AddressSet, Mask] = {}
        self._named: dict[tuple[str, str | None], dict[PortSet, Mask]] = {}

    @cached_property
    def labels(self) -> LabelIndex:
        """Pods' labels by position; nobody else has any."""
        return LabelIndex([pods.labels if pods else {} for pods in self.pods])

    @cached_property
    def namespace_labels(self) -> LabelIndex:
        """The labels of each workload's namespace by position."""
        return LabelIndex([pods.namespace_labels if pods else {} for pods in self.pods])

    @cached_property
    def _namespaces(self) -> dict[str, Mask]:
        found: dict[str, list[int]] = {}
        for position, pods in enumerate(self.pods):
            if pods is not None:
                found.setdefault(pods.namespace, []).append(position)
        return {name: mask_of(who) for name, who in found.items()}

    def namespace(self, name: str) -> Mask:
        """The workloads of a namespace."""
        return self._namespaces.get(name, 0)

    def inside(self, addresses: AddressSet) -> Mask:
        """The parts of the outside, and the Pods of known address, that lie in these addresses.

        No part may be cut by them: the layers name every address set before the outside is divided.
        """
        if addresses not in self._blocks:
            found = [position for position, part in self.touching(addresses) if part <= addresses]
            self._blocks[addresses] = mask_of(found) | self._pods_inside(addresses)
        return self._blocks[addresses]

    def perhaps_inside(self, addresses: AddressSet) -> Mask:
        """Whose address is not known, where that matters: a block means the outside, and pods stay out of it."""
        return 0

    def touching(self, addresses: AddressSet) -> list[tuple[int, AddressSet]]:
        """(position, addresses) of the parts of the outside that share an address with a set, in order of positions.

        Looked up by their bounds: of a thousand parts a set of a few blocks meets a few.
        """
        found: dict[int, AddressSet] = {}
        starts, spans = self._spans
        for low, high in addresses.intervals:
            at = max(bisect_right(starts, low) - 1, 0)
            while at < len(spans) and spans[at][0] <= high:
                if spans[at][1] >= low:
                    found[spans[at][2]] = spans[at][3]
                at += 1
        return sorted(found.items(), key=lambda each: each[0])

    @cached_property
    def _spans(self) -> tuple[list[int], list[tuple[int, int, int, AddressSet]]]:
        """Every interval of the outside: where they begin; (first, last, position, part). They never overlap."""
        spans = [
            (low, high, position, each.addresses)
            for position, each in enumerate(self.endpoints)
            if isinstance(each, Addresses)
            for low, high in each.addresses.intervals
        ]
        spans.sort(key=lambda each: each[0])
        return [each[0] for each in spans], spans

    def _pods_inside(self, addresses: AddressSet) -> Mask:
        if not self._addressed or not addresses:
            return 0
        low, high = addresses.intervals[0][0], addresses.intervals[-1][1]
        if high - low >= (_FEW[4] if high <= V4_END else _FEW[6]):
            return 0
        return mask_of(position for position, own in self._addressed if own <= addresses)

    @cached_property
    def _addressed(self) -> list[tuple[int, AddressSet]]:
        return [(i, pods.addresses) for i, pods in enumerate(self.pods) if pods is not None and pods.addresses]

    @cached_property
    def partners(self) -> list[tuple[int, AddressSet]]:
        """Partners' positions and the addresses they call from."""
        return [(i, each.addresses) for i, each in enumerate(self.endpoints) if isinstance(each, Partner)]

    def with_port(self, name: str, protocol: str | None) -> dict[PortSet, Mask]:
        """Who gives which ports this name: ports → their owners. Those without the name are left out."""
        key = (name, protocol)
        if key not in self._named:
            found: dict[PortSet, list[int]] = {}
            for position, pods in enumerate(self.pods):
                ports = pods.named_port(name, protocol) if pods is not None else PortSet.NONE
                if ports:
                    found.setdefault(ports, []).append(position)
            self._named[key] = {ports: mask_of(who) for ports, who in found.items()}
        return self._named[key]

    def titles(self, mask: Mask, limit: int = 5) -> str:
        """The first few endpoints of a mask, for messages."""
        names = [str(each) for i, each in enumerate(self.endpoints) if mask >> i & 1]
        return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def union(masks: Iterable[Mask]) -> Mask:
    """All of them together."""
    found = 0
    for mask in masks:
        found |= mask
    return found

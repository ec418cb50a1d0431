"""What security groups can tell apart: of a thousand destinations those that no rule names are one kind."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from partner_mesh.analysis.kinds import Grouped, Parts
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.selectors import Mask, mask_of
from partner_mesh.analysis.universe import Universe, union

if TYPE_CHECKING:  # which makes them
    from partner_mesh.analysis.security_groups import Held, SecurityGroupLayer


class Sides:
    """To a source whose groups let nothing out to them, destinations are one kind; to those that no rule can tell
    apart by address, outsiders are.
    """

    def __init__(self, layer: "SecurityGroupLayer", universe: Universe) -> None:
        self.layer = layer
        self.endpoints = universe.endpoints
        self._held = [layer.held(each) for each in universe.endpoints]
        self._whole = Grouped(map(self._trait, range(len(universe.endpoints)), universe.pods))
        self._nodes = Grouped(tuple(sorted(pods.node_selector.items())) if pods else () for pods in universe.pods)
        holders: dict[str, list[int]] = {}
        for position, held in enumerate(self._held):
            for each in held.ids if held is not None else ():
                holders.setdefault(each, []).append(position)
        self._holders = {group: mask_of(members) for group, members in holders.items()}
        self._named_by: dict[tuple[str, ...], Mask] = {}
        # Pods that a rule can mean by the name of a group only: their addresses are not known.
        self._nameable = mask_of(
            position
            for position, (held, pods) in enumerate(zip(self._held, universe.pods, strict=True))
            if held is not None and pods is not None and not pods.addresses
        )
        self._deaf = mask_of(
            position for position, held in enumerate(self._held) if held is None or not layer.hears_addresses(held)
        )
        self._workloads = universe.workloads

    def _trait(self, position: int, pods: Pods | None) -> Hashable:
        if pods is None:
            return self.endpoints[position]
        held = self._held[position]
        groups = (held.ids, held.trouble, held.policies) if held is not None and held.trouble else held and held.ids
        return groups, tuple(sorted(pods.node_selector.items())), pods.addresses

    def parts(self, source: int, mask: Mask) -> Parts:
        """See `Kinds`."""
        held, kind = self._held[source], self._whole.numbers[source]
        if held is not None:
            beyond = mask & self._nameable & ~self._named(held)
            if beyond and self.layer.refuses_all(self.endpoints[source], self.endpoints[_first(beyond)]):
                mask &= ~beyond
                yield from self._refused(source, beyond)
        elif not self._workloads >> source & 1:
            deaf = mask & self._deaf
            mask &= ~deaf
            for number, members in self._whole.split(deaf):
                yield ("outside", number), members
        for number, members in self._whole.split(mask):
            yield (kind, number), members

    def _named(self, held: "Held") -> Mask:
        """Whom some rule out of these groups names."""
        if held.ids not in self._named_by:
            self._named_by[held.ids] = union(
                self._holders.get(name, 0) for group in held.groups for rule in group.egress for name in rule.groups
            )
        return self._named_by[held.ids]

    def _refused(self, source: int, mask: Mask) -> Parts:
        """Two on one node may talk all the same: whether they can be there is all that is left to tell."""
        found: dict[bool, Mask] = {}
        for _, members in self._nodes.split(mask):
            apart = self.layer.apart(self.endpoints[source], self.endpoints[_first(members)])
            found[apart] = found.get(apart, 0) | members
        return (((self._whole.numbers[source], "refused", apart), members) for apart, members in found.items())


def _first(mask: Mask) -> int:
    return (mask & -mask).bit_length() - 1

"""Load balancers in front of gateways, as far as security groups tell of them.

A group that no pod holds, that a gateway's own groups admit on its port, and that may itself call them there, is a
load balancer's: whom its rules let in reaches the gateway although the gateway's groups name no address of theirs.
Without group documents nothing is known of balancers, and clients are taken to call the gateway's pods.
"""

from collections.abc import Iterable, Iterator

from partner_mesh.analysis.layers import SECURITY_GROUP, Because, Opinion, Verdict, Workload
from partner_mesh.analysis.security_group_rules import Group
from partner_mesh.analysis.security_groups import SecurityGroupLayer
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Balancer:
    """A load balancer's group, and the gateway's rule that admits it."""

    group: Group
    door: Because

    def admits(self, addresses: AddressSet, ports: PortSet) -> Opinion:
        """What its own rules say of a client, on whatever port it listens; `ports` are the gateway's."""
        for rule in self.group.ingress:
            # Of a client that may call from many addresses, some IPv6, one that gets in is enough.
            if addresses & rule.addresses and rule.ports:
                return Opinion(SECURITY_GROUP, Verdict.ALLOWED, ports, (rule.because, self.door))
        refusal = Because.of(SECURITY_GROUP, self.group.resource, "no rule admits the client")
        return Opinion(SECURITY_GROUP, Verdict.DENIED, ports, (refusal,))


def balancers(layers: Iterable[object], gateway: Workload, ports: PortSet) -> Iterator[Balancer]:
    """The load balancers that reach a gateway's pods on these ports."""
    for layer in layers:
        if not isinstance(layer, SecurityGroupLayer):
            continue
        own = layer.groups_of(gateway)
        for name, group in layer.unheld():
            calls = any(ports & rule.ports and not rule.groups.isdisjoint(own) for rule in group.egress)
            doors = [
                rule.because
                for held in own.values()
                for rule in held.ingress
                if name in rule.groups and ports <= rule.ports
            ]
            if calls and doors:
                yield Balancer(group, doors[0])

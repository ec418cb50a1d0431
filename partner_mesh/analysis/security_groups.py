"""The security group layer: which AWS group rules stand between pods, and between pods and addresses.

`SecurityGroupPolicy` (vpcresources.k8s.aws/v1beta1) gives pods groups, by pod labels, by labels of their
ServiceAccount, or by both; a pod that several select has the groups of all. Rules come as `SecurityGroup` documents.
A pod without a policy shares its node's groups (a document with `spec.nodes: true`, if there is one): the layer has
no opinion of that end. Groups
only allow, and they keep state, so a connection needs a rule out of the source and a rule into the destination.

A documented group that no pod holds, and that admits addresses and lets traffic out to a pod's group, is a load
balancer's (or a node's that forwards): what it admits comes to the pod through it.

In the CNI's standard mode pods on one node talk without passing their groups (Amazon EKS, Security groups for pods), so
between two pods a missing rule is a refusal only where their node selectors keep them on different nodes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from partner_mesh.analysis.kinds import Alike, Kinds
from partner_mesh.analysis.layers import (
    SECURITY_GROUP,
    Addresses,
    Because,
    Endpoint,
    Opinion,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.security_group_rules import DOCUMENTS, Group, GroupRule, group_of
from partner_mesh.analysis.security_group_sides import Sides
from partner_mesh.analysis.selectors import Selector, SelectorError, label_selector, selects
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.written import items, mapping
from partner_mesh.model.record import dataclass

POLICIES: Final = "vpcresources.k8s.aws"
_SAME_NODE: Final = "the two may share a node, where groups are not judged"
_NODE_GROUPS: Final = "the groups of the other end's node are not among the objects"
_POD_ADDRESS: Final = "the other end's address is not known"


@dataclass(frozen=True, slots=True)
class Held:
    """The groups of one workload: those whose rules are known, and the reason why not all of them are."""

    ids: tuple[str, ...]
    groups: tuple[Group, ...]
    policies: tuple[Resource, ...]
    trouble: str = ""


class SecurityGroupLayer:
    """Security groups of pods."""

    name = SECURITY_GROUP

    def __init__(self, world: World) -> None:
        self.world = world
        self.notes: list[Note] = []
        self._groups = dict(self._documents())
        self._held: dict[Endpoint, Held] = {
            endpoint: held for endpoint, pods in world.workloads.items() if (held := self._of(pods))
        }
        self._used = {each for held in self._held.values() for each in held.ids}

    def endpoints(self) -> Sequence[Endpoint]:
        """No callers of its own."""
        return ()

    def address_sets(self) -> Iterator[AddressSet]:
        """The CIDR blocks that rules name."""
        for group in self._groups.values():
            yield from (rule.addresses for rule in (*group.ingress, *group.egress) if rule.addresses)

    def kinds(self, universe: Universe) -> Kinds:
        """Workloads by their groups and nodes, addresses by themselves, each where the other end can tell."""
        return Sides(self, universe) if self._held else Alike()

    def held(self, endpoint: Endpoint) -> Held | None:
        """The groups of a workload; None where it has none of its own."""
        return self._held.get(endpoint)

    def refuses_all(self, source: Endpoint, destination: Endpoint) -> bool:
        """Whether the source's groups let nothing out to a destination, whatever awaits it there."""
        held = self._held.get(source)
        said = self._side(held, "egress", destination, PortSet.ALL) if held is not None else []
        return bool(said) and all(each.verdict is Verdict.DENIED for each in said)

    def hears_addresses(self, held: Held) -> bool:
        """Whether some rule into these groups can mean an end outside by its address, or one that a balancer admits."""
        rules = [rule for group in held.groups for rule in group.ingress]
        return any(rule.addresses or rule.trouble or not rule.groups.isdisjoint(self._fronts) for rule in rules)

    def opinions(self, source: Endpoint, destination: Endpoint, ports: PortSet) -> Sequence[Opinion]:
        """Out of the source's groups and into the destination's; nothing where neither end has groups."""
        sides = [
            self._side(held, direction, other, ports)
            for held, direction, other in (
                (self._held.get(source), "egress", destination),
                (self._held.get(destination), "ingress", source),
            )
            if held is not None
        ]
        if not sides:
            return ()
        opinions = sides[0] if len(sides) == 1 else _both(*sides)
        if self.apart(source, destination):
            return opinions
        return [_doubted(each) if each.verdict is Verdict.DENIED else each for each in opinions]

    def groups_of(self, endpoint: Endpoint) -> Mapping[str, Group]:
        """The groups that a workload holds, by identifier, as far as their rules are known."""
        held = self._held.get(endpoint)
        return {each: self._groups[each] for each in held.ids if each in self._groups} if held is not None else {}

    def unheld(self) -> Sequence[tuple[str, Group]]:
        """The groups that no workload holds: nodes', load balancers', the control plane's."""
        return self._unheld

    @cached_property
    def _unheld(self) -> list[tuple[str, Group]]:
        return [(name, group) for name, group in self._groups.items() if name not in self._used]

    def apart(self, source: Endpoint, destination: Endpoint) -> bool:
        """Whether the ends are never on one node."""
        if not (isinstance(source, Workload) and isinstance(destination, Workload)):
            return True
        one, other = self.world.workloads[source].node_selector, self.world.workloads[destination].node_selector
        return any(key in other and other[key] != value for key, value in one.items())

    def _side(self, held: Held, direction: str, other: Endpoint, ports: PortSet) -> list[Opinion]:
        """What the groups of one end say of the other end."""
        allowed: list[Opinion] = []
        doubts: list[tuple[PortSet, Because]] = []
        left = ports
        for group in held.groups:
            for rule in group.near(direction, self._named_by(other)):
                admits, reason = self._admits(rule, other)
                taken = rule.ports & left
                if admits and not rule.trouble and taken:
                    allowed.append(Opinion(SECURITY_GROUP, Verdict.ALLOWED, taken, (rule.because,)))
                    left -= taken
                elif (admits or reason) and rule.ports:
                    why = rule.trouble or reason
                    doubts.append((rule.ports, Because.of(SECURITY_GROUP, group.resource, why, rule.because.path)))
        if direction == "ingress" and left:
            allowed += self._forwarded(held, other, left)
            left -= PortSet.union(each.ports for each in allowed)
        found = allowed
        if held.trouble and left:
            because = tuple(Because.of(SECURITY_GROUP, each, held.trouble) for each in held.policies)
            return [*found, Opinion(SECURITY_GROUP, Verdict.UNKNOWN, left, because)]
        for doubtful, because_of in doubts:
            if taken := doubtful & left:
                found.append(Opinion(SECURITY_GROUP, Verdict.UNKNOWN, taken, (because_of,)))
                left -= taken
        if left:
            because = tuple(Because.of(SECURITY_GROUP, each.resource) for each in held.groups)
            because = because or tuple(Because.of(SECURITY_GROUP, each) for each in held.policies)
            found.append(Opinion(SECURITY_GROUP, Verdict.DENIED, left, because))
        return found

    def _named_by(self, other: Endpoint) -> Iterable[str]:
        """The groups by which a rule could mean this end: its own, else those that may be its node's."""
        held = self._held.get(other)
        if held is not None:
            return held.ids
        return self._strange if isinstance(other, Workload) else ()

    @cached_property
    def _fronts(self) -> frozenset[str]:
        """The groups that no pod holds and that admit addresses: load balancers', as far as can be told."""
        return frozenset(name for name, group in self._unheld if any(rule.addresses for rule in group.ingress))

    @cached_property
    def _nodes(self) -> frozenset[str]:
        """The groups of nodes, and so of pods without their own, where a document says `spec.nodes: true`."""
        return frozenset(name for name, group in self._groups.items() if group.resource.spec.get("nodes") is True)

    @cached_property
    def _strange(self) -> list[str]:
        """Groups that rules name and no pod holds."""
        named = {
            group for each in self._groups.values() for rule in (*each.ingress, *each.egress) for group in rule.groups
        }
        return sorted(named - self._used)

    def _forwarded(self, held: Held, other: Endpoint, ports: PortSet) -> Iterator[Opinion]:
        """What outside addresses reach through load balancers: what their group admits, and on towards these groups."""
        addresses = _addresses(other, self.world)
        if isinstance(other, Workload) or not addresses:
            return
        rules = [rule for group in held.groups for rule in group.ingress if not rule.trouble]
        for rule in rules:
            for front in sorted(rule.groups - self._used):
                group = self._groups.get(front)
                doors = [each for each in group.ingress if addresses <= each.addresses] if group is not None else []
                for onward in group.egress if group is not None and doors else ():
                    reached = rule.ports & onward.ports & ports
                    if reached and not onward.groups.isdisjoint(held.ids):
                        ports -= reached
                        yield Opinion(SECURITY_GROUP, Verdict.ALLOWED, reached, (doors[0].because, rule.because))

    def _admits(self, rule: GroupRule, other: Endpoint) -> tuple[bool, str]:
        """(whether a rule admits the other end, the reason why that cannot be told)."""
        addresses = _addresses(other, self.world)
        whole = rule.addresses >= AddressSet.V4  # all of IPv4 holds whoever is asked about
        if whole or (addresses and addresses <= rule.addresses):
            return True, ""
        if not isinstance(other, Workload):
            unsure = bool(addresses & rule.addresses) if addresses else bool(rule.addresses or rule.groups)
            return False, _POD_ADDRESS if unsure else ""
        held = self._held.get(other)
        if held is not None and not rule.groups.isdisjoint(held.ids):
            return True, ""
        if held is None and not rule.groups.isdisjoint(self._nodes):
            return True, ""
        if held is None and not self._nodes and not rule.groups <= self._used:
            return False, _NODE_GROUPS
        return False, _POD_ADDRESS if rule.addresses and not addresses else ""

    def _documents(self) -> Iterator[tuple[str, Group]]:
        for resource in self.world.of(DOCUMENTS, "SecurityGroup"):
            group = group_of(resource)
            yield str(resource.spec.get("groupId") or resource.name), group

    def _of(self, pods: Pods) -> Held | None:
        """The groups of a workload; None where no SecurityGroupPolicy selects it."""
        ids: list[str] = []
        chosen: list[Resource] = []
        trouble = ""
        for resource in self._policies.get(pods.namespace, ()):
            try:
                selected = self._selects(resource, pods)
            except SelectorError as error:
                selected, trouble = True, str(error)
            if selected:
                chosen.append(resource)
                groups = resource.spec.get("securityGroups")
                ids += [str(each) for each in items(mapping(groups).get("groupIds"))]
        if not chosen:
            return None
        ids = list(dict.fromkeys(ids))
        unknown = [each for each in ids if each not in self._groups]
        if unknown:
            trouble = trouble or f"the rules of {', '.join(unknown)} are not among the objects"
        return Held(
            tuple(ids), tuple(self._groups[each] for each in ids if each in self._groups), tuple(chosen), trouble
        )

    def _selects(self, resource: Resource, pods: Pods) -> bool:
        spec = resource.spec
        account = self._accounts.get((pods.namespace, pods.service_account), {})
        selectors = [(spec.get("podSelector"), pods.labels), (spec.get("serviceAccountSelector"), account)]
        given: list[tuple[Selector, Mapping[str, str]]] = [
            (label_selector(written), labels) for written, labels in selectors if written is not None
        ]
        return bool(given) and all(selects(selector, labels) for selector, labels in given)

    @cached_property
    def _accounts(self) -> dict[tuple[str, str], Mapping[str, str]]:
        return {(each.namespace, each.name): each.labels for each in self.world.of("", "ServiceAccount")}

    @cached_property
    def _policies(self) -> dict[str, list[Resource]]:
        """The SecurityGroupPolicies of each namespace."""
        found: dict[str, list[Resource]] = {}
        for resource in self.world.of(POLICIES, "SecurityGroupPolicy"):
            found.setdefault(resource.namespace, []).append(resource)
        return found


def _addresses(endpoint: Endpoint, world: World) -> AddressSet:
    if isinstance(endpoint, Workload):
        return world.workloads[endpoint].addresses
    return endpoint.addresses if isinstance(endpoint, Addresses | Partner) else AddressSet.NONE


def _both(left: Sequence[Opinion], right: Sequence[Opinion]) -> list[Opinion]:
    """Each side must let the connection pass; of a refusal and a doubt the refusal counts."""
    found: dict[tuple[Verdict, tuple[Because, ...]], list[PortSet]] = {}
    for each in _pieces(left, right):
        found.setdefault((each.verdict, each.because), []).append(each.ports)
    return [
        Opinion(SECURITY_GROUP, verdict, PortSet.union(ports), because) for (verdict, because), ports in found.items()
    ]


def _pieces(left: Sequence[Opinion], right: Sequence[Opinion]) -> Iterator[Opinion]:
    for one in left:
        for other in right:
            ports = one.ports & other.ports
            if not ports:
                continue
            for verdict in (Verdict.DENIED, Verdict.UNKNOWN):
                deciding = next((each for each in (one, other) if each.verdict is verdict), None)
                if deciding is not None:
                    yield Opinion(SECURITY_GROUP, verdict, ports, deciding.because)
                    break
            else:
                yield Opinion(SECURITY_GROUP, Verdict.ALLOWED, ports, (*one.because, *other.because))


def _doubted(opinion: Opinion) -> Opinion:
    because = tuple(Because(b.layer, b.object, b.resource, _SAME_NODE, b.path) for b in opinion.because)
    return Opinion(SECURITY_GROUP, Verdict.UNKNOWN, opinion.ports, because)

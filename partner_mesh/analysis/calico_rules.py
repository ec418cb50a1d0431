"""One rule of a Calico policy: whom its `source` and `destination` mean, and which ports.

Follows libcalico-go's `GetEntityRuleSelector`: in a namespaced policy any selector field keeps a rule to its own
namespace unless `namespaceSelector` says otherwise; `all()` there means every namespaced endpoint, `global()` what has
no namespace. A selector finds workloads and network sets; bare addresses are found by `nets`, or by no selector at all.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.calico_labels import Labelled, nets_of
from partner_mesh.analysis.calico_selectors import calico_selector
from partner_mesh.analysis.layers import Addresses
from partner_mesh.analysis.policies import NamedPort, Ports
from partner_mesh.analysis.selectors import Mask, mask_of
from partner_mesh.analysis.sets import PROTOCOLS, AddressSet, PortSet
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass

_NUMBERS: Final = {6: "TCP", 17: "UDP", 132: "SCTP"}
_OTHERS: Final = ("ICMP", "ICMPV6", "UDPLITE")
_ENTITY_FIELDS: Final = frozenset({
    "nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts", "serviceAccounts",
    "services",
})  # fmt: skip
UNKNOWN_CONTROLLER: Final = "the ingress controller's labels and namespace are not among the objects"
UNKNOWN_ADDRESS: Final = "the addresses of pods are not known"


@dataclass(frozen=True, slots=True)
class Meant:
    """Whom one side of a rule means for certain, and whom perhaps, with the reason."""

    certain: Mask
    perhaps: Mask = 0
    reasons: tuple[str, ...] = ()


class EntityReader:
    """Reads `source` and `destination` of the rules of one policy. Raises ValueError for what Calico refuses."""

    def __init__(self, labelled: Labelled, namespace: str) -> None:
        self.labelled = labelled
        self.universe = labelled.universe
        self.namespace = namespace  # "" for a global policy

    def meant(self, entity: Mapping[str, Any]) -> Meant:
        """Whom an EntityRule means, ports aside."""
        unknown = tuple(f"unknown field {key}" for key in entity if key not in _ENTITY_FIELDS)
        certain, perhaps, reasons = self._selected(entity)
        for key in ("nets", "notNets"):
            if entity.get(key):
                inside, maybe = self._covering(nets_of(entity[key]))
                within = inside if key == "nets" else self.universe.everybody & ~inside & ~maybe
                perhaps = (certain & maybe) | (perhaps & (within | maybe))
                certain &= within
                reasons = (*reasons, UNKNOWN_ADDRESS) if perhaps & maybe else reasons
        if unknown:
            certain, perhaps, reasons = 0, certain | perhaps, (*reasons, *unknown)
        return Meant(certain, perhaps & ~certain, reasons if perhaps & ~certain else ())

    def _selected(self, entity: Mapping[str, Any]) -> tuple[Mask, Mask, tuple[str, ...]]:
        selector, exclude = str(entity.get("selector") or ""), str(entity.get("notSelector") or "")
        namespaces = str(entity.get("namespaceSelector") or "")
        accounts = entity.get("serviceAccounts")
        accounts = accounts if isinstance(accounts, Mapping) else {}
        names, account = items(accounts.get("names")), str(accounts.get("selector") or "")
        labelled, universe = self.labelled, self.universe
        if not (selector or exclude or namespaces or names or account):
            return universe.everybody, 0, ()
        found = labelled.everything
        if selector:
            found &= labelled.selected(selector)
        if names or account:
            found &= labelled.of_account(names, account)
        if namespaces:
            found &= labelled.in_namespace(namespaces)
        elif self.namespace:
            found &= labelled.of_namespace(self.namespace)
        positive = bool(selector or names or account or namespaces or self.namespace)
        certain = labelled.endpoints(found) if positive else universe.everybody
        if exclude:
            certain &= ~labelled.endpoints(labelled.selected(exclude))
        # A controller that is not among the objects is nowhere in this policy's own namespace.
        elsewhere = bool(namespaces) or not self.namespace
        perhaps = universe.controllers if elsewhere and namespaces.replace(" ", "") != "global()" else 0
        free = all(not calico_selector(each).keys() for each in (selector, namespaces) if "global" not in each)
        if free and perhaps and not (exclude or names or account):
            return certain | perhaps, 0, ()
        return certain & ~perhaps, perhaps, (UNKNOWN_CONTROLLER,)

    def _covering(self, addresses: AddressSet) -> tuple[Mask, Mask]:
        """Who lies in these addresses, and who perhaps does. A workload of which nothing says its address is inside of
        all of IPv4 only: what a policy names by its block is taken to be outside the cluster.
        """
        placed = self.labelled.placed(addresses)
        inside = (self.universe.inside(addresses) & ~self.universe.workloads) | placed.inside
        if not AddressSet.V4 - addresses:
            inside |= self.universe.controllers
        return inside, placed.perhaps

    def services(self, entity: Mapping[str, Any]) -> list[tuple[Mask, PortSet]] | None:
        """What a `services` match leads to: workloads and ports; None where the objects do not say."""
        written = entity["services"]
        service = self.universe.world.service(str(written.get("namespace") or self.namespace), str(written.get("name")))
        if service is None or not service.selector:
            return None
        return [
            (
                1 << self.universe.position[pods.endpoint],
                PortSet.union(self.universe.world.target(pods, port) for port in service.ports),
            )
            for pods in self.universe.world.selected_by(service)
        ]

    def of_version(self, version: int) -> Meant:
        """Who speaks an IP version: parts of the outside for certain, workloads too for IPv4."""
        family = AddressSet.V4 if version == 4 else AddressSet.V6
        outside = mask_of(
            position
            for position, each in enumerate(self.universe.endpoints)
            if isinstance(each, Addresses) and each.addresses <= family
        )
        inner = self.universe.everybody & ~self.universe.outside
        if version == 4:
            return Meant(outside | inner)
        return Meant(outside, inner, ("whether pods have IPv6 addresses is not known",))


def ports_of(rule: Mapping[str, Any], destination: Mapping[str, Any]) -> Ports:
    """The destination ports of a rule. Raises ValueError for a protocol or port that Calico refuses."""
    base = PortSet.ALL
    protocol = rule.get("protocol")
    if protocol is not None:
        base = _protocol(protocol)
    if rule.get("notProtocol") is not None:
        base -= _protocol(rule["notProtocol"])
    name = protocol.upper() if isinstance(protocol, str) and not protocol.isdecimal() else None
    if isinstance(protocol, int) or (isinstance(protocol, str) and protocol.isdecimal()):
        name = _NUMBERS.get(int(protocol))
    include = tuple(_terms(destination.get("ports"), name)) if destination.get("ports") else None
    return Ports(base, include, tuple(_terms(destination.get("notPorts"), name)))


def _protocol(written: Any) -> PortSet:
    if isinstance(written, int) or (isinstance(written, str) and written.isdecimal()):
        return PortSet.protocol(_NUMBERS.get(int(written), ""))
    name = str(written).upper()
    if name in PROTOCOLS or name in _OTHERS:
        return PortSet.protocol(name)
    raise ValueError(f"unknown protocol {written!r}")


def _terms(written: Any, protocol: str | None) -> Iterator[PortSet | NamedPort]:
    for each in written or ():
        text = str(each)
        first, colon, last = text.partition(":")
        if text.isdecimal():
            yield _everywhere(int(text), int(text))
        elif colon and first.isdecimal() and last.isdecimal() and int(first) <= int(last):
            yield _everywhere(int(first), int(last))
        elif colon:
            raise ValueError(f"illegal port range {text!r}")
        else:
            yield NamedPort(text, protocol)


def _everywhere(first: int, last: int) -> PortSet:
    """Ports of every protocol: the rule's own protocol narrows them."""
    return PortSet.union(PortSet.range(protocol, first, last) for protocol in PROTOCOLS)

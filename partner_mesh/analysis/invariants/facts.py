"""What invariants ask of: the objects, the mesh, the table and the journeys, each found once and only if asked for."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Final

from partner_mesh.analysis.gateways import GatewayProxy
from partner_mesh.analysis.journeys import Journey
from partner_mesh.analysis.layers import Addresses, Because, Verdict, Workload
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.mesh_config import NETWORKING
from partner_mesh.analysis.pods import Pods
from partner_mesh.analysis.reachability import Reach, mesh_layers
from partner_mesh.analysis.registry import full_name
from partner_mesh.analysis.resources import Loaded, Resource
from partner_mesh.analysis.security_groups import SecurityGroupLayer
from partner_mesh.analysis.selectors import positions
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.through_gateways import journeys, mesh_of
from partner_mesh.analysis.topology import World
from partner_mesh.model.names import MANAGED_BY, MANAGED_BY_LABEL

# Not the internet: private, shared, loopback, link-local and multicast ranges (IANA's special-purpose registries).
_PRIVATE: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3",
)  # fmt: skip
INTERNET: Final = (AddressSet.V4 - AddressSet.union(AddressSet.of(each) for each in _PRIVATE)) | AddressSet.of(
    "2000::/3"
)
SYSTEM: Final = ("kube-system", "kube-public", "kube-node-lease")


class Facts:
    """One set of objects, judged as of a day."""

    def __init__(self, loaded: Loaded, today: date) -> None:
        self.today = today
        self.world = World(loaded)
        self.mesh = Mesh(self.world)
        self.groups = SecurityGroupLayer(self.world)

    @classmethod
    def of(cls, reach: Reach, today: date) -> "Facts":
        """Of a table that is there already: what it has found of its objects is not found again."""
        facts = cls.__new__(cls)
        facts.today, facts.world, facts.mesh = today, reach.world, mesh_of(reach)
        groups = (each for each in reach.layers if isinstance(each, SecurityGroupLayer))
        facts.groups = next(groups, None) or SecurityGroupLayer(reach.world)
        facts.reach = reach
        return facts

    @cached_property
    def packets(self) -> Reach:
        """The layers that judge packets alone: no sidecar is trusted to hold anything back."""
        return Reach(self.world, [self.groups])

    @cached_property
    def reach(self) -> Reach:
        """Every layer."""
        return Reach(self.world, [self.groups, *mesh_layers(self.mesh)])

    @cached_property
    def journeys(self) -> tuple[Journey, ...]:
        """Every way through a gateway, refused ones too."""
        return tuple(journeys(self.reach, self.mesh))

    @cached_property
    def arrivals(self) -> tuple[Journey, ...]:
        """The journeys that come about, or of which that cannot be excluded."""
        return tuple(each for each in self.journeys if each.fate.verdict is not Verdict.DENIED)

    @property
    def gateways(self) -> tuple[GatewayProxy, ...]:
        """The workloads that are gateways."""
        return tuple(self.mesh.gateways.proxies.values())

    def guarded(self, pods: Pods) -> bool:
        """Whether a workload is one that the invariants are about: of the mesh, or managed, or in its namespace.

        Without a mesh that is everybody but the cluster's own.
        """
        if pods.namespace in SYSTEM:
            return False
        if not self.mesh.present:
            return True
        bond = self.mesh.bond(pods.endpoint)
        if bond.proxied or bond.ambient or pods.namespace_labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
            return True
        return self.mesh.injection.injected(pods.namespace, pods.namespace_labels, {}, {})

    def leads_out(self, pods: Pods) -> bool:
        """Whether a workload is an egress gateway: it serves the mesh, or says so by its name."""
        bond = self.mesh.bond(pods.endpoint)
        if bond.gateway is None:
            return False
        named = f"{pods.labels.get('istio', '')} {pods.endpoint.name} {pods.namespace}"
        return "egress" in named or any(each.tls == "ISTIO_MUTUAL" for each in bond.gateway.servers)

    @cached_property
    def subsets(self) -> frozenset[tuple[str, str]]:
        """(host, subset) of every DestinationRule, whoever sees it."""
        return frozenset(
            (full_name(str(resource.spec.get("host") or ""), resource.namespace), str(subset.get("name")))
            for resource in self.world.of(NETWORKING, "DestinationRule")
            for subset in resource.spec.get("subsets") or ()
            if isinstance(subset, Mapping)
        )

    def groups_admit(self, workload: Workload, caller: Addresses, ports: PortSet) -> bool:
        """Whether the groups of a workload admit addresses by address; where it has no group nothing refuses them."""
        opinions = self.groups.opinions(caller, workload, ports)
        if not opinions:
            return True
        return any(
            each.verdict is not Verdict.DENIED and any(_names_addresses(b, caller.addresses) for b in each.because)
            for each in opinions
        )

    def at(self, journey: Journey) -> Resource | None:
        """The last object that decided a journey's fate and is one: where a finding about it belongs."""
        return next((each.resource for each in reversed(journey.fate.because) if each.resource is not None), None)


def _names_addresses(because: Because, addresses: AddressSet) -> bool:
    """Whether the security-group rule that decided names these addresses itself."""
    if because.resource is None:
        return False
    rule: object = because.resource.document()
    for step in because.path:
        if isinstance(rule, Mapping):
            rule = rule.get(step)
        elif isinstance(rule, list) and isinstance(step, int):
            rule = rule[step]
    blocks = rule.get("cidrBlocks") if isinstance(rule, Mapping) else None
    try:
        return any(bool(AddressSet.of(str(each)) & addresses) for each in blocks or ())
    except ValueError:
        return True


def outwards(
    reach: Reach, sources: list[Workload], wanted: AddressSet
) -> Iterator[tuple[Workload, Addresses, PortSet, Verdict, tuple[Because, ...]]]:
    """Connections of workloads to the parts of `wanted` that are not refused."""
    parts = [each for each in reach.universe.endpoints if isinstance(each, Addresses) and each.addresses & wanted]
    results = reach.results(sources, parts)
    for number, row in zip(results.sources, results.rows, strict=True):
        source = results.endpoints[number]
        for mask, decisions in row:
            for decision in decisions:
                if decision.verdict is Verdict.DENIED or not isinstance(source, Workload):
                    continue
                for position in positions(mask):
                    part = results.endpoints[position]
                    if isinstance(part, Addresses):
                        both = Addresses(part.addresses & wanted)
                        yield source, both, decision.ports, decision.verdict, decision.decided_by


def shown_because(because: tuple[Because, ...]) -> str:
    """The first few deciding objects, for a sentence."""
    names = list(dict.fromkeys(each.object for each in because))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def shown_addresses(addresses: AddressSet, limit: int = 3) -> str:
    """The first few blocks of a set; the whole internet by its name."""
    if addresses & INTERNET == INTERNET:
        return "the whole internet"
    blocks = addresses.cidrs()
    return ", ".join(blocks[:limit]) + (f" and {len(blocks) - limit} more blocks" if len(blocks) > limit else "")

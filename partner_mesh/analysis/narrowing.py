"""A comparison of two large worlds kept to what the changed objects can affect.

One partner of a thousand changes: the others' gateways, routes and rules decide nothing of what it gains or loses,
because hosts keep them apart. What is left out must be provably without influence; where that is not plain, nothing is
left out. Only objects of partners are: unchanged, of a partner none of whose objects changed, for exact hosts that no
changed partner uses. Packets are compared over all of their policies first: where they change for a workload, whoever
is routed to that workload stays.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.gateways import PARTNER_LABEL
from partner_mesh.analysis.invariants.plaintext import tls_settings
from partner_mesh.analysis.mesh_config import NETWORKING, SECURITY, selector
from partner_mesh.analysis.object_changes import ObjectChanges
from partner_mesh.analysis.registry import full_name
from partner_mesh.analysis.resources import Loaded, Resource
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.topology import NAME_LABEL
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass, field

_CALICO: Final = ("projectcalico.org", "crd.projectcalico.org")
# Changed objects of these kinds affect what can be told from themselves; any other kind, and the whole is compared.
CONFINED: Final = frozenset({
    (NETWORKING, "Gateway"), (NETWORKING, "VirtualService"), (NETWORKING, "ServiceEntry"),
    (NETWORKING, "DestinationRule"), (SECURITY, "AuthorizationPolicy"), ("networking.k8s.io", "NetworkPolicy"),
    *((group, "NetworkSet") for group in _CALICO),
})  # fmt: skip
# No layer reads these: a change of theirs changes nobody's access.
UNREAD: Final = frozenset({
    ("external-secrets.io", "ExternalSecret"), ("monitoring.coreos.com", "PrometheusRule"),
    ("telemetry.istio.io", "Telemetry"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What is left to compare."""

    before: Loaded
    after: Loaded
    changed: tuple[Resource, ...]  # of both sides, that layers read


@dataclass(slots=True)
class _Touched:
    """Everything that the objects of changed partners name, on both sides."""

    hosts: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    subsets: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    nets: AddressSet = AddressSet.NONE


def narrowed(
    before: Loaded, after: Loaded, changes: ObjectChanges, kept: frozenset[str] = frozenset()
) -> Narrowed | None:
    """Both sides without the other partners' objects; None where the whole must be compared.

    `kept` are partners whose objects stay although none of them changed.
    """
    read = tuple(each for each in changes.touched if (each.group, each.kind) not in UNREAD)
    partners = {each.labels.get(PARTNER_LABEL, "") for each in read}
    if "" in partners or any((each.group, each.kind) not in CONFINED for each in read):
        return None
    partners |= kept
    both = (*before.resources, *after.resources)
    touched = _touched(each for each in both if each.labels.get(PARTNER_LABEL) in partners)
    # Whose CA signs for another's clients too, is met at both hosts.
    while touched is not None and (sharing := _sharing(both, touched.credentials) - partners):
        partners |= sharing
        touched = _touched(each for each in both if each.labels.get(PARTNER_LABEL) in partners)
    if touched is None or not all(_confined(each) for each in read):
        return None
    if any(each.kind == "Pod" for each in both):  # running Pods have addresses, which blocks may mean
        return None
    guarded, isolated = (of(before) & of(after) for of in (_guarded, _isolated))
    left_out = {
        each.key
        for each in after.resources
        if each.labels.get(PARTNER_LABEL, "") not in partners
        and PARTNER_LABEL in each.labels
        and _without_influence(each, touched, guarded, isolated)
    }
    left_out -= _examples(each for each in after.resources if each.key in left_out)
    return Narrowed(_without(before, left_out), _without(after, left_out), read)


def _sharing(resources: Iterable[Resource], credentials: set[str]) -> set[str]:
    """The partners who are asked for certificates of one of these CAs."""
    return {
        each.labels[PARTNER_LABEL]
        for each in resources
        if each.kind == "Gateway" and PARTNER_LABEL in each.labels
        for server in _mappings(each.spec.get("servers"))
        if str(_mapping(server.get("tls")).get("credentialName") or "") in credentials - {""}
    }


def _examples(left_out: Iterable[Resource]) -> set[tuple[str, str, str, str]]:
    """One Gateway for each way in which pods become a gateway: without any, its pods would be no gateway at all."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for each in left_out:
        if each.kind == "Gateway":
            ways = [(_mapping(server.get("port")).get("number"), _mapping(server.get("tls")).get("mode"))
                    for server in _mappings(each.spec.get("servers"))]  # fmt: skip
            found.setdefault(str((each.namespace, each.spec.get("selector"), ways)), each.key)
    return set(found.values())


def _without(loaded: Loaded, keys: set[tuple[str, str, str, str]]) -> Loaded:
    return Loaded(tuple(each for each in loaded.resources if each.key not in keys), loaded.notes)


def _guarded(loaded: Loaded) -> frozenset[str]:
    """Namespaces where a policy of nobody's partner refuses what no rule admits: others' rules may go there."""
    return frozenset(
        each.namespace
        for each in loaded.resources
        if (each.group, each.kind) == (SECURITY, "AuthorizationPolicy")
        and PARTNER_LABEL not in each.labels
        and not selector(each)
        and str(each.spec.get("action") or "ALLOW") == "ALLOW"
    )


def _isolated(loaded: Loaded) -> frozenset[str]:
    """Namespaces all of whose pods a policy of nobody's partner isolates both ways."""
    return frozenset(
        each.namespace
        for each in loaded.resources
        if each.kind == "NetworkPolicy"
        and each.group == "networking.k8s.io"
        and PARTNER_LABEL not in each.labels
        and not each.spec.get("podSelector")
        and {"Ingress", "Egress"} <= set(items(each.spec.get("policyTypes")))
    )


def near(loaded: Loaded, namespaces: frozenset[str], addresses: AddressSet) -> frozenset[str]:
    """The partners who have to do with any of these namespaces, or call from these addresses."""
    return frozenset(
        each.labels[PARTNER_LABEL]
        for each in loaded.resources
        if PARTNER_LABEL in each.labels
        and (
            each.namespace in namespaces
            or any(f".{name}.svc" in str(each.body) for name in namespaces)
            or not {"*", *namespaces}.isdisjoint(map(str, items(each.spec.get("exportTo"))))
            or (each.kind == "NetworkSet" and bool(nets(each) & addresses))
        )
    )


# What changed partners name --------------------------------------------------------------------------------------


def _touched(resources: Iterable[Resource]) -> _Touched | None:
    """None for a wildcard: it would touch hosts that nobody can list."""
    found = _Touched()
    for resource in resources:
        hosts = _hosts(resource)
        if any("*" in each for each in hosts):
            return None
        found.hosts.update(hosts)
        found.namespaces.add(resource.namespace)
        for server in _mappings(resource.spec.get("servers")):
            found.credentials.add(str(_mapping(server.get("tls")).get("credentialName") or ""))
        found.subsets.update(_named_subsets(resource.spec))
        if resource.kind == "NetworkPolicy":
            peers, exact = _peers(resource)
            if not exact:
                return None
            found.namespaces.update(peers)
        elif resource.kind == "NetworkSet":
            found.nets |= nets(resource)
    return found


def _confined(resource: Resource) -> bool:
    """Whether a changed object's reach is what `_touched` gathers of it."""
    spec = resource.spec
    if resource.kind == "ServiceEntry":
        return (
            not spec.get("addresses") and not spec.get("workloadSelector") and spec.get("location") != "MESH_INTERNAL"
        )
    if resource.kind == "AuthorizationPolicy":
        return str(spec.get("action") or "ALLOW") == "ALLOW" and bool(_hosts(resource)) and _every_rule_names(resource)
    if resource.kind == "Gateway":
        return all(_mapping(each.get("tls")).get("mode") == "MUTUAL" for each in _mappings(spec.get("servers")))
    if resource.kind == "DestinationRule":
        inside = ".svc.cluster.local" in full_name(str(spec.get("host") or ""), resource.namespace)
        return not inside or all(each.get("mode") == "ISTIO_MUTUAL" for each in tls_settings(resource))
    return True


def _hosts(resource: Resource) -> list[str]:
    """Every host that an object is about, in lower case; of `h:*` it is `h`."""
    spec = resource.spec
    found: list[str] = []
    match resource.kind:
        case "Gateway":
            for server in _mappings(spec.get("servers")):
                found += [str(each).rpartition("/")[2] for each in items(server.get("hosts"))]
        case "VirtualService" | "ServiceEntry":
            found += [str(each) for each in items(spec.get("hosts"))]
        case "DestinationRule":
            host = str(spec.get("host") or "")
            found += [] if ".svc.cluster.local" in full_name(host, resource.namespace) else [host]
        case "AuthorizationPolicy":
            for operation in _operations(resource):
                found += [str(each) for each in items(operation.get("hosts"))]
        case _:
            pass
    return list(dict.fromkeys(each.lower().removesuffix(":*") for each in found))


def _operations(resource: Resource) -> Iterator[Mapping[str, Any]]:
    for rule in _mappings(resource.spec.get("rules")):
        for each in _mappings(rule.get("to")) or [{}]:
            yield _mapping(each.get("operation"))


def _every_rule_names(resource: Resource) -> bool:
    """Whether no rule speaks of every host."""
    return all(each.get("hosts") for each in _operations(resource))


def _named_subsets(value: Any) -> Iterator[str]:
    """Every subset that an object declares or leads to."""
    if isinstance(value, Mapping):
        if isinstance(value.get("subset"), str):
            yield value["subset"]
        for each in _mappings(value.get("subsets")):
            yield str(each.get("name") or "")
        for each in value.values():
            yield from _named_subsets(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named_subsets(each)


def _peers(resource: Resource) -> tuple[set[str], bool]:
    """The namespaces that a NetworkPolicy's peers name, and whether each peer names one exactly, or is a block."""
    found: set[str] = set()
    exact = True
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in _mappings(resource.spec.get(direction)):
            peers = _mappings(rule.get(side))
            exact = exact and bool(peers)
            for peer in peers:
                labels = _mapping(_mapping(peer.get("namespaceSelector")).get("matchLabels"))
                if NAME_LABEL in labels:
                    found.add(str(labels[NAME_LABEL]))
                elif "ipBlock" not in peer:
                    exact = False
    return found, exact


def blocks(resource: Resource) -> list[AddressSet]:
    """The address blocks of a NetworkPolicy's peers."""
    found: list[AddressSet] = []
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in _mappings(resource.spec.get(direction)):
            for peer in _mappings(rule.get(side)):
                cidr = _mapping(peer.get("ipBlock")).get("cidr")
                found += [AddressSet.of(str(cidr))] if cidr else []
    return found


def nets(resource: Resource) -> AddressSet:
    """The addresses of a NetworkSet."""
    return AddressSet.union(AddressSet.of(str(each)) for each in items(resource.spec.get("nets")))


# What others' objects may decide -----------------------------------------------------------------------------------


def _without_influence(
    resource: Resource, touched: _Touched, guarded: frozenset[str], isolated: frozenset[str]
) -> bool:
    hosts = _hosts(resource)
    apart = bool(hosts) and not any("*" in each or each in touched.hosts for each in hosts)
    match resource.group, resource.kind:
        case (group, "Gateway") if group == NETWORKING:
            decides = not (apart and _alone(resource, touched))
        case (group, "VirtualService") if group == NETWORKING:
            decides = not apart
        case (group, "ServiceEntry") if group == NETWORKING:
            decides = not (apart and _confined(resource))
        case (group, "DestinationRule") if group == NETWORKING:
            subsets_only = not resource.spec.get("trafficPolicy") and not hosts
            unnamed = subsets_only and touched.subsets.isdisjoint(_named_subsets(resource.spec))
            decides = not (_confined(resource) and (apart or unnamed))
        case (group, "AuthorizationPolicy") if group == SECURITY:
            decides = not (apart and resource.namespace in guarded and _confined(resource))
        case ("networking.k8s.io", "NetworkPolicy"):
            # Between other namespaces, or a touched one and others: it decides nothing between touched ones. What it
            # isolates is isolated without it.
            peers, exact = _peers(resource)
            elsewhere = resource.namespace not in touched.namespaces or touched.namespaces.isdisjoint(peers)
            spared = elsewhere and exact and bool(peers) and not blocks(resource)
            decides = not (spared and resource.namespace in isolated)
        case _:
            decides = True
    return not decides


def _alone(resource: Resource, touched: _Touched) -> bool:
    """Whether each server of a Gateway serves one exact host by MUTUAL with a CA of its own."""
    servers = _mappings(resource.spec.get("servers"))
    return all(
        len(items(server.get("hosts"))) == 1
        and _mapping(server.get("tls")).get("mode") == "MUTUAL"
        and str(_mapping(server.get("tls")).get("credentialName") or "") not in touched.credentials
        for server in servers
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []

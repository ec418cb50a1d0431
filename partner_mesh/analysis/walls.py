"""One layer alone: the objects of which it is made, and the ground that they stand on, without all other layers.

A stack refuses most connections several times over, at both ends and in several layers, so that one rule too wide lets
nobody through. Whether a change opens its own layer is seen when that layer stands alone. Network policies and security
groups are asked for each direction by itself: what the caller's end refuses hides nothing of the other end.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from partner_mesh.analysis.admin_policy import GROUP as ADMIN
from partner_mesh.analysis.layers import AUTHORISATION, NETWORK_POLICY, SECURITY_GROUP
from partner_mesh.analysis.mesh_config import NETWORKING, SECURITY
from partner_mesh.analysis.resources import Loaded, Resource
from partner_mesh.analysis.security_group_rules import DOCUMENTS
from partner_mesh.analysis.security_groups import POLICIES
from partner_mesh.model.record import dataclass, replace

_KUBERNETES: Final = "networking.k8s.io"
_CALICO: Final = ("projectcalico.org", "crd.projectcalico.org")
_NET_SETS: Final = ("NetworkSet", "GlobalNetworkSet")
_SIDES: Final = {"ingress": "Ingress", "egress": "Egress"}


@dataclass(frozen=True, slots=True)
class Wall:
    """A layer, and which of its directions or places."""

    layer: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.layer}, {self.part}" if self.part else self.layer


CALICO: Final = "Calico"
MESH: Final = "routes, mTLS and registry"
# A connection of the application's own, straight to a host, hides what a route through a gateway adds: not these.
ROUTES: Final = Wall(MESH, "where packets pass")
AT_GATEWAYS: Final = Wall(AUTHORISATION, "gateways")
AT_WORKLOADS: Final = Wall(AUTHORISATION, "workloads")


@dataclass(frozen=True, slots=True)
class Ground:
    """What must be known of a whole set of objects before it is taken apart."""

    gateways: frozenset[str]  # the namespaces in which gateways run
    root: str  # whose policies bind every namespace


def walls_of(resource: Resource, ground: Ground) -> tuple[Wall, ...]:
    """The walls in which an object stands; none where it says nothing that a layer alone could tell."""
    return _of_packets(resource) if _packets(resource) or resource.kind in _NET_SETS else _of_mesh(resource, ground)


def _of_packets(resource: Resource) -> tuple[Wall, ...]:
    group, kind = resource.group, resource.kind
    if group in _CALICO:
        # Behind Calico's last policy everything is refused: what a Deny does shows before a policy that admits all.
        return (Wall(CALICO, "refusals"),) if kind == "GlobalNetworkPolicy" else (Wall(CALICO),)
    if group == _KUBERNETES:
        return tuple(Wall(NETWORK_POLICY, side) for side in _SIDES if _binds(resource, side))
    return tuple(Wall(SECURITY_GROUP, side) for side in _SIDES) if group in (DOCUMENTS, POLICIES) else ()


def _of_mesh(resource: Resource, ground: Ground) -> tuple[Wall, ...]:
    group, kind = resource.group, resource.kind
    if kind == "ConfigMap" and resource.namespace == ground.root:  # the mesh's configuration
        return (Wall(MESH),)
    if kind == "AuthorizationPolicy" and group == SECURITY:
        if resource.namespace == ground.root:
            return AT_GATEWAYS, AT_WORKLOADS
        return (AT_GATEWAYS if resource.namespace in ground.gateways else AT_WORKLOADS,)
    found = (Wall(MESH), ROUTES) if group == NETWORKING else (Wall(MESH),)
    return found if group.endswith("istio.io") else ()


def alone(loaded: Loaded, wall: Wall, ground: Ground) -> Loaded:
    """The objects with that wall alone standing."""
    if wall.layer in (AUTHORISATION, MESH):
        return Loaded(tuple(each for each in loaded.resources if _with_the_mesh(each, wall, ground)))
    kept = [each for each in loaded.resources if not _of_the_mesh(each) and not _packets(each)]
    return Loaded((*kept, *_STANDING[wall.layer](loaded.resources, wall.part)))


def _with_the_mesh(resource: Resource, wall: Wall, ground: Ground) -> bool:
    policy = resource.kind == "AuthorizationPolicy" and resource.group == SECURITY
    if wall == ROUTES:
        return not policy
    if _packets(resource):
        return False
    if wall.layer == MESH:
        return not policy
    # The registry of the callers is another layer, and refuses them before they are asked who they are.
    if resource.kind in ("Sidecar", "ConfigMap"):
        return False
    here = (resource.namespace in ground.gateways) is (wall == AT_GATEWAYS)
    return not policy or here or resource.namespace == ground.root


def is_route(resource: Resource) -> bool:
    """Whether an object of the mesh leads requests somewhere, or says how: everything but policies."""
    return resource.group == NETWORKING


def _of_the_mesh(resource: Resource) -> bool:
    return resource.group.endswith("istio.io") or resource.kind == "ConfigMap"


def _packets(resource: Resource) -> bool:
    """Whether an object judges packets. The sets that Calico's rules name do not: they also say whose addresses are
    whose.
    """
    if resource.group == _KUBERNETES:
        return resource.kind == "NetworkPolicy"
    return resource.group in (*_CALICO, ADMIN, DOCUMENTS, POLICIES) and resource.kind not in _NET_SETS


def _network_policies(resources: Iterable[Resource], side: str) -> Iterable[Resource]:
    """Every policy that binds a direction, without what it says of the other."""
    for each in resources:
        if each.kind == "NetworkPolicy" and each.group == _KUBERNETES and _binds(each, side):
            spec = {key: value for key, value in each.spec.items() if key not in _SIDES or key == side}
            yield _with_spec(each, {**spec, "policyTypes": [_SIDES[side]]})


def _binds(resource: Resource, side: str) -> bool:
    """Whether a policy isolates this direction: as `policyTypes` says, else ingress always and egress if written."""
    types = resource.spec.get("policyTypes")
    if isinstance(types, list) and types:
        return _SIDES[side] in types
    return side == "ingress" or bool(resource.spec.get("egress"))


def _calico(resources: Iterable[Resource], part: str) -> Iterable[Resource]:
    yield from (each for each in resources if each.group in _CALICO and _packets(each))
    if part:
        yield _LAST


_LAST: Final = Resource(
    "projectcalico.org/v3", "GlobalNetworkPolicy", "", "zz-everything",
    body={"spec": {
        "order": 1_000_000, "selector": "all()", "types": ["Ingress", "Egress"],
        "ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}],
    }},
    metadata={"name": "zz-everything"},
)  # fmt: skip


def _security_groups(resources: Iterable[Resource], side: str) -> Iterable[Resource]:
    """Every group; those that pods hold let everything pass in the other direction."""
    found = [each for each in resources if each.group in (DOCUMENTS, POLICIES)]
    held = {
        str(name)
        for each in found
        if each.kind == "SecurityGroupPolicy"
        for name in _mapping(each.spec.get("securityGroups")).get("groupIds") or ()
    }
    other = "egress" if side == "ingress" else "ingress"
    for each in found:
        if each.kind != "SecurityGroup":
            yield each
        elif str(each.spec.get("groupId") or each.name) in held:
            yield _with_spec(each, {**each.spec, other: _EVERYTHING})
        else:  # a load balancer's: to the same groups, on every port
            written = each.spec.get(other)
            rules = [_every_port(rule) for rule in written] if isinstance(written, list) else written
            yield _with_spec(each, {**each.spec, other: rules})


def _every_port(rule: Any) -> Any:
    if not isinstance(rule, Mapping):
        return rule
    return {**{key: value for key, value in rule.items() if key not in ("fromPort", "toPort")}, "protocol": "-1"}


_EVERYTHING: Final = [{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0", "::/0"]}]
_STANDING: Final[Mapping[str, Callable[[Iterable[Resource], str], Iterable[Resource]]]] = {
    NETWORK_POLICY: _network_policies,
    CALICO: _calico,
    SECURITY_GROUP: _security_groups,
}


def _with_spec(resource: Resource, spec: Mapping[str, Any]) -> Resource:
    return replace(resource, body={**resource.body, "spec": spec})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

"""Objects that may refuse connections and whose rules are not modelled: what they touch is `unknown`, never a guess."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.attachments import primary_attachments
from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Policy, Ports, Rule, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import Mask, SelectorError, label_selector
from partner_mesh.analysis.universe import Universe
from partner_mesh.analysis.written import items


def _endpoint_selector(resource: Resource, universe: Universe) -> Mask:
    """Cilium: `spec.endpointSelector`, in the policy's namespace if it has one; several under `specs`."""
    home = universe.namespace(resource.namespace) if resource.namespace else universe.workloads
    written: list[Any] = [resource.body.get("spec"), *items(resource.body.get("specs"))]
    found = 0
    for spec in written:
        selector = spec.get("endpointSelector") if isinstance(spec, Mapping) else None
        if isinstance(selector, Mapping):
            try:
                found |= home & label_selector(selector).mask(universe.labels)
            except SelectorError:
                return home
    return found


def _cluster_policy(_: Resource, universe: Universe) -> Mask:
    return universe.workloads


UNREAD: Final = ("partner-mesh.dev", "Unread")  # stands for the objects of a kind that nobody was let read


def unread(group: str, kind: str) -> dict[str, Any]:
    """An object that says: there may be objects of this kind, and they were not read."""
    return {"apiVersion": f"{UNREAD[0]}/v1", "kind": UNREAD[1], "metadata": {"name": f"{kind}.{group}"}}


_KINDS: Final[Mapping[tuple[str, str], Callable[[Resource, Universe], Mask]]] = {
    ("cilium.io", "CiliumNetworkPolicy"): _endpoint_selector,
    ("cilium.io", "CiliumClusterwideNetworkPolicy"): _endpoint_selector,
    ("crd.antrea.io", "NetworkPolicy"): _cluster_policy,
    ("crd.antrea.io", "ClusterNetworkPolicy"): _cluster_policy,
    UNREAD: _cluster_policy,
    ("k8s.ovn.org", "EgressFirewall"): lambda resource, universe: universe.namespace(resource.namespace),
}


def tiers(universe: Universe, notes: list[Note]) -> Iterator[Tier]:
    """One tier, asked first, of doubts about everything that such objects may touch."""
    policies: list[Policy] = []
    for (group, kind), touched in _KINDS.items():
        for resource in universe.world.of(group, kind):
            if subjects := touched(resource, universe):
                reason = "they were not read" if (group, kind) == UNREAD else f"{kind} is not modelled"
                if (group, kind) != UNREAD:  # whoever was refused has said so
                    notes.append(Note(resource.source, f"{resource.title}: {reason}: what it touches is unknown"))
                because = Because.of(NETWORK_POLICY, resource)
                rule = Rule(Action.PASS, 0, Ports(), because, universe.everybody, reason)
                policies.append(Policy(resource, (0.0, resource.title), subjects, (rule,), (rule,)))
    for resource in primary_attachments(universe.world):
        reason = "a primary network written as an attachment definition is not modelled"
        notes.append(Note(resource.source, f"{resource.title}: {reason}: what it touches is unknown"))
        rule = Rule(Action.PASS, 0, Ports(), Because.of(NETWORK_POLICY, resource), universe.everybody, reason)
        subjects = universe.namespace(resource.namespace)
        policies.append(Policy(resource, (0.0, resource.title), subjects, (rule,), (rule,)))
    if policies:
        yield Tier("not modelled", float("-inf"), tuple(policies), Action.PASS)

"""Calico's policies as tiers of rules (projectcalico.org/v3, and crd.projectcalico.org/v1 beneath it).

Tiers run in their order, policies in theirs within a tier; Kubernetes policies stand in the tier `default` at 1000.
Where a tier holds a policy for a workload and no rule matches, the tier's default action decides: to deny, unless it
says Pass. What no tier decides the workload's Profiles do, one after the other, and the last refuses what is left;
those that nobody wrote are Calico's own, and allow.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from partner_mesh.analysis.calico_endpoints import allows_everything, says_nothing
from partner_mesh.analysis.calico_labels import Labelled, addresses_of, nets_of, of_kind
from partner_mesh.analysis.calico_policy import PolicyReader, entity_of, rules_of
from partner_mesh.analysis.layers import NETWORK_POLICY, Because
from partner_mesh.analysis.policies import Action, Policy, Ports, Rule, Tier
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.selectors import mask_of, positions
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe
from partner_mesh.model.record import replace

DEFAULT_TIER: Final = "default"
DEFAULT_ORDER: Final = 1_000_000.0  # of the default tier, since it has one
_KINDS: Final = ("NetworkPolicy", "GlobalNetworkPolicy")


def address_sets(world: World) -> Iterator[AddressSet]:
    """The nets that rules and network sets name; broken ones are told of when the policy is read."""
    for kind in ("NetworkSet", "GlobalNetworkSet", "HostEndpoint"):
        for each in of_kind(world, kind):
            try:
                yield addresses_of(each)
            except (ValueError, TypeError):
                continue
    written: list[Any] = [
        entity_of(rule, side).get(key)
        for kind in (*_KINDS, "Profile")
        for resource in of_kind(world, kind)
        for rule in (*rules_of(resource, "ingress"), *rules_of(resource, "egress"))
        for side in ("source", "destination")
        for key in ("nets", "notNets")
    ]
    for nets in written:
        if nets:
            try:
                yield nets_of(nets)
            except (ValueError, TypeError):
                continue


def tiers(universe: Universe, kubernetes: Sequence[Policy], notes: list[Note]) -> list[Tier]:
    """Every tier that holds a policy; the Kubernetes policies join the default tier."""
    labelled = Labelled(universe)
    found: dict[str, list[Policy]] = {DEFAULT_TIER: list(kubernetes)}
    forwarding: list[Resource] = []
    for kind in _KINDS:
        for resource in of_kind(universe.world, kind):
            tier = str(resource.spec.get("tier") or DEFAULT_TIER)
            reader = PolicyReader(resource, labelled, notes)
            found.setdefault(tier, []).append(reader.policy())
            if reader.on_hosts():
                forwarding.append(resource)
    for kind in ("StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"):
        notes += [
            Note(resource.source, f"{resource.title} is staged: it is not enforced and not counted")
            for resource in of_kind(universe.world, kind)
        ]
    known = {each.name: each for each in of_kind(universe.world, "Tier")}
    written = [_tier(name, policies, known.get(name), notes) for name, policies in found.items() if policies]
    return [*written, *_profiles(labelled, notes), *_forwarded(universe, forwarding, notes)]


def _profiles(labelled: Labelled, notes: list[Note]) -> Iterator[Tier]:
    """The Profiles of the workloads whose first one somebody wrote; the others have Calico's own, which allow."""
    having: dict[tuple[int, str], list[int]] = {}
    for position in positions(labelled.universe.workloads):
        names = labelled.profiles_of(position)
        if labelled.profiles or not (allows_everything(names[0]) or says_nothing(names[0])):
            for index, name in enumerate(names):
                if name in labelled.profiles or not says_nothing(name):
                    having.setdefault((index, name), []).append(position)
                if allows_everything(name) and name not in labelled.profiles:
                    break
    if any(not (index == 0 and allows_everything(name) and name not in labelled.profiles) for index, name in having):
        policies = [_profile(labelled, name, index, mask_of(who), notes) for (index, name), who in having.items()]
        yield Tier("profiles", math.inf, tuple(sorted(policies, key=lambda policy: policy.order)))


def _profile(labelled: Labelled, name: str, index: int, subjects: int, notes: list[Note]) -> Policy:
    if name in labelled.profiles:
        return PolicyReader(labelled.profiles[name], labelled, notes).profile(index, subjects)
    generated = Resource("projectcalico.org/v3", "Profile", "", name)
    because = Because.of(NETWORK_POLICY, generated)
    if allows_everything(name):
        rules = (Rule(Action.ALLOW, labelled.universe.everybody, Ports(), because),)
        return Policy(generated, (index, name), subjects, rules, rules)
    reason = "it is not among the objects"
    notes.append(Note(generated.source, f"Profile {name}: {reason}"))
    rules = (Rule(Action.ALLOW, 0, Ports(), because, labelled.universe.everybody, reason),)
    return Policy(generated, (index, name), 0, rules, rules, subjects, reason)


def _forwarded(universe: Universe, written: Sequence[Resource], notes: list[Note]) -> Iterator[Tier]:
    """Doubts about everything that a host forwards, where policies of hosts judge that: between which nodes and pods
    the packets pass is not among the objects.
    """
    policies: list[Policy] = []
    reason = "what hosts do with packets that they forward is not modelled"
    for resource in written:
        notes.append(Note(resource.source, f"{resource.title} selects a HostEndpoint: {reason}"))
        rule = Rule(Action.PASS, 0, Ports(), Because.of(NETWORK_POLICY, resource), universe.everybody, reason)
        policies.append(Policy(resource, (0.0, resource.title), universe.workloads, (rule,), (rule,)))
    if policies:
        yield Tier("forwarded by hosts", -math.inf, tuple(policies), Action.PASS)


def _tier(name: str, policies: list[Policy], written: Resource | None, notes: list[Note]) -> Tier:
    ordered = tuple(sorted(policies, key=lambda policy: policy.order))
    if written is not None:
        order = written.spec.get("order")
        action = Action.PASS if written.spec.get("defaultAction") == "Pass" else Action.DENY
        usual = DEFAULT_ORDER if name == DEFAULT_TIER else math.inf
        return Tier(name, float(order) if isinstance(order, int | float) else usual, ordered, action)
    if name == DEFAULT_TIER:
        return Tier(name, DEFAULT_ORDER, ordered)
    reason = f"Tier {name} is not among the objects: its order is not known"
    notes.append(Note(ordered[0].resource.source, reason))
    doubtful = tuple(replace(each, subjects=0, perhaps=each.subjects | each.perhaps, reason=reason) for each in ordered)
    # Asked first, a doubt covers every order that the tier may have.
    return Tier(name, -math.inf, doubtful)

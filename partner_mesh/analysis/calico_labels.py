"""What Calico's selectors choose among: workloads, network sets and hosts, with the labels that Calico gives them."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from partner_mesh.analysis import calico_endpoints
from partner_mesh.analysis.calico_selectors import calico_selector
from partner_mesh.analysis.resources import Resource, string_map
from partner_mesh.analysis.selectors import LabelIndex, Mask, mask_of, positions
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.universe import Universe, union
from partner_mesh.analysis.written import items
from partner_mesh.model.record import dataclass

NAMESPACE_LABEL: Final = "projectcalico.org/namespace"
_NAME_LABEL: Final = "projectcalico.org/name"
_ACCOUNT_LABEL: Final = "projectcalico.org/serviceaccount"
_HANDED_DOWN: Final = {"kns": "pcns.", "ksa": "pcsa."}  # before the labels of a Namespace and of a ServiceAccount
_EVERY_NAMESPACE: Final = re.compile(r"\ball\(\s*\)")


def of_kind(world: World, kind: str) -> list[Resource]:
    """Calico's objects of a kind: through its API server or as the custom resources beneath."""
    return [each for group in calico_endpoints.GROUPS for each in world.of(group, kind)]


def nets_of(values: Any) -> AddressSet:
    """The addresses of a list of nets. Raises ValueError for what is none."""
    return AddressSet.union(AddressSet.of(str(each)) for each in values or ())


def addresses_of(each: Resource) -> AddressSet:
    """What stands for a network set or a host wherever a selector finds it. Raises ValueError for what is none."""
    return nets_of(each.spec.get("expectedIPs" if each.kind == "HostEndpoint" else "nets"))


@dataclass(frozen=True, slots=True)
class Placed:
    """The workloads by whether their addresses lie in a block; `unknown` where nothing says what they are."""

    inside: Mask
    outside: Mask
    perhaps: Mask
    unknown: Mask


class Labelled:
    """Everything that a Calico selector can find: workloads by position, then network sets."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        sets = [*of_kind(universe.world, "NetworkSet"), *of_kind(universe.world, "GlobalNetworkSet")]
        hosts = of_kind(universe.world, "HostEndpoint")
        self.sets = [*sets, *hosts]
        self.profiles = {each.name: each for each in of_kind(universe.world, "Profile")}
        self._inherited: dict[tuple[str, ...], Mapping[str, str]] = {}
        self._size = len(universe.endpoints)
        self._pods: Mask = (1 << self._size) - 1
        self.hosts: Mask = ((1 << len(hosts)) - 1) << (self._size + len(sets))

    @cached_property
    def labels(self) -> LabelIndex:
        """Labels as Calico sees them: with namespace, orchestrator and service account, and those of profiles."""
        found: list[Mapping[str, str]] = [
            {
                **self._of_profiles(self.profiles_of(position)),
                "projectcalico.org/orchestrator": "k8s",
                **pods.labels,
                NAMESPACE_LABEL: pods.namespace,
                _ACCOUNT_LABEL: pods.service_account,
            }
            if pods
            else {}
            for position, pods in enumerate(self.universe.pods)
        ]
        for each in self.sets:
            inherited = self._of_profiles(tuple(map(str, items(each.spec.get("profiles")))))
            found.append({**inherited, **each.labels, **({NAMESPACE_LABEL: each.namespace} if each.namespace else {})})
        return LabelIndex(found)

    def profiles_of(self, position: int) -> tuple[str, ...]:
        """The profiles of a workload, in the order in which they are asked."""
        pods = self.universe.pods[position]
        if pods is None:
            return ()
        listed = self._listed.get((pods.namespace, pods.resource.name)) if self._listed else None
        return listed or calico_endpoints.usual_profiles(pods.namespace, pods.service_account)

    @cached_property
    def _listed(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return calico_endpoints.profiles_written(of_kind(self.universe.world, "WorkloadEndpoint"))

    def _of_profiles(self, names: tuple[str, ...]) -> Mapping[str, str]:
        """The labels that profiles hand down; of two that say one, the first. Felix: NamedPortIndex."""
        if names not in self._inherited:
            found: dict[str, str] = {}
            for name in reversed(names):
                found.update(self._of_profile(name))
            self._inherited[names] = found
        return self._inherited[names]

    def _of_profile(self, name: str) -> Mapping[str, str]:
        kind, _, home = name.partition(".")
        if name in self.profiles:
            return string_map(self.profiles[name].spec.get("labelsToApply"))
        if name.startswith(calico_endpoints.NAMESPACE_PROFILE):
            known = self.universe.world.namespaces.get(home, {})
        elif name.startswith(calico_endpoints.ACCOUNT_PROFILE):
            namespace, _, home = home.partition(".")
            known = self._account_labels.get((namespace, home), {})
        else:
            return {}
        prefix = _HANDED_DOWN[kind]
        return {**{prefix + key: value for key, value in known.items()}, prefix + _NAME_LABEL: home}

    @cached_property
    def _account_labels(self) -> dict[tuple[str, str], Mapping[str, str]]:
        return {(each.namespace, each.name): each.labels for each in self.universe.world.of("", "ServiceAccount")}

    @cached_property
    def namespaces(self) -> LabelIndex:
        """The labels of each one's namespace."""
        known = self.universe.world.namespaces
        names = [pods.namespace if pods else "" for pods in self.universe.pods] + [each.namespace for each in self.sets]
        return LabelIndex(
            [{**known.get(name, {}), _NAME_LABEL: name, NAMESPACE_LABEL: name} if name else {} for name in names]
        )

    @cached_property
    def accounts(self) -> LabelIndex:
        """The labels of each workload's ServiceAccount."""
        known = self._account_labels
        return LabelIndex([
            {**known.get((pods.namespace, pods.service_account), {}), _NAME_LABEL: pods.service_account} if pods else {}
            for pods in self.universe.pods
        ])  # fmt: skip

    @cached_property
    def everything(self) -> Mask:
        """Every workload and every network set."""
        return self.universe.workloads | (((1 << len(self.sets)) - 1) << self._size)

    def in_namespace(self, selector: str) -> Mask:
        """Whom a namespace selector means.

        `all()` is whoever is in a namespace, `global()` whoever is in none, wherever they stand in the expression. All
        else is asked of the namespace's labels; who has no namespace has none, so that `!=` holds (libcalico-go,
        getEndpointSelector).
        """
        written = _EVERY_NAMESPACE.sub(f"has({NAMESPACE_LABEL})", selector)
        return self.everything & calico_selector(written).mask(self.namespaces)

    def of_namespace(self, name: str) -> Mask:
        """Who is in one namespace."""
        return self.labels.values(NAMESPACE_LABEL).get(name, 0)

    def selected(self, selector: str) -> Mask:
        """Who is selected by labels."""
        return self.everything & calico_selector(selector).mask(self.labels)

    def of_account(self, names: Sequence[str], selector: str) -> Mask:
        """Workloads that run under one of these service accounts."""
        found = self.universe.workloads
        if selector:
            found &= calico_selector(selector).mask(self.accounts)
        if names:
            known = self.labels.values(_ACCOUNT_LABEL)
            found &= union(known.get(str(name), 0) for name in names)
        return found

    def endpoints(self, mask: Mask) -> Mask:
        """A mask over workloads and network sets as a mask over endpoints: a set is its addresses."""
        found = mask & self._pods
        for number in positions(mask >> self._size):
            found |= self.universe.inside(addresses_of(self.sets[number]))
        return found

    def placed(self, addresses: AddressSet) -> Placed:
        """Which workloads lie in a block: by their own addresses, else by the IPPools that give out all of them.

        Of both families the first counts: whoever has an IPv4 address is judged by it.
        """
        whole, pools = not AddressSet.V4 - addresses, self._pools
        sorted_into: dict[str, list[int]] = {"inside": [], "outside": [], "perhaps": [], "unknown": []}
        for position, pods in enumerate(self.universe.pods):
            if pods is not None:
                own = (pods.addresses & AddressSet.V4) or pods.addresses or pools
                if whole or (own and own <= addresses):
                    place = "inside"
                elif not own:
                    place = "unknown"
                else:
                    place = "perhaps" if own & addresses else "outside"
                sorted_into[place].append(position)
        return Placed(**{place: mask_of(who) for place, who in sorted_into.items()})

    @cached_property
    def _pools(self) -> AddressSet:
        """What IPPools give to pods, in the family that pods are judged by; nothing where one cannot be read."""
        try:
            found = nets_of([each.spec.get("cidr") for each in of_kind(self.universe.world, "IPPool")])
        except ValueError:
            return AddressSet.NONE
        return (found & AddressSet.V4) or found

"""Names: unique where objects would meet, and clear of what others own."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding

RESERVED_NAMESPACES: Final = frozenset(
    (
        "istio-system",
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "tigera-operator",
        "calico-system",
        "calico-apiserver",
        "external-secrets",
        "observability",
    )
)
_LONGEST_GATEWAY: Final = 40  # leaves room in a DNS label for `istio-`, `-sidecar` and a shard's bits


def unique_partners(world: World) -> Iterator[Finding]:
    """A partner's name stands in one file only."""
    seen: set[str] = set()
    for index, partner in world.partners.items():
        if partner.name in seen:
            yield Finding(
                ("partners", index, "name"),
                f"{partner.name} is already the name of another partner",
                "give each partner a name of its own, or move these entries into the other file",
            )
        seen.add(partner.name)


def unique_entries(world: World) -> Iterator[Finding]:
    """Objects are called `<partner>-<label>`, the label being an entry's `name` or its host's first label.

    No two entries of one direction may meet in one name: neither of one partner, nor `a-b` + `c` and `a` + `b-c`.
    """
    yield from _unique_labels(world.inbound())
    yield from _unique_labels(world.outbound())


def _unique_labels(entries: Iterable[tuple[Path, Partner, Inbound | Outbound]]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for path, partner, entry in entries:
        name = f"{partner.name}-{entry.label}"
        if name in owners:
            whose = "another entry's" if owners[name] == partner.name else f"those of partner {owners[name]}"
            reason = f"its objects would be called {name}, as {whose} are"
            yield Finding(path, reason, "give the entry a name of its own: name: …")
        owners.setdefault(name, partner.name)


def said_something(world: World) -> Iterator[Finding]:
    """A partner that may neither call nor be called is a file that does nothing."""
    for index, partner in world.partners.items():
        if not partner.inbound and not partner.outbound:
            reason = f"partner {partner.name} has neither inbound nor outbound entries"
            yield Finding(("partners", index), reason, "add an entry, or remove the file")
        if partner.hairpin and not (partner.inbound and partner.outbound):
            yield Finding(
                ("partners", index, "hairpin"),
                "the loopback test exercises both directions, and one of them is missing",
                "take hairpin away, or add the other direction",
            )


def free_namespaces(world: World) -> Iterator[Finding]:
    """Applications live in namespaces of their own: not in the system's, nor in a gateway's `istio-<name>`."""
    for name, application in world.applications.items():
        namespace = application.namespace
        taken = namespace in RESERVED_NAMESPACES or namespace.startswith("istio-")
        if taken:
            reason = f"{namespace} belongs to the platform"
            yield Finding(("applications", name, "namespace"), reason, f"use a namespace of its own, as {name}")


def gateway_names(world: World) -> Iterator[Finding]:
    """A gateway's name leaves room for its shards' (`<name>-edge`, `<name>-1`), and is not one of another's shards."""
    if world.platform is None:
        return
    partner_gateways = tuple(world.gateways("ingress", "partner"))
    for name in world.platform.gateways:
        place = ("platform", "gateways", name)
        if len(name) > _LONGEST_GATEWAY:
            yield Finding(place, "is too long a name for a gateway", f"use {_LONGEST_GATEWAY} characters at most")
        if name == "system":
            yield Finding(place, "its namespace would be istio-system", "give the gateway another name")
        for other in partner_gateways:
            if name != other and re.fullmatch(rf"{re.escape(other)}(-edge|-sidecar)?(-[01]+)?", name):
                reason = f"a shard of the gateway {other} could be called {name}"
                yield Finding(
                    place, reason, "give it a name that does not continue the other's with -edge, -sidecar or bits"
                )


def unique_policies(world: World) -> Iterator[Finding]:
    """Policies by hand are called `<name>` in their application's namespace: each name once there."""
    seen: dict[tuple[str, str], str] = {}
    for name, application in world.applications.items():
        for number, policy in enumerate(application.policies):
            key = (application.namespace, policy.name)
            if key in seen:
                place = ("applications", name, "policies", number, "name")
                yield Finding(place, f"{seen[key]} has a policy {policy.name} in this namespace", "rename one of them")
            seen.setdefault(key, name)


def known_namespaces(world: World) -> Iterator[Finding]:
    """Settings of a namespace (`mesh.namespaces`) are about namespaces in which applications run."""
    if world.platform is None or not world.complete:
        return
    namespaces = {application.namespace for application in world.applications.values()}
    for name, settings in world.platform.mesh.namespaces.items():
        place = ("platform", "mesh", "namespaces", name)
        if name not in namespaces:
            yield Finding(place, f"no application runs in {name}", "correct the name, or take the settings away")
        if settings.data_plane == "ambient" and world.platform.mesh.data_plane != "ambient":
            yield Finding(
                (*place, "dataPlane"), "ztunnel is not installed in this mesh", "set mesh.dataPlane: ambient as well"
            )


RULES: Final = {
    "unique-partner": unique_partners,
    "unique-entry": unique_entries,
    "empty-partner": said_something,
    "reserved-namespace": free_namespaces,
    "gateway-name": gateway_names,
    "unique-policy": unique_policies,
    "unknown-namespace": known_namespaces,
}

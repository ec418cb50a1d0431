"""One wall alone: the objects that stand between the same ends as one object does, without all other walls.

A stack refuses most connections several times over, at both ends and in several layers, so that one rule too wide lets
nobody through. Whether a fault opens its own wall is seen when that wall stands alone.
"""

from collections.abc import Iterable
from typing import Any, Final

Document = dict[str, Any]

PACKETS: Final = frozenset({"NetworkPolicy", "GlobalNetworkPolicy", "SecurityGroup", "SecurityGroupPolicy"})
CALICO: Final = frozenset({"GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet"})


def with_strangers(documents: list[Document]) -> list[Document]:
    """The stack and, in each of its namespaces and in one of its own, a workload that no policy means.

    A selector that is wider than it should be selects them; a peer that is wider than it should be admits them. The
    namespace of its own also holds a double of every workload, with its labels.
    """
    homes = [each["metadata"]["name"] for each in documents if each["kind"] == "Namespace"]
    elsewhere: Document = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "elsewhere", "labels": {"kubernetes.io/metadata.name": "elsewhere"}},
    }
    strangers = [_stranger(home, {"app": "stranger"}, "stranger") for home in (*homes, "elsewhere")]
    return [*documents, elsewhere, *strangers, *_doubles(documents, "elsewhere")]


def _labels(document: Document) -> dict[str, str]:
    """The labels of a workload's pods."""
    template = document.get("spec", {}).get("template", {}) if document["kind"] == "Deployment" else {}
    return dict(template.get("metadata", {}).get("labels", {}))


def _stranger(namespace: str, labels: dict[str, str], name: str) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": "stranger", "containers": [{"name": name}]},
            },
        },
    }


def wall_of(document: Document) -> tuple[str, str] | None:
    """Equal for objects of one wall; None for an object that stands in none."""
    kind, group = document["kind"], document["apiVersion"].partition("/")[0]
    home = str(document["metadata"].get("namespace", ""))
    if kind in CALICO or (kind == "NetworkPolicy" and group != "networking.k8s.io"):
        return "calico", "last" if kind == "GlobalNetworkPolicy" else ""
    if kind in ("NetworkPolicy", "AuthorizationPolicy"):
        return kind, home
    if kind == "SecurityGroupPolicy":
        return kind, ""
    if kind == "SecurityGroup":
        return kind, _group(document)
    return ("mesh", "") if group.endswith("istio.io") else None


def alone(documents: Iterable[Document], wall: tuple[str, str]) -> list[Document]:
    """The stack with only that wall standing; behind Calico's global policies one that admits everything."""
    found = [each for each in documents if _stands(each, wall)]
    if wall[0] == "SecurityGroup":
        homes = {each["metadata"].get("namespace") for each in found if _names(each, wall[1])}
        return [_around(each, wall[1]) for each in found if not _another(each, wall[1], homes)]
    if wall[0] == "NetworkPolicy":
        return [*found, *_doubles(found, wall[1])]
    return [*found, _LAST] if wall == ("calico", "last") else found


def _doubles(documents: list[Document], home: str) -> list[Document]:
    """A workload in one namespace for every look that pods have anywhere."""
    looks = dict.fromkeys(tuple(sorted(each.items())) for each in map(_labels, documents) if each)
    return [_stranger(home, dict(look), f"double-{number}") for number, look in enumerate(looks)]


_LAST: Final[Document] = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "zz-everything"},
    "spec": {
        "order": 1000000,
        "selector": "all()",
        "types": ["Ingress", "Egress"],
        "ingress": [{"action": "Allow"}],
        "egress": [{"action": "Allow"}],
    },
}


def _group(document: Document) -> str:
    """The identifier of a security group; "" for other objects."""
    if document["kind"] != "SecurityGroup":
        return ""
    return str(document.get("spec", {}).get("groupId") or document["metadata"]["name"])


def _names(document: Document, group: str) -> bool:
    """Whether a policy gives somebody the group."""
    if document["kind"] != "SecurityGroupPolicy":
        return False
    return group in (document.get("spec", {}).get("securityGroups") or {}).get("groupIds", ())


def _another(document: Document, group: str, homes: set[Any]) -> bool:
    """Whether a policy gives other groups to pods that may hold the group."""
    mine = document["metadata"].get("namespace") in homes
    return document["kind"] == "SecurityGroupPolicy" and mine and not _names(document, group)


def _around(document: Document, group: str) -> Document:
    """The surroundings of one group: whoever holds it holds no other, and the other groups let everything pass, so
    that whatever is refused, this group refuses.
    """
    if _names(document, group):
        return {**document, "spec": {**document.get("spec", {}), "securityGroups": {"groupIds": [group]}}}
    if _group(document) in ("", group):
        return document
    everything = [{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0", "::/0"], "securityGroups": [group]}]
    return {**document, "spec": {**document.get("spec", {}), "ingress": everything, "egress": everything}}


def _stands(document: Document, wall: tuple[str, str]) -> bool:
    """Whether an object belongs to a wall, or to the ground that it stands on."""
    kind, group = document["kind"], document["apiVersion"].partition("/")[0]
    home = document["metadata"].get("namespace", "")
    if wall[0] == "AuthorizationPolicy":
        outer = kind in PACKETS or kind in ("Sidecar", "ConfigMap")
        return not outer and (kind != "AuthorizationPolicy" or bool(home == wall[1]))
    if wall[0] == "mesh":
        return kind not in PACKETS and kind != "AuthorizationPolicy"
    if group.endswith("istio.io") or kind == "ConfigMap":
        return False
    own = {
        "NetworkPolicy": group == "networking.k8s.io" and home == wall[1],
        "calico": group.endswith("projectcalico.org"),
        "SecurityGroupPolicy": kind in ("SecurityGroup", "SecurityGroupPolicy"),
        "SecurityGroup": kind in ("SecurityGroup", "SecurityGroupPolicy"),
    }
    return kind not in PACKETS or bool(own[wall[0]])

"""What people write, of whatever type: each reader says which it takes, and anything else reads as nothing.

`faults` says where an object's fields are of a type that the API server would refuse, so that what reads as nothing is
told of and not passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.model.record import dataclass, field

_NAMES: Final[Mapping[type, str]] = {dict: "a mapping", list: "a list"}
_POD: Final[Mapping[str, type]] = {
    "metadata": dict,
    "metadata.labels": dict,
    "metadata.annotations": dict,
    "spec": dict,
    "spec.containers": list,
    "spec.containers[]": dict,
    "spec.containers[].ports": list,
    "spec.containers[].ports[]": dict,
    "spec.initContainers": list,
    "spec.initContainers[]": dict,
    "spec.initContainers[].ports": list,
    "spec.initContainers[].ports[]": dict,
    "spec.nodeSelector": dict,
}
_TEMPLATE: Final = {"spec": dict, "spec.template": dict, **{f"spec.template.{at}": kind for at, kind in _POD.items()}}
_INGRESS: Final[Mapping[str, type]] = {
    "spec": dict,
    "spec.defaultBackend": dict,
    "spec.defaultBackend.service": dict,
    "spec.rules": list,
    "spec.rules[]": dict,
    "spec.rules[].http": dict,
    "spec.rules[].http.paths": list,
    "spec.rules[].http.paths[]": dict,
    "spec.rules[].http.paths[].backend": dict,
    "spec.rules[].http.paths[].backend.service": dict,
}
_JOB: Final = {f"spec.jobTemplate.{at}": kind for at, kind in _TEMPLATE.items()}
SHAPES: Final[Mapping[str, Mapping[str, type]]] = {
    "Pod": _POD,
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"), _TEMPLATE
    ),
    "CronJob": {"spec": dict, "spec.jobTemplate": dict, **_JOB},
    "Service": {"spec": dict, "spec.selector": dict, "spec.ports": list, "spec.ports[]": dict},
    "Ingress": _INGRESS,
    "Route": {
        "spec": dict,
        "spec.to": dict,
        "spec.port": dict,
        "spec.alternateBackends": list,
        "spec.alternateBackends[]": dict,
    },
    "VirtualService": {
        "spec": dict,
        "spec.hosts": list,
        "spec.gateways": list,
        "spec.http": list,
        "spec.http[]": dict,
        "spec.http[].match": list,
        "spec.http[].match[]": dict,
        "spec.http[].route": list,
        "spec.http[].route[]": dict,
    },
    "Gateway": {"spec": dict, "spec.selector": dict, "spec.servers": list, "spec.servers[]": dict},
    "ServiceEntry": {"spec": dict, "spec.hosts": list, "spec.ports": list, "spec.ports[]": dict},
    "Sidecar": {"spec": dict, "spec.egress": list, "spec.egress[]": dict, "spec.egress[].hosts": list},
    "DestinationRule": {"spec": dict, "spec.trafficPolicy": dict, "spec.subsets": list},
    "AuthorizationPolicy": {
        "spec": dict,
        "spec.rules": list,
        "spec.rules[]": dict,
        "spec.rules[].from": list,
        "spec.rules[].to": list,
        "spec.rules[].when": list,
    },
    "PeerAuthentication": {"spec": dict, "spec.mtls": dict, "spec.portLevelMtls": dict},
    "RequestAuthentication": {"spec": dict, "spec.jwtRules": list, "spec.jwtRules[]": dict},
    "Namespace": {"metadata": dict, "metadata.labels": dict},
    "NetworkPolicy": {"spec": dict, "spec.policyTypes": list},
}


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or an empty one."""
    # `dict` is asked for first: nearly all are, and an abstract class takes five times as long to say so.
    return value if isinstance(value, (dict, Mapping)) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list."""
    return [each for each in value if isinstance(each, (dict, Mapping))] if isinstance(value, list) else []


def items(value: Any) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """A whole number, written as one or as text; None for anything else. `true` is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value) if len(value) < 20 else None
    return value if isinstance(value, int) else None


def port_number(value: Any) -> int | None:
    """A port number from 1 to 65535, or None."""
    number = whole(value)
    return number if number is not None and 1 <= number <= 65535 else None


def faults(kind: str, document: Mapping[str, Any]) -> Iterator[str]:
    """`spec.ports must be a list` for each field of the wrong type, in the order of the table."""
    if kind not in _TREES or _sound(document, _TREES[kind]):
        return
    for path, expected in SHAPES[kind].items():
        for place, value in _at(document, path.replace("[]", ".[]").split("."), ""):
            if value is not None and not isinstance(value, expected):
                yield f"{place} must be {_NAMES[expected]}, not {type(value).__name__}"


@dataclass(slots=True)
class _Node:
    """What a table says of one place and of those below it; `each` is every element of a list."""

    expected: type | None = None
    below: dict[str, "_Node"] = field(default_factory=dict)
    each: "_Node | None" = None


def _tree(shape: Mapping[str, type]) -> _Node:
    root = _Node()
    for path, expected in shape.items():
        node = root
        for step in path.replace("[]", ".[]").split("."):
            if step == "[]":
                node.each = node.each or _Node()
                node = node.each
            else:
                node = node.below.setdefault(step, _Node())
        node.expected = expected
    return root


_TREES: Final = {kind: _tree(shape) for kind, shape in SHAPES.items()}


def _sound(value: Any, node: _Node) -> bool:
    """Whether there is nothing to say: one walk over an object, for nearly all of them are right."""
    if value is None:
        return True
    if node.expected is not None and not isinstance(value, node.expected):
        return False
    if node.each is not None and isinstance(value, list):
        return all(_sound(each, node.each) for each in value)
    if node.below and isinstance(value, (dict, Mapping)):
        return all(_sound(value[key], below) for key, below in node.below.items() if key in value)
    return True


def _at(value: Any, steps: list[str], place: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield place, value
    elif steps[0] == "[]":
        for index, each in enumerate(items(value)):
            yield from _at(each, steps[1:], f"{place}[{index}]")
    elif isinstance(value, (dict, Mapping)) and steps[0] in value:
        yield from _at(value[steps[0]], steps[1:], f"{place}.{steps[0]}".lstrip("."))

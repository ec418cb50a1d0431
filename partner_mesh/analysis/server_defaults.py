"""What the API server fills in where nobody wrote anything: no drift, for nobody changed it.

Kubernetes' defaults (pkg/apis/*/v1/defaults.go) and what it assigns. A field that says something else than the default
stays, and so does one that nobody can have defaulted.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from partner_mesh.analysis.resources import Resource
from partner_mesh.model.record import replace

_Test = Callable[[Any], bool]


def _is(value: Any) -> _Test:
    return lambda written: bool(written == value)


def _assigned(written: Any) -> bool:
    """An address or a port that the server chose; `None` is a headless Service, which somebody asked for."""
    return written not in ("None", ["None"])


_PORT: Final = {"spec.ports[].protocol": _is("TCP"), "spec.ports[].nodePort": _assigned}
_POD: Final[Mapping[str, _Test]] = {
    "restartPolicy": _is("Always"),
    "dnsPolicy": _is("ClusterFirst"),
    "schedulerName": _is("default-scheduler"),
    "securityContext": _is({}),
    "terminationGracePeriodSeconds": _is(30),
    "containers[].imagePullPolicy": lambda value: value in ("Always", "IfNotPresent"),
    "containers[].resources": _is({}),
    "containers[].terminationMessagePath": _is("/dev/termination-log"),
    "containers[].terminationMessagePolicy": _is("File"),
    "containers[].ports[].protocol": _is("TCP"),
}
_TEMPLATE: Final = {f"spec.template.spec.{path}": test for path, test in _POD.items()}
_DEFAULTS: Final[Mapping[tuple[str, str], Mapping[str, _Test]]] = {
    ("", "Namespace"): {
        "spec": _is({"finalizers": ["kubernetes"]}),
        "spec.finalizers": _is(["kubernetes"]),
        "metadata.labels.kubernetes.io/metadata.name": lambda _: True,  # the server allows no other value
    },
    ("", "Service"): {
        **_PORT,
        "spec.type": _is("ClusterIP"),
        "spec.clusterIP": _assigned,
        "spec.clusterIPs": _assigned,
        "spec.ipFamilies": _assigned,
        "spec.ipFamilyPolicy": _is("SingleStack"),
        "spec.sessionAffinity": _is("None"),
        "spec.internalTrafficPolicy": _is("Cluster"),
        "spec.externalTrafficPolicy": _is("Cluster"),
        "spec.allocateLoadBalancerNodePorts": lambda value: value is True,
        "spec.healthCheckNodePort": _assigned,
    },
    ("", "Pod"): {
        **{f"spec.{path}": test for path, test in _POD.items()},
        "spec.enableServiceLinks": lambda value: value is True,
        "spec.preemptionPolicy": _is("PreemptLowerPriority"),
        "spec.priority": _is(0),
    },
    ("networking.k8s.io", "NetworkPolicy"): {
        "spec.ingress[].ports[].protocol": _is("TCP"),
        "spec.egress[].ports[].protocol": _is("TCP"),
        "spec.policyTypes": lambda value: value in (["Ingress"], ["Ingress", "Egress"]),
    },
    ("apps", "Deployment"): {
        **_TEMPLATE,
        "spec.replicas": _is(1),
        "spec.progressDeadlineSeconds": _is(600),
        "spec.revisionHistoryLimit": _is(10),
        "spec.strategy": _is({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
        "metadata.annotations.deployment.kubernetes.io/revision": lambda _: True,
    },
}


def undefaulted(live: Resource, wanted: Resource) -> Resource:
    """A live object without what the server filled in and `wanted` leaves to it."""
    defaults = _DEFAULTS.get((live.group, live.kind))
    if defaults is None:
        return live
    shown, asked = live.document(), wanted.document()
    kept: dict[str, Any] = _kept(shown, asked, "", defaults)
    body = {key: value for key, value in kept.items() if key not in ("apiVersion", "kind", "metadata")}
    metadata = kept.get("metadata") or {}
    return replace(
        live,
        body=body,
        metadata=metadata,
        labels={k: v for k, v in live.labels.items() if k in (metadata.get("labels") or {})},
        annotations={k: v for k, v in live.annotations.items() if k in (metadata.get("annotations") or {})},
    )


def _kept(live: Any, wanted: Any, path: str, defaults: Mapping[str, _Test]) -> Any:
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        found: dict[str, Any] = {}
        for key, value in live.items():
            at = f"{path}.{key}" if path else str(key)
            test = defaults.get(at)
            if key in wanted or test is None or not test(value):
                found[key] = _kept(value, wanted.get(key, {} if isinstance(value, Mapping) else None), at, defaults)
        return found
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [_kept(one, other, f"{path}[]", defaults) for one, other in zip(live, wanted, strict=True)]
    return live

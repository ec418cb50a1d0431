"""Namespaces: Pod Security level, and which control plane (or data plane) their pods belong to."""

from collections.abc import Iterable

from partner_mesh.config import upgrade
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import CLUSTER_NAMESPACE, REVISION_LABEL, gateway_namespace
from partner_mesh.specs.admission import dedicated_label, gateway_dedicated, namespace_dedicated
from partner_mesh.specs.stack import ambient, owned

# `enforce` refuses pods, `warn` and `audit` say so to those who apply and to those who read logs:
# https://kubernetes.io/docs/concepts/security/pod-security-admission/
_POD_SECURITY_MODES = ("enforce", "warn", "audit")


def application_namespace(stack: Stack, namespace: str) -> Manifest:
    """A namespace of applications. Never `istio-injection`: it would override the revision label."""
    settings = stack.platform.mesh.namespaces.get(namespace)
    level = settings.pod_security if settings is not None else "restricted"
    data_plane = (
        {"istio.io/dataplane-mode": "ambient"}
        if ambient(stack, namespace)
        else {REVISION_LABEL: namespace_revision(stack, namespace)}
    )
    extra = dict(settings.labels) if settings is not None else {}
    nodes = dedicated_label(namespace_dedicated(stack, namespace))
    return Manifest("v1", "Namespace", namespace, labels=extra | owned() | pod_security(level) | data_plane | nodes)


def gateways_namespace(stack: Stack, gateway: str, declared: str) -> Manifest:
    """The namespace of one gateway; a shard has the settings of the gateway that the configuration declares."""
    labels = owned(gateway=gateway) | pod_security("restricted") | {REVISION_LABEL: gateway_revision(stack)}
    labels |= dedicated_label(gateway_dedicated(stack, declared))
    return Manifest("v1", "Namespace", gateway_namespace(gateway), labels=labels)


def controllers_namespaces(charts: Iterable[ChartRelease]) -> tuple[Manifest, ...]:
    """The namespaces that controllers are installed into, which go with them: one of Helm's making would stay, with the
    mesh's key in it. The cluster's own namespace is not ours.

    Not `owned()`: by that label our policies choose whom they deny. Nothing of the charts' pods is known here, and some
    need the node: no Pod Security level but the open one.
    """
    names = dict.fromkeys(chart.namespace for chart in charts if chart.namespace != CLUSTER_NAMESPACE)
    return tuple(Manifest("v1", "Namespace", name, labels=pod_security("privileged")) for name in names)


def pod_security(level: str) -> dict[str, str]:
    """Pod Security Admission labels of one level. The CNI plugin makes `restricted` possible: no init container."""
    return {f"pod-security.kubernetes.io/{mode}": level for mode in _POD_SECURITY_MODES}


def namespace_revision(stack: Stack, namespace: str) -> str:
    """What `istio.io/rev` says: the tag at rest; the new revision once an upgrade has moved the namespace.

    A moved namespace keeps the new revision's name until the upgrade's key goes, also when the tag already means the
    same: so promotion changes the tag and nothing else.
    """
    mesh = stack.platform.mesh
    return mesh.upgrade.to if mesh.upgrade is not None and namespace in mesh.upgrade.namespaces else mesh.tag


def gateway_revision(stack: Stack) -> str:
    """The revision of gateways: they move together, in place, as a step of their own.

    The revision itself and never the tag: it stands in the pods' labels, so a change of its spelling, when an upgrade
    is finished, would roll every gateway for nothing. In somebody else's mesh it is the tag that we were told.
    """
    mesh = stack.platform.mesh
    return upgrade.gateway_revision(mesh) if mesh.managed else mesh.tag


def proxy_revision(stack: Stack, namespace: str) -> str:
    """The revision that a namespace's sidecars really run, however its label spells it."""
    return upgrade.revision_of(stack.platform.mesh, namespace)

"""PeerAuthentication: mutual TLS for the mesh, and its dated exceptions by namespace, workload and port."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.config.mesh import MutualTlsException
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import ROOT_NAMESPACE, SECURITY
from partner_mesh.specs.stack import owned, selector

UNTIL = "partner-mesh.dev/until"  # the day after which the gate refuses the exception


def mesh_wide(stack: Stack) -> Manifest:
    """The mode of the whole mesh."""
    return _peer_authentication("default", ROOT_NAMESPACE, owned(), {"mtls": {"mode": stack.platform.mesh.mutual_tls}})


def of_namespace(stack: Stack, namespace: str) -> tuple[Manifest, ...]:
    """A namespace's mode: its exception, or the mesh's said again where the root namespace is not ours."""
    settings = stack.platform.mesh.namespaces.get(namespace)
    exception = settings.mutual_tls if settings is not None else None
    if exception is None and stack.platform.mesh.managed:
        return ()
    mode = exception.mode if exception is not None else stack.platform.mesh.mutual_tls
    return (_peer_authentication("default", namespace, owned(), {"mtls": {"mode": mode}}, exception),)


def of_application(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """A workload's exception. Only here may single ports differ: Istio ignores ports without a selector."""
    declared = stack.applications[application]
    exception = declared.mutual_tls
    if exception is None:
        return ()
    spec: dict[str, Any] = {"selector": selector(application), "mtls": {"mode": exception.mode}}
    if exception.ports:
        spec["portLevelMtls"] = {str(port): {"mode": mode} for port, mode in exception.ports.items()}
    labels = owned(application=application)
    return (_peer_authentication(application, declared.namespace, labels, spec, exception),)


def _peer_authentication(
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    spec: Mapping[str, Any],
    exception: MutualTlsException | None = None,
) -> Manifest:
    until = {UNTIL: exception.until.isoformat()} if exception is not None and exception.until is not None else {}
    return Manifest(SECURITY, "PeerAuthentication", name, namespace, dict(labels), until, {"spec": dict(spec)})

"""What a stack says of mutual TLS at a port, and so what becomes of a caller that has no identity of the mesh."""

from dataclasses import replace
from typing import Final

from lab.expect import CUT, Expect
from partner_mesh.config.application import ApplicationPort
from partner_mesh.config.mesh import MutualTls
from partner_mesh.config.stack import Stack

_CUT: Final = Expect(outcomes=CUT)
_REFUSED: Final = replace(_CUT, outcomes=(*CUT, "answered"), statuses=(403,))


def mode(stack: Stack, application: str, port: ApplicationPort) -> MutualTls:
    """Of the port, else of the application, else of its namespace, else of the mesh: as Istio looks for it."""
    declared = stack.applications[application]
    settings = stack.platform.mesh.namespaces.get(declared.namespace)
    if (own := declared.mutual_tls) is not None:
        return own.ports.get(port.target, own.mode)
    if settings is not None and settings.mutual_tls is not None:
        return settings.mutual_tls.mode
    return stack.platform.mesh.mutual_tls


def without_identity(stack: Stack, application: str, port: ApplicationPort) -> Expect:
    """A STRICT sidecar cuts who has none; another hears it, and policy refuses it: in HTTP with a status."""
    return _CUT if mode(stack, application, port) == "STRICT" else _REFUSED

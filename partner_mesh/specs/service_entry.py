"""Address blocks that an application declares (databases, systems of ours outside the cluster), made known to the mesh.

REGISTRY_ONLY drops what the registry does not know. `resolution: NONE` lets a connection go on to the address that the
application chose, which is bounded here by block and port and spoken as opaque TCP: no Host header can lead it astray.
"""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING
from partner_mesh.specs.stack import owned


def address_blocks(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """One ServiceEntry an application that declares blocks over TCP, for its own namespace only."""
    declared = stack.applications[application]
    rules = declared.security_group.egress if declared.security_group is not None else ()
    ports: dict[int, list[str]] = {}
    for rule in rules:
        if rule.to is not None and rule.protocol == "tcp":
            ports.setdefault(rule.port, []).append(rule.to)
    return tuple(
        Manifest(
            NETWORKING,
            "ServiceEntry",
            f"{application}-blocks-{port}",
            declared.namespace,
            owned(application=application),
            body={
                "spec": {
                    # Nobody resolves the name: the registry wants one for its cluster and its metrics.
                    "hosts": [f"port-{port}.{application}.blocks.internal"],
                    "addresses": list(dict.fromkeys(blocks)),
                    "location": "MESH_EXTERNAL",
                    "resolution": "NONE",
                    "exportTo": ["."],
                    "ports": [{"number": port, "name": f"tcp-{port}", "protocol": "TCP"}],
                }
            },
        )
        for port, blocks in ports.items()
    )

"""Small configurations for tests of the compiler: a base that is valid, and a way to change parts of it."""

from pathlib import Path
from typing import Any

from partner_mesh.config.loader import load_values
from partner_mesh.config.stack import Stack

NODE_GROUPS: dict[str, Any] = {
    "system": {"instances": ["m6i.large"], "size": {"min": 2, "max": 4}},
    "web": {"instances": ["m6i.large"], "size": {"min": 2, "max": 4}, "dedicated": "web"},
    "partners": {"instances": ["m6i.large"], "size": {"min": 2, "max": 6}, "dedicated": "partners"},
    "egress": {"instances": ["m6i.large"], "size": {"min": 2, "max": 4}, "dedicated": "egress"},
    "billing": {"instances": ["m6i.xlarge"], "size": {"min": 2, "max": 10}, "dedicated": "billing"},
}
EKS: dict[str, Any] = {"kind": "eks", "version": "1.36", "nodeGroups": NODE_GROUPS}
GATEWAYS: dict[str, Any] = {
    "web": {"direction": "ingress", "exposure": "web", "host": "pay.example.com", "certificate": "web-server"},
    "partners": {"direction": "ingress", "exposure": "partner"},
    "egress": {"direction": "egress"},
}
APPLICATIONS: dict[str, Any] = {
    "charging": {"namespace": "charging", "nodeGroup": "billing", "ports": {"http": 8080}, "callers": ["checkout"]},
    "checkout": {"namespace": "checkout", "nodeGroup": "billing", "ports": {"http": 8080}, "web": [{"path": "/"}]},
}


def platform(**changes: Any) -> dict[str, Any]:
    """A platform's section with some keys replaced; None removes one."""
    base: dict[str, Any] = {
        "name": "billing-test",
        "network": {"cidr": "10.40.0.0/16"},
        "cluster": EKS,
        "mesh": {"revision": "1-31-1"},
        "gateways": GATEWAYS,
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def sections(
    *, applications: dict[str, Any] | None = None, partners: list[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    """The sections of the base platform, with changes by key of the platform section."""
    existing = changes.get("cluster", EKS)["kind"] == "existing"
    return {
        "region": None if existing else "eu-central-1",
        "platform": platform(**changes),
        "applications": APPLICATIONS if applications is None else applications,
        "partners": partners or [],
    }


def stack(**changes: Any) -> Stack:
    """A stack that no rule has judged: for parts of configurations that would not stand alone."""
    return Stack.model_validate({"name": "test", **sections(**changes)})


def loaded(**changes: Any) -> Stack:
    """A stack as the loader makes it, every rule enforced."""
    return load_values("test", sections(**changes), Path("/nonexistent"))


def foreign(**changes: Any) -> dict[str, Any]:
    """Changes that make the stack a guest on a cluster where everything else is somebody else's."""
    return {
        "network": None,
        "cluster": {"kind": "existing"},
        "mesh": {"revision": "1-31-1", "managed": False},
        "calico": {"managed": False},
        "secrets": {"store": "none"},
    } | changes

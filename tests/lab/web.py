"""Small stacks with a web UI, and their load balancer played by a client."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab import stack as stacks
from lab import traffic
from lab.inside import Balancer
from lab.tools import Tools
from lab.world import world
from partner_mesh.config.loader import load_values
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled

HOST = "pay.example.com"
PLATFORM: dict[str, Any] = {
    "name": "lab-web",
    "cluster": {"kind": "existing"},
    "mesh": {"revision": "1-31-1"},
    "gateways": {"web": {"direction": "ingress", "exposure": "web", "host": HOST, "certificate": "web-server"}},
    "calico": {"managed": False},
    "secrets": {"store": "none"},
    "observability": {
        "kiali": False, "grafana": False, "prometheus": {"enabled": False}, "tracing": {"backend": "none"},
    },
}  # fmt: skip


def stack(applications: Mapping[str, Any], **platform: Any) -> Stack:
    """A stack of that platform, every rule enforced."""
    values = {"platform": PLATFORM | platform, "applications": dict(applications), "partners": []}
    return load_values("lab", values, Path("/nonexistent"))


def compiled(applications: Mapping[str, Any], **platform: Any) -> Compiled:
    return compile_stack(stack(applications, **platform))


def documents(tools: Tools, found: Compiled, without: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Charts and objects; of the Deployments named only what selects them, not a server on their ports."""
    listed = stacks.documents(tools, found)
    for document in listed:
        if document["kind"] == "Deployment" and document["metadata"]["name"] in without:
            for container in document["spec"]["template"]["spec"]["containers"]:
                container.pop("ports", None)
    return listed


def balancer(listed: list[dict[str, Any]]) -> Balancer:
    """The load balancer in front of the gateway `web`."""
    return traffic.balancers(listed, world(listed))["web"]

"""Tier 3: a lab of a stack started, every scenario played, what came of it told."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lab import inside, inward, outward, protocols
from lab.control import Lab
from lab.inside import Balancer
from lab.players import players
from lab.scenarios import Result, Scenario, played
from lab.world import World, world
from partner_mesh.config.stack import Stack

Document = Mapping[str, Any]


def scenarios(stack: Stack, documents: Iterable[Document]) -> list[Scenario]:
    """All of a stack's, with addresses and names as the lab hands them out."""
    listed = list(documents)
    cast = world(listed)
    callers = players(listed, cast)
    found = [*inward.scenarios(stack, callers, cast.stranger)]
    first = next((s.probe for s in found if s.probe.protocol == "http"), None)
    found += inward.direct(stack, cast.stranger, first)
    found += inside.web(stack, balancers(listed, cast), cast.stranger)
    found += outward.scenarios(stack, cast.remotes)
    found += inside.callers(stack, _without_sidecar(cast))
    found += list(protocols.scenarios(stack, found))
    found += outward.closed(stack, next(iter(cast.balancers.values()), cast.stranger))
    return found


def balancers(documents: Iterable[Document], cast: World) -> dict[str, Balancer]:
    """Of each web gateway by its name, at the first address that its NetworkPolicy expects a load balancer at."""
    found: dict[str, Balancer] = {}
    policies = [d for d in documents if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "load-balancer"]
    for server in [s for s in cast.servers if s.mode == "SIMPLE"]:
        blocks = [b for p in policies if p["metadata"].get("namespace") == server.namespace for b in _blocks(p)]
        if blocks:
            address = str(ipaddress.ip_network(blocks[0])[10])
            port = _target(documents, server.namespace, server.port)
            name = cast.workloads[server.workload].name
            found.setdefault(name, Balancer(server.workload, port, address, server.hosts))
    return found


def _target(documents: Iterable[Document], namespace: str, port: int) -> int:
    """The pod's port behind a gateway's Service port."""
    for document in documents:
        if document["kind"] == "Service" and document["metadata"].get("namespace") == namespace:
            for each in document["spec"].get("ports", ()):
                if each["port"] == port and isinstance(each.get("targetPort"), int):
                    return int(each["targetPort"])
    return port


def _blocks(policy: Document) -> Iterator[str]:
    for rule in policy["spec"].get("ingress", ()):
        for peer in rule.get("from", ()):
            if "ipBlock" in peer:
                yield peer["ipBlock"]["cidr"]


def _without_sidecar(cast: World) -> str | None:
    return next(
        (w.key for w in cast.workloads.values() if w.labels.get("app.kubernetes.io/name") == "prometheus"), None
    )


def results(
    stack: Stack, documents: list[dict[str, Any]], report: Callable[[str], None], folder: Path | None = None
) -> list[Result]:
    """Start, ask, stop. Raises LabError if the lab does not start."""
    asked = scenarios(stack, documents)
    with Lab.start(documents, directory=folder, report=report) as lab:
        report(f"asking {len(asked)} requests")
        return played(asked, lab.probes, lab.enforce)

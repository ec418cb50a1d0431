"""Probes sent in a running lab: where each starts, where its name leads, what its client shows."""

import asyncio
import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lab import LabError, client, resolver
from lab.network import OUTSIDE
from lab.pki import Authority
from lab.probe import MESH, Observation, Probe
from lab.session import Session
from lab.world import DNS_ADDRESS

AT_ONCE: Final = 16


async def probes(session: Session, several: Sequence[Probe]) -> list[Observation]:
    """Send many, some at a time, answers in order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(probe: Probe) -> Observation:
        async with gate:
            return await _sent(session, probe)

    return list(await asyncio.gather(*(one(probe) for probe in several)))


async def _sent(session: Session, probe: Probe) -> Observation:
    route = await _route(session, probe)
    if route is None:
        return Observation("unresolved")
    if probe.certificate is not None and probe.certificate.authority == MESH:
        await session.aside(lambda: _know_mesh(session))
    if probe.token is not None:
        bearer = {"authorization": f"Bearer {session.credentials.signed(probe.token)}"}
        probe = replace(probe, headers={**probe.headers, **bearer})
    return await client.send(probe, route, session.credentials.client_context)


async def _route(session: Session, probe: Probe) -> client.Route | None:
    """From which namespace to which address; None for a name that the pod's DNS does not know.

    Raises LabError for a source that nobody is, and for a name that nobody outside has.
    """
    workloads = session.world.workloads
    if probe.source != OUTSIDE and probe.source not in workloads:
        raise LabError(f"probe: there is no workload {probe.source}; there are {', '.join(sorted(workloads))}")
    netns = client.namespace_of(probe.source)
    if probe.to in workloads:
        target: str | None = workloads[probe.to].address
    elif probe.to.replace(".", "").isdigit():
        target = probe.to
    elif probe.source == OUTSIDE:
        target = session.resolve(probe.to)
    else:
        target = await resolver.resolved(netns, probe.to, DNS_ADDRESS)
    if target is None and probe.source != OUTSIDE:
        return None
    if target is None:
        raise LabError(f"probe: nobody is called {probe.to}")
    if probe.source == OUTSIDE and probe.address is not None:
        await _own(session, probe.address)
    return client.Route(netns, target, probe.port)


async def _own(session: Session, address: str) -> None:
    """A client outside may have any address: the outside is given those that no document names."""
    own = ipaddress.IPv4Address(address)

    def give() -> None:
        # Probes come many at a time: the address counts as given once it is, or the next one could not bind it yet.
        if not _has(session, own):
            session.network.own([f"{own}/32"])
            ranges = (*session.world.client_ranges, f"{own}/32")
            session.world = replace(session.world, client_ranges=ranges)

    if not _has(session, own):
        await session.aside(give)


def _has(session: Session, address: ipaddress.IPv4Address) -> bool:
    return any(address in ipaddress.IPv4Network(block) for block in session.world.client_ranges)


def _know_mesh(session: Session) -> None:
    """Istiod's own authority, so that probes can carry the identity of a workload."""
    if MESH in session.credentials.authorities:
        return
    metadata = {"name": "istio-ca-secret", "namespace": "istio-system"}
    found = (session.api.get({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}) or {}).get("data", {})
    if "ca-key.pem" not in found:
        raise LabError("istiod has no authority of its own in Secret istio-system/istio-ca-secret")
    certificate, key = (base64.b64decode(found[name]) for name in ("ca-cert.pem", "ca-key.pem"))
    session.credentials.authorities[MESH] = Authority.of(MESH, certificate, key)

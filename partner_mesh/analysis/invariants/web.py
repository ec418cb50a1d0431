"""The web gateway stands behind the firewall alone: whoever reaches it around the load balancer goes around the WAF."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.analysis.gateways import GatewayProxy
from partner_mesh.analysis.invariants.facts import INTERNET, Facts, shown_because
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.layers import Addresses, Verdict
from partner_mesh.analysis.sets import AddressSet, PortSet


def _faces(proxy: GatewayProxy) -> bool:
    return any(each.tls in ("SIMPLE", "") for each in proxy.servers)


def _mutual(proxy: GatewayProxy) -> bool:
    return any(each.tls in ("MUTUAL", "OPTIONAL_MUTUAL") for each in proxy.servers)


def behind_the_firewall(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Network policies admit private addresses (the load balancer's subnets) only, and no Service of its own opens it.

    Security groups are asked by address: a group's rule that names another group means the load balancer.
    """
    for proxy in facts.gateways:
        if facts.leads_out(proxy.pods) or not _faces(proxy):
            continue
        if _mutual(proxy):
            yield invariant.at(
                proxy.pods.resource,
                "serves people and partners on one gateway: no firewall stands before partners' TLS, and none may "
                "be left out before people's",
                "give web pages and partners gateways of their own",
                Severity.WARNING,
            )
        yield from _opened_by_a_service(facts, invariant, proxy)
        yield from _reached(facts, invariant, proxy)


def _opened_by_a_service(facts: Facts, invariant: Invariant, proxy: GatewayProxy) -> Iterator[Finding]:
    for service in facts.world.services:
        kind = str(service.resource.spec.get("type") or "ClusterIP")
        if kind in ("LoadBalancer", "NodePort") and proxy.pods in facts.world.selected_by(service):
            yield invariant.at(
                service.resource,
                f"type {kind} opens the web gateway {proxy.endpoint} beside the firewall",
                "type ClusterIP, and a TargetGroupBinding to the load balancer that the firewall protects",
            )


def _reached(facts: Facts, invariant: Invariant, proxy: GatewayProxy) -> Iterator[Finding]:
    network, ports = facts.packets.network, PortSet.union(PortSet.single("TCP", each) for each in proxy.ports)
    open_: list[AddressSet] = []
    why = ""
    for part in facts.packets.universe.endpoints:
        if not isinstance(part, Addresses) or not part.addresses & INTERNET:
            continue
        opinions = [e for e in network.opinions(part, proxy.endpoint, ports) if e.verdict is not Verdict.DENIED]
        if opinions and facts.groups_admit(proxy.endpoint, part, ports):
            open_.append(part.addresses & INTERNET)
            why = why or shown_because(tuple(b for each in opinions for b in each.because))
    if open_:
        yield invariant.at(
            proxy.pods.resource,
            f"is reached from the internet on {ports} without the firewall: {why}",
            "admit the load balancer's subnets alone by NetworkPolicy, and its security group alone",
        )


INVARIANTS: Final = (
    Invariant(
        "PM009-web-firewall",
        Severity.ERROR,
        "The web gateway is reached through the firewall only",
        behind_the_firewall,
    ),
)

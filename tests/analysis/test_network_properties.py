"""The engine of tables over masks against an oracle that walks policies packet by packet."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings

from partner_mesh.analysis.layers import Addresses, Endpoint, Verdict, Workload
from partner_mesh.analysis.policies import Piece, joined
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World
from tests.analysis.oracle import Packets
from tests.analysis.strategies import calico_worlds, worlds

ADDRESSES = ("10.1.2.3", "10.1.9.9", "10.200.0.1", "203.0.113.7", "8.8.8.8", "2001:db8::1", "2600::1")
PROBES = tuple((protocol, port) for protocol in ("TCP", "UDP", "SCTP") for port in (1, 53, 79, 80, 81, 8080, 65535))


def compared(documents: Sequence[dict[str, Any]]) -> None:
    reach = Reach(World(of_documents(documents)))
    results = reach.results()
    oracle = Packets(documents)
    outside = {
        address: next(
            each
            for each in results.endpoints
            if isinstance(each, Addresses) and AddressSet.of(address) <= each.addresses
        )
        for address in ADDRESSES
    }
    ends: dict[str, Endpoint] = {
        name: Workload("Pod", pod["metadata"]["namespace"], name) for name, pod in oracle.pods.items()
    }
    ends |= outside
    for source, one in ends.items():
        for destination, other in ends.items():
            if source == destination or (source in outside and destination in outside):
                continue
            decisions = results.between(one, other)
            assert PortSet.union(each.ports for each in decisions) == PortSet.ALL
            for protocol, port in PROBES:
                [decision] = [each for each in decisions if (protocol, port) in each.ports]
                allowed = oracle.allowed(source, destination, protocol, port)
                assert decision.verdict is (Verdict.ALLOWED if allowed else Verdict.DENIED), (
                    source, destination, protocol, port, decision,
                )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_kubernetes_policies_decide_every_packet_as_the_reference_says(documents: list[dict[str, Any]]) -> None:
    compared(documents)


@settings(max_examples=60, deadline=None)
@given(calico_worlds())
def test_calico_tiers_decide_every_packet_as_the_reference_says(documents: list[dict[str, Any]]) -> None:
    compared(documents)


def test_pieces_of_one_verdict_and_reason_are_one() -> None:
    web, tls = PortSet.single("TCP", 80), PortSet.single("TCP", 443)
    assert joined([Piece(web, Verdict.DENIED), Piece(tls, Verdict.DENIED)]) == (Piece(web | tls, Verdict.DENIED),)

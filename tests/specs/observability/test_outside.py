"""Prometheus and the outside: a central one that takes from it, a receiver, object storage; else closed."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import Addresses, Endpoint, Verdict, Workload
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.table import Table
from partner_mesh.specs import compile_stack
from tests.specs.stacks import loaded

PROMETHEUS = Workload("Deployment", "observability", "prometheus")
CENTRAL, RECEIVER, PUBLIC = "10.9.0.7", "10.8.0.9", "192.0.2.1"
FEDERATION = {"federation": {"ranges": ["10.9.0.0/24"]}}
WRITE = {"remoteWrite": {"url": "https://metrics.example.com", "port": 8443, "ranges": ["192.0.2.0/24"]}}
PRIVATE_WRITE = {"remoteWrite": WRITE["remoteWrite"] | {"ranges": ["10.8.0.0/24"]}}
THANOS = {"thanos": True, "thanosRanges": ["192.0.2.0/24"]}
QUESTIONS = ((CENTRAL, 9090), (CENTRAL, 9093), (PUBLIC, 9090))  # in; and out:
CALLS = ((PUBLIC, 8443), (PUBLIC, 443), (RECEIVER, 8443), (RECEIVER, 443))


def allowed(prometheus: dict[str, Any]) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Who reaches Prometheus, and whom it reaches, of those asked about."""
    compiled = compile_stack(loaded(observability={"prometheus": prometheus}))
    documents = [
        *(m.document() for m in compiled),
        *map(dict, compiled.inventory),
        *map(dict, compiled.security_groups),
    ]
    table = Table(of_documents(documents))

    def opens(source: str | Workload, destination: str | Workload, port: int) -> bool:
        one, other = (_endpoint(table, each) for each in (source, destination))
        found = table.reach.results([one], [other], PortSet.single("TCP", port)).between(one, other)
        return {each.verdict for each in found} == {Verdict.ALLOWED}

    return (
        {(each, port) for each, port in QUESTIONS if opens(each, PROMETHEUS, port)},
        {(each, port) for each, port in CALLS if opens(PROMETHEUS, each, port)},
    )


def _endpoint(table: Table, text: str | Workload) -> Endpoint:
    if isinstance(text, Workload):
        return text
    address = AddressSet.of(text)
    return next(e for e in table.reach.universe.endpoints if isinstance(e, Addresses) and address <= e.addresses)


@pytest.mark.parametrize(
    ("prometheus", "inward", "outward"),
    [
        ({}, set(), set()),
        (FEDERATION, {(CENTRAL, 9090)}, set()),
        (WRITE, set(), {(PUBLIC, 8443)}),
        (PRIVATE_WRITE, set(), {(RECEIVER, 8443)}),
        ({"thanos": True}, set(), set()),  # by an endpoint within the network, which is open on 443 as it is
        (THANOS, set(), {(PUBLIC, 443)}),
        (FEDERATION | WRITE | THANOS, {(CENTRAL, 9090)}, {(PUBLIC, 8443), (PUBLIC, 443)}),
        (FEDERATION | WRITE | THANOS | {"enabled": False}, set(), set()),
    ],
)
def test_the_ways_that_are_configured_and_no_others(
    prometheus: dict[str, Any], inward: set[tuple[str, int]], outward: set[tuple[str, int]]
) -> None:
    if prometheus.get("enabled") is False:
        compiled = compile_stack(loaded(observability={"prometheus": prometheus}))
        assert not [m for m in compiled if m.name in ("federation", "remote-write", "object-storage")]
        return
    assert allowed(prometheus) == (inward, outward)

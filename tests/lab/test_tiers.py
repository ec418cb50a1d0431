"""Tiers 1 and 2: what Istio's own tools and a real API server with istiod's webhook say, and that they say it."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import tiers
from lab.cluster import Cluster
from lab.control_plane import Ports
from lab.tools import Tools
from tests.lab import fixture

pytestmark = pytest.mark.lab


@pytest.mark.lab
def test_a_port_that_somebody_took_meanwhile_is_left_to_them(
    lab_tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Ports.free
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        first = [replace(free(), etcd=somebody.getsockname()[1])]
        monkeypatch.setattr(Ports, "free", lambda: first.pop() if first else free())
        with Cluster(lab_tools, tmp_path) as running:
            assert running.api.ready()
    assert first == []


@pytest.fixture(scope="module")
def cluster(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(lab_tools, Path(tmp_path_factory.mktemp("cluster"))) as running:
        yield running


def networking(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "bad", "namespace": "charging"}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


UNKNOWN_FIELD = networking("Gateway", {"selector": {"istio": "x"}, "servers": [], "sevrers": []})
UNSAFE_TLS = networking("DestinationRule", {"host": "a.example", "trafficPolicy": {"tls": {"mode": "MUTUAL"}}})
NO_ROUTE = networking("VirtualService", {"hosts": ["a.example"], "http": [{"route": []}]})
ABSENT_GATEWAY = networking(
    "VirtualService",
    {
        "hosts": ["a.example"],
        "gateways": ["nowhere/none"],
        "http": [{"route": [{"destination": {"host": "b.example"}}]}],
    },
)


def test_the_fixture_passes_both_tiers(lab_tools: Tools, cluster: Cluster) -> None:
    found = tiers.offline(lab_tools, fixture.documents())
    found += tiers.charts(lab_tools, fixture.releases(), cluster)
    found += tiers.admitted(fixture.documents(), cluster)
    assert [f for f in found if not f.passed] == []
    assert {f.tier for f in found} == {1, 2}


@pytest.mark.parametrize("broken", [UNKNOWN_FIELD, UNSAFE_TLS, NO_ROUTE, ABSENT_GATEWAY])
def test_istioctl_finds_a_seeded_fault(lab_tools: Tools, broken: dict[str, Any]) -> None:
    found = tiers.offline(lab_tools, [*fixture.documents(), broken])
    assert [f for f in found if not f.passed and f.details]


@pytest.mark.parametrize("broken", [UNKNOWN_FIELD, UNSAFE_TLS, NO_ROUTE])
def test_the_api_server_or_the_webhook_refuses_a_seeded_fault(cluster: Cluster, broken: dict[str, Any]) -> None:
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "charging"}}])
    applied = cluster.apply([broken])
    assert [name for name, _ in applied.refused] == [f"{broken['kind']} charging/bad"]

"""What kube-proxy, the EndpointSlice controller and DNS would make of Services, as one pure function."""

from typing import Any

from lab.network import Endpoint
from lab.overlay import overlay
from lab.services import Tables, tables
from lab.world import Document, world
from tests.lab import fixture

DOCUMENTS = overlay(fixture.documents())
WORLD = world(DOCUMENTS)
SERVICE = next(d for d in DOCUMENTS if d["kind"] == "Service" and d["metadata"]["name"] == "charging")
ADDRESS = "10.96.1.2"


def read(document: Document) -> dict[str, Any]:
    return {**document, "spec": {**document["spec"], "clusterIP": ADDRESS}}


def of(*serving: str) -> Tables:
    return tables(WORLD, [SERVICE], read, serving)


def test_a_service_leads_to_the_pods_that_serve_by_translation_and_by_slice() -> None:
    found = of("charging/charging")
    pod = WORLD.workloads["charging/charging"].address
    assert found.translation == {Endpoint(ADDRESS, 80): [Endpoint(pod, 8080)]}
    assert [(s["ports"][0]["port"], s["endpoints"][0]["addresses"]) for s in found.slices] == [(8080, [pod])]
    assert found.slices[0]["metadata"]["labels"]["kubernetes.io/service-name"] == "charging"


def test_a_pod_that_starts_or_drains_gets_no_traffic() -> None:
    found = of("checkout/checkout")
    assert (found.translation, found.slices) == ({Endpoint(ADDRESS, 80): []}, [])


def test_a_service_has_its_names_and_every_host_outside_its_own() -> None:
    names = of().names
    assert names["charging.charging.svc.cluster.local"] == names["charging.charging.svc"] == ADDRESS
    assert names["api.acme-mobile.example"] == WORLD.remotes["api.acme-mobile.example"].address


def test_a_service_that_the_api_server_does_not_have_leads_nowhere() -> None:
    assert tables(WORLD, [SERVICE], lambda _: None, {"charging/charging"}).translation == {}

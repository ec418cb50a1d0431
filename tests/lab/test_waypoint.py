"""What istiod makes of a waypoint's Gateway, and whether that is what the inventory tells the analyser.

No request goes through it: every proxy that speaks HBONE starts with `istio.workload.BootstrapExtension`, and a
waypoint's listeners hold `io.istio.http.peer_metadata`; neither is in upstream Envoy. ztunnel is in no registry here.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab.control import Lab
from lab.tools import Tools
from tests.lab import web
from tests.lab.test_admission import AMBIENT, APPLICATIONS

pytestmark = pytest.mark.lab

CALLED = APPLICATIONS | {"checkout": {"namespace": "checkout", "ports": {"http": 8080}}}
COMPILED = web.compiled(CALLED, mesh=AMBIENT)
NAME = {"name": "waypoint", "namespace": "charging"}
KINDS = {"Deployment": "apps/v1", "Service": "v1", "ServiceAccount": "v1"}
MADE = {
    **KINDS,
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
}


@pytest.fixture(scope="module")
def made(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Kind → the object as it is once istiod has made all of them."""
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    absent = {(kind, "waypoint") for kind in KINDS}  # istiod is to make them
    absent.add(("Deployment", "web"))  # its Envoy would not start
    listed = [d for d in web.documents(lab_tools, COMPILED) if (d["kind"], d["metadata"]["name"]) not in absent]
    with Lab.start(listed, directory=Path(tmp_path_factory.mktemp("waypoint"))) as lab:
        deadline = time.monotonic() + 60
        while True:
            found = {
                kind: lab.operate("read", {"apiVersion": version, "kind": kind, "metadata": NAME})
                for kind, version in MADE.items()
            }
            if all(found.values()) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        yield found


def inventory(kind: str) -> dict[str, Any]:
    [found] = [dict(d) for d in COMPILED.inventory if d["kind"] == kind and d["metadata"] == NAME]
    return found


def test_istiod_makes_all_that_belongs_to_a_waypoint(made: dict[str, Any]) -> None:
    assert [kind for kind, document in made.items() if document is None] == []
    conditions = {each["type"]: each["status"] for each in made["Gateway"]["status"]["conditions"]}
    assert conditions["Accepted"] == "True"


def test_its_pods_and_its_service_are_those_of_the_inventory(made: dict[str, Any]) -> None:
    real, told = made["Deployment"]["spec"]["template"], inventory("Deployment")["spec"]["template"]
    assert told["metadata"]["labels"].items() <= real["metadata"]["labels"].items()
    assert real["spec"]["serviceAccountName"] == told["spec"]["serviceAccountName"]

    def ports(template: dict[str, Any]) -> set[tuple[str, int]]:
        return {(p["name"], p["containerPort"]) for c in template["spec"]["containers"] for p in c["ports"]}

    assert ports(real) == ports(told)
    service, known = made["Service"]["spec"], inventory("Service")["spec"]
    assert service["selector"] == known["selector"]
    assert {p["port"] for p in service["ports"]} == {p["port"] for p in known["ports"]}


def test_the_parameters_of_ours_are_in_what_it_made(made: dict[str, Any]) -> None:
    assert made["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60
    scale = made["HorizontalPodAutoscaler"]["spec"]
    assert (scale["minReplicas"], scale["maxReplicas"]) == (2, 5)
    assert made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1

"""Calls to a host that no service has, led away by a VirtualService: where sidecars route them and where not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.analysis import partner_stack
from tests.analysis.test_journeys import Documents, verdicts, ways

CALL = ("api.p0.example", "POST", "/direct-billing/1")
CALLER = "app0/app0[Deployment]"


def _stack(change: Callable[[dict[tuple[str, str], dict[str, Any]]], None]) -> Documents:
    """The stack, with the partner's host known to the egress gateway alone."""
    documents = copy.deepcopy(partner_stack.documents(1))
    by_name = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    by_name["ServiceEntry", "p0"]["spec"] |= {
        "exportTo": ["."], "ports": [{"number": 443, "name": "https", "protocol": "HTTPS"}],
    }  # fmt: skip
    change(by_name)
    return documents


def _as_it_is(_: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Nothing changed."""


def _port(number: int) -> Callable[[dict[tuple[str, str], dict[str, Any]]], None]:
    def change(found: dict[tuple[str, str], dict[str, Any]]) -> None:
        found["Service", "app0"]["spec"]["ports"][0]["port"] = number

    return change


def _matched(number: int) -> Callable[[dict[tuple[str, str], dict[str, Any]]], None]:
    def change(found: dict[tuple[str, str], dict[str, Any]]) -> None:
        found["VirtualService", "p0-capture"]["spec"]["http"][0]["match"] = [{"port": number}]

    return change


def _exported_elsewhere(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    found["VirtualService", "p0-capture"]["spec"]["exportTo"] = ["."]


def _raw(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    spec = found["VirtualService", "p0-capture"]["spec"]
    spec["tcp"] = spec.pop("http")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_as_it_is, ["allowed"]),
        (_port(8080), []),  # no listener on port 80
        (_matched(443), []),  # no route for the port
        (_exported_elsewhere, []),
        (_raw, []),  # no host in bytes
    ],
)
def test_a_host_without_a_service_is_routed_on_port_80_where_the_sidecar_listens_there(
    change: Callable[[dict[tuple[str, str], dict[str, Any]]], None], expected: list[str]
) -> None:
    assert verdicts(ways(_stack(change)), CALLER, CALL, "api.p0.example") == expected


def test_a_host_with_a_service_on_port_80_is_routed_once() -> None:
    found = ways(partner_stack.documents(1))
    assert verdicts(found, CALLER, CALL, "api.p0.example") == ["allowed"]


@pytest.mark.parametrize(("own", "expected"), [(True, ["allowed"]), (False, [])])
def test_a_sidecar_that_is_told_of_some_namespaces_listens_where_they_hold_a_service_on_port_80(
    own: bool, expected: list[str]
) -> None:
    documents = _stack(_as_it_is)
    homes = {(d["kind"], d["metadata"]["name"]): d["metadata"].get("namespace", "") for d in documents}
    hosts = [f"{homes['VirtualService', 'p0-capture']}/*", *(["app0/*"] if own else [])]
    sidecar = {
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": "default", "namespace": "app0"},
        "spec": {"egress": [{"hosts": hosts}]},
    }  # fmt: skip
    found = [each for each in documents if each["kind"] != "Sidecar"]
    assert verdicts(ways([*found, sidecar]), CALLER, CALL, "api.p0.example") == expected

"""Features that bring releases and objects of their own go through the whole program, on AWS."""

from typing import Any

import pytest

from tests.components.programs import run
from tests.specs.stacks import APPLICATIONS, loaded

LOGIN = {
    "issuer": "https://login.example.com",
    "audiences": ["pay"],
    "login": {"clientId": "pay", "clientSecret": "pay-login"},
}
CLUSTERS = {
    "cluster": "north",
    "network": "north",
    "peers": [{"name": "south", "network": "south", "gateway": "10.2.0.10", "ranges": ["10.2.0.0/16"]}],
}
AMBIENT = {"dataPlane": "ambient", "namespaces": {name: {"dataPlane": "ambient"} for name in ("charging", "checkout")}}


def applications(**changes: Any) -> dict[str, Any]:
    return APPLICATIONS | {"checkout": APPLICATIONS["checkout"] | changes}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            {"applications": applications(endUsers=LOGIN)},
            ["login-checkout", "web/SecurityGroupPolicy/istio-web/login-checkout"],
        ),
        (
            {"mesh": {"revision": "1-31-1", "multiCluster": CLUSTERS}},
            ["eastwest", "eastwest/Gateway/istio-eastwest/eastwest"],
        ),
        (
            {"mesh": {"revision": "1-31-1", **AMBIENT}},
            ["ztunnel", "checkout/Gateway/checkout/waypoint", "checkout/SecurityGroupPolicy/checkout/waypoint"],
        ),
    ],
    ids=["login", "two clusters", "waypoint"],
)
def test_what_a_feature_brings_is_deployed(changes: dict[str, Any], names: list[str]) -> None:
    registered = {one.name: one for one in run(loaded(**changes))}
    for name in names:
        assert name in registered
    for one in registered.values():  # groups are made before they are named: no stand-in is left
        assert "'sg-login" not in str(one.inputs)
        assert "'sg-waypoint" not in str(one.inputs)
        assert "'sg-gateway" not in str(one.inputs)

"""The validator refuses what an API server would, and its schemas are those of the pinned Istio."""

from glob import glob
from pathlib import Path
from typing import Any

import pytest

from tests.crds import problems
from tests.crds.derive import derive

GATEWAY: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "acme"},
    "spec": {
        "selector": {"istio": "partners"},
        "servers": [
            {
                "port": {"number": 443, "name": "https-acme", "protocol": "HTTPS"},
                "hosts": ["istio-partners/acme.example.com"],
                "tls": {"mode": "MUTUAL", "credentialName": "acme", "minProtocolVersion": "TLSV1_2"},
            }
        ],
    },
}
POLICY: dict[str, Any] = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {}}


def test_a_right_object_has_no_problems() -> None:
    assert problems(GATEWAY) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"credentialname": "acme"}, "unknown field credentialname"),
        ({"mode": "mutual"}, "none of"),
        ({"subjectAltNames": "acme"}, "not of type array"),
        ({"credentialNames": ["a", "b", "c"]}, "3 is above 2"),
    ],
)
def test_a_fault_is_named(change: dict[str, Any], problem: str) -> None:
    [server] = GATEWAY["spec"]["servers"]
    document = GATEWAY | {"spec": GATEWAY["spec"] | {"servers": [server | {"tls": server["tls"] | change}]}}
    assert any(problem in found for found in problems(document))


def test_a_missing_field_and_an_unknown_kind_are_named() -> None:
    assert problems(GATEWAY | {"spec": {"servers": [{"hosts": ["a/b.example.com"]}]}}) == [
        "spec.servers[0]: port is missing"
    ]
    assert problems(GATEWAY | {"kind": "Gate"}) == ["Gate: not a kind of Istio's"]
    assert problems({"apiVersion": "v1", "kind": "Service", "metadata": {}}) == []


def test_a_fault_in_the_gateway_api_is_named() -> None:
    rule = {"matches": [{"path": {"type": "Regex", "value": "/"}}], "backendRef": []}
    document = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {}}
    found = problems(document | {"spec": {"rules": [rule]}})
    assert any("unknown field backendRef" in each for each in found)
    assert any("none of" in each for each in found)


def test_alternatives_exclude_each_other() -> None:
    destination = {"host": "a.example.com", "subset": "v1"}
    route = {"name": "a", "match": [{"uri": {"exact": "/", "prefix": "/"}}], "route": [{"destination": destination}]}
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {},
        "spec": {"hosts": ["a.example.com"], "http": [route]},
    }
    assert any("fits not exactly one" in found for found in problems(document))


def test_an_empty_policy_is_legal_to_the_server() -> None:
    """Which is why the compiler's own check of empty rules exists."""
    assert problems(POLICY | {"spec": {"rules": [{}]}}) == []


def test_the_committed_schemas_are_those_of_the_pinned_istio() -> None:
    """Where the Go module cache holds it; elsewhere the committed file is what there is to go by."""
    pinned = [line.split() for line in _go_sum() if line.startswith("istio.io/istio v") and "/go.mod" not in line]
    found = [
        Path(path)
        for _, version, _ in pinned
        for path in glob(
            f"{Path.home()}/go/pkg/mod/istio.io/istio@{version}/manifests/charts/base/files/crd-all.gen.yaml"
        )
    ]
    committed = (Path(__file__).parent / "istio.json").read_text(encoding="utf-8")
    for path in found:
        assert derive(path.read_text(encoding="utf-8")) == committed
    assert pinned, "the lab pins an Istio"


def _go_sum() -> list[str]:
    return Path("lab/tools/go.sum").read_text(encoding="utf-8").splitlines()

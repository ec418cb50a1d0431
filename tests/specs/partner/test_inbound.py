"""Facts of single fields on the way in, each with the reason why it matters."""

from typing import Any

import pytest

from partner_mesh.model import Manifest
from partner_mesh.specs import compile_stack
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.inbound_authorization import allow
from tests.specs.partner.strategies import APPLICATIONS
from tests.specs.stacks import stack

ROUTE: dict[str, Any] = {"path": "/v1", "to": "charging:http"}


def compiled(route: dict[str, Any], entry: dict[str, Any] | None = None, **changes: Any) -> dict[str, Manifest]:
    """The objects of partner acme by kind and namespace, without the edges that every route brings."""
    inbound = {
        "host": "acme.example.com",
        "clientCertificate": {"ca": "ca", "subjectAltNames": ["a.example"]},
        "sourceRanges": ["192.0.2.1/32"],
        "routes": [route],
    }
    acme = {"name": "acme", "owner": "integrations@example.com", "inbound": inbound | (entry or {})}
    whole = compile_stack(stack(applications=APPLICATIONS, partners=[acme], **changes))
    own = [manifest for manifest in whole.partners["acme"] if not manifest.name.startswith("acme.partners-to-")]
    return {f"{manifest.kind} {manifest.namespace}": manifest for manifest in own}


def rule(found: dict[str, Manifest], namespace: str = "charging") -> dict[str, Any]:
    [only] = found[f"AuthorizationPolicy {namespace}"].body["spec"]["rules"]
    return dict(only)


def test_the_application_admits_the_gateway_on_behalf_of_the_partners_addresses() -> None:
    found = rule(compiled(ROUTE | {"methods": ["POST"], "rewrite": "/inside"}))
    assert found == {
        "from": [
            {
                "source": {
                    "principals": ["cluster.local/ns/istio-partners/sa/partners"],
                    "remoteIpBlocks": ["192.0.2.1/32"],
                }
            }
        ],
        "to": [
            {
                "operation": {
                    "hosts": ["acme.example.com", "acme.example.com:*"],
                    "ports": ["8080"],
                    "methods": ["POST"],
                    "paths": ["/inside"],
                }
            }
        ],
    }


def test_the_edge_judges_the_direct_address_and_leaves_the_path_to_its_routes() -> None:
    """A gateway's policies stand in the filter chain of every server: methods and paths would stand there as often."""
    found = compiled(ROUTE | {"methods": ["POST"], "rewrite": "/inside"}, {"enforceAt": "edge"})
    assert rule(found, "istio-partners-edge") == {
        "from": [{"source": {"ipBlocks": ["192.0.2.1/32"]}}],
        "to": [{"operation": {"hosts": ["acme.example.com", "acme.example.com:*"], "ports": ["8443"]}}],
    }
    [route] = found["VirtualService istio-partners-edge"].body["spec"]["http"]
    assert route["match"] == [{"uri": {"exact": "/v1"}, "method": {"exact": "POST"}}]
    assert rule(found)["to"][0]["operation"]["paths"] == ["/inside"]
    assert rule(found)["from"][0]["source"]["principals"] == ["cluster.local/ns/istio-partners-edge/sa/partners-edge"]


def test_routes_of_grpc_take_post_as_the_policy_does() -> None:
    found = compiled(ROUTE, {"protocol": "grpc"})
    [route] = found["VirtualService istio-partners"].body["spec"]["http"]
    assert route["match"][0]["method"] == {"exact": "POST"}
    assert rule(found)["to"][0]["operation"]["methods"] == ["POST"]


@pytest.mark.parametrize(
    ("headers", "changes", "conditions"),
    [
        ({"x-v": "2"}, None, [("x-v", "2")]),
        ({"x-v": "2"}, {"set": {"x-v": "3"}}, [("x-v", "3")]),
        ({"x-v": "2"}, {"remove": ["x-v"]}, None),
        ({"x-v": "2*"}, None, None),  # a star would be a prefix there, and more would pass than the route lets through
        ({"x-v": "*", "x-w": "1"}, None, [("x-w", "1")]),
    ],
)
def test_headers_are_asked_for_as_the_application_sees_them(
    headers: dict[str, str], changes: dict[str, Any] | None, conditions: list[tuple[str, str]] | None
) -> None:
    route = ROUTE | {"headers": headers} | ({"setHeaders": changes} if changes else {})
    wanted = [{"key": f"request.headers[{name}]", "values": [value]} for name, value in conditions or ()]
    assert rule(compiled(route)).get("when") == (wanted or None)


def test_any_source_leaves_the_address_open_and_nothing_else() -> None:
    found = rule(compiled(ROUTE, {"anySource": True, "sourceRanges": []}))
    assert found["from"] == [{"source": {"principals": ["cluster.local/ns/istio-partners/sa/partners"]}}]


def test_any_source_is_two_halves_in_a_set_and_one_block_in_a_policy() -> None:
    entry = {"anySource": True, "sourceRanges": []}
    assert compiled(ROUTE, entry)["NetworkSet istio-partners"].body["spec"]["nets"] == ["0.0.0.0/1", "128.0.0.0/1"]
    without = compiled(ROUTE, entry, calico={"managed": False})
    assert not any(kind.startswith("NetworkSet") for kind in without)
    [ingress] = without["NetworkPolicy istio-partners"].body["spec"]["ingress"]
    assert ingress["from"] == [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def test_tcp_is_judged_at_the_gateway_by_address_and_name() -> None:
    """A sidecar knows no client address of a connection without headers."""
    found = compiled({"to": "messaging:smpp"}, {"protocol": "tcp"})
    assert rule(found, "istio-partners") == {
        "from": [{"source": {"ipBlocks": ["192.0.2.1/32"]}}],
        "to": [{"operation": {"ports": ["8443"]}}],
        "when": [{"key": "connection.sni", "values": ["acme.example.com"]}],
    }
    assert rule(found, "checkout")["to"] == [{"operation": {"ports": ["2775"]}}]


def test_the_static_allow_of_a_gateway_leaves_tcp_out() -> None:
    """A rule with paths is none in a TCP filter chain, so that an entry's own ALLOW decides there."""
    whole = compile_stack(stack(applications=APPLICATIONS))
    [own] = [m for m in whole.gateways["partners"] if m.name == "own-port"]
    assert own.body["spec"]["rules"] == [{"to": [{"operation": {"ports": ["8443"], "paths": ["/*"]}}]}]


def test_a_gateway_that_authorises_has_no_allow_of_its_own() -> None:
    gateways = {"partners": {"direction": "ingress", "exposure": "partner", "enforceAt": "edge"}}
    egress = {"egress": {"direction": "egress"}}
    whole = compile_stack(stack(applications={}, gateways=gateways | egress))
    assert not [m for m in whole.gateways["partners"] if m.name == "own-port"]


def test_a_tcp_host_with_two_routes_is_refused() -> None:
    with pytest.raises(ValueError, match="one application"):
        compiled(ROUTE, {"protocol": "tcp", "routes": [{"to": "messaging:smpp"}, {"to": "messaging:smpp"}]})


@pytest.mark.parametrize("rules", [[], [{}]])
def test_an_empty_rule_is_never_written(rules: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="empty rule"):
        allow("name", "namespace", {"app": "charging"}, {}, rules)


def test_long_names_stay_labels_and_apart() -> None:
    found = compiled(ROUTE, {"name": "b" * 60})["Gateway istio-partners"]
    assert found.name.startswith(f"acme-{'b' * 49}-")
    assert len(found.name) == 63
    [server] = found.body["spec"]["servers"]
    assert len(server["port"]["name"]) <= 63
    assert entry_name("a" * 60, "x" * 60) != entry_name("a" * 60, "x" * 61)

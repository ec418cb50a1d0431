"""Facts of single fields on the way out, each with the reason why it matters."""

from typing import Any

import pytest

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs import compile_stack
from tests.specs.partner.strategies import APPLICATIONS
from tests.specs.stacks import stack

MUTUAL = {"mode": "mutual", "certificate": "acme-client"}


def configured(*entries: dict[str, Any], **changes: Any) -> Stack:
    outbound = [{"host": "api.acme.example", "from": ["charging"]} | entry for entry in entries]
    acme = {"name": "acme", "owner": "integrations@example.com", "outbound": outbound}
    return stack(applications=APPLICATIONS, partners=[acme], **changes)


def compiled(*entries: dict[str, Any], **changes: Any) -> dict[str, Manifest]:
    found = compile_stack(configured(*entries, **changes)).partners["acme"]
    return {f"{manifest.kind} {manifest.name}": manifest for manifest in found}


def spec(found: dict[str, Manifest], key: str) -> dict[str, Any]:
    return dict(found[key].body["spec"])


def test_only_the_callers_namespaces_learn_of_the_capture_and_nobody_but_the_gateway_of_the_host() -> None:
    found = compiled({"from": ["messaging", "checkout"]})
    assert spec(found, "VirtualService acme-api.capture")["exportTo"] == ["checkout"]
    host = spec(found, "ServiceEntry acme-api")
    assert host["exportTo"] == ["."]
    assert [port["number"] for port in host["ports"]] == [443]


def test_the_gateway_admits_the_callers_by_name() -> None:
    [rule] = spec(compiled({"from": ["charging", "messaging"]}), "AuthorizationPolicy acme-api")["rules"]
    assert rule["from"] == [
        {"source": {"principals": ["cluster.local/ns/charging/sa/charging", "cluster.local/ns/checkout/sa/messaging"]}}
    ]
    assert rule["to"] == [{"operation": {"hosts": ["api.acme.example", "api.acme.example:*"], "ports": ["8443"]}}]


def test_through_the_alias_the_same_may_be_asked_below_its_prefix() -> None:
    alias = {"host": "partners.internal", "port": 7090, "prefix": "/acme/"}
    bounded = compiled({"alias": alias, "paths": ["/v1/{*}"], "methods": ["POST"]})
    [rule] = spec(bounded, "AuthorizationPolicy acme-api")["rules"]
    assert [(to["operation"]["hosts"][0], to["operation"]["paths"]) for to in rule["to"]] == [
        ("api.acme.example", ["/v1/{*}"]),
        ("partners.internal", ["/acme/v1/{*}"]),
    ]
    [route] = spec(bounded, "VirtualService acme-api.alias")["http"]
    assert route["match"] == [{"uri": {"prefix": "/acme/"}}]
    assert route["rewrite"] == {"uri": "/", "authority": "api.acme.example"}
    [open_rule] = spec(compiled({"alias": alias}), "AuthorizationPolicy acme-api")["rules"]
    assert open_rule["to"][1]["operation"]["paths"] == ["/acme/*"]  # its own prefix, never another partner's


def test_a_rewrite_holds_by_host_and_by_alias() -> None:
    alias = {"host": "partners.internal", "port": 7090, "prefix": "/acme/"}
    found = compiled({"alias": alias, "paths": ["/v1/{*}"], "rewrite": "/api/{*}"})
    [direct] = spec(found, "VirtualService acme-api.exit")["http"]
    [aliased] = spec(found, "VirtualService acme-api.alias")["http"]
    assert (
        direct["rewrite"]["uriRegexRewrite"]["rewrite"]
        == aliased["rewrite"]["uriRegexRewrite"]["rewrite"]
        == "/api/\\1"
    )
    assert aliased["match"][0]["uri"]["regex"] == "/acme" + direct["match"][0]["uri"]["regex"]


def test_our_identity_stays_inside() -> None:
    [route] = spec(compiled({"setHeaders": {"remove": ["x-own"]}}), "VirtualService acme-api.exit")["http"]
    removed = route["headers"]["request"]["remove"]
    assert {"x-forwarded-client-cert", "x-forwarded-for", "traceparent", "b3", "x-own"} <= set(removed)
    whole = compile_stack(configured({}))
    [telemetry] = [m for m in whole.gateways["egress"] if m.name == "no-trace-outside"]
    assert telemetry.body["spec"]["tracing"] == [{"disableContextPropagation": True}]


def test_a_call_is_repeated_by_the_gateway_alone_and_only_as_asked() -> None:
    found = compiled({"retries": {"attempts": 3, "on": ["5xx"]}})
    assert spec(found, "VirtualService acme-api.exit")["http"][0]["retries"] == {"attempts": 3, "retryOn": "5xx"}
    unseen = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}
    assert spec(found, "VirtualService acme-api.capture")["http"][0]["retries"] == unseen
    assert spec(compiled({}), "VirtualService acme-api.exit")["http"][0]["retries"] == unseen


@pytest.mark.parametrize(
    ("tls", "credential", "system"),
    [
        ({}, None, "system"),
        ({"ca": "private-ca"}, "acme-api", None),
        (MUTUAL, "acme-api", None),
        (MUTUAL | {"ca": "private-ca"}, "acme-api", None),
    ],
)
def test_the_partner_is_verified_in_every_mode(tls: dict[str, Any], credential: str | None, system: str | None) -> None:
    found = compiled({"tls": tls})
    [port] = spec(found, "DestinationRule acme-api")["trafficPolicy"]["portLevelSettings"]
    assert port["tls"].get("credentialName") == credential
    assert port["tls"].get("caCertificates") == system
    assert port["tls"]["subjectAltNames"] == ["api.acme.example"]
    assert ("ExternalSecret acme-api" in found) == (credential is not None)


def test_a_private_ca_takes_the_place_of_the_one_beside_the_certificate() -> None:
    found = compiled({"tls": MUTUAL | {"ca": "private-ca"}})
    keys = {entry["secretKey"]: entry["remoteRef"] for entry in spec(found, "ExternalSecret acme-api")["data"]}
    assert keys["ca.crt"] == {"key": "billing-test/private-ca", "property": "ca.crt"}
    assert keys["tls.key"] == {"key": "billing-test/acme-client", "property": "tls.key"}


def test_no_secret_is_asked_for_where_the_store_is_somebody_elses() -> None:
    entry = {"tls": MUTUAL, "token": {"secret": "acme-token"}}
    assert not [kind for kind in compiled(entry, secrets={"store": "none"}) if kind.startswith("ExternalSecret")]
    assert [kind for kind in compiled(entry) if kind.startswith("ExternalSecret")] == [
        "ExternalSecret acme-api",
        "ExternalSecret acme-api.token",
    ]


def test_tls_1_3_towards_a_partner_is_not_silently_1_2() -> None:
    with pytest.raises(ValueError, match="minVersion"):
        compiled({"tls": {"minVersion": "1.3"}})


def test_http2_stays_http2_on_both_hops() -> None:
    found = compiled({"protocol": "grpc"})
    [port] = spec(found, "DestinationRule acme-api")["trafficPolicy"]["portLevelSettings"]
    assert port["connectionPool"]["http"]["h2UpgradePolicy"] == "UPGRADE"
    whole = compile_stack(configured({}))
    [way] = [m for m in whole.gateways["egress"] if m.kind == "DestinationRule"]
    assert way.body["spec"]["trafficPolicy"]["connectionPool"]["http"]["useClientProtocol"] is True


def test_tcp_is_chosen_by_name_at_the_gateway() -> None:
    found = compiled({"protocol": "tcp", "port": 3550, "tls": MUTUAL})
    [server] = spec(found, "Gateway acme-api")["servers"]
    assert (server["port"]["number"], server["hosts"]) == (15443, ["istio-egress/api.acme.example"])
    [subset] = spec(found, "DestinationRule acme-api.gateway")["subsets"]
    assert subset["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL", "sni": "api.acme.example"}
    [rule] = spec(found, "AuthorizationPolicy acme-api")["rules"]
    assert rule["when"] == [{"key": "connection.sni", "values": ["api.acme.example"]}]
    [edge] = spec(found, "NetworkPolicy acme.charging-to-egress")["ingress"]
    assert edge["ports"] == [{"protocol": "TCP", "port": 15443}]


def test_tcp_subsets_merge_into_the_static_rule() -> None:
    """Istio merges rules of one host only where `exportTo` is the same."""
    whole = compile_stack(configured({"protocol": "tcp", "port": 3550}))
    rules = [m for m in whole if m.kind == "DestinationRule" and "egress.istio-egress" in m.body["spec"]["host"]]
    assert len({tuple(m.body["spec"]["exportTo"]) for m in rules}) == 1
    assert len(rules) == 2


def test_another_port_of_a_partner_opens_no_more_than_itself() -> None:
    found = compiled({"port": 8443}, {"host": "b.acme.example"})
    [way] = spec(found, "NetworkPolicy acme.internet")["egress"]
    assert way["ports"] == [{"protocol": "TCP", "port": 8443}]
    assert "169.254.0.0/16" in way["to"][0]["ipBlock"]["except"]


def test_a_token_is_the_gateways_environment_and_stands_in_no_object() -> None:
    """Its Secret's key reaches Envoy as a variable, and the exit route says which: overwriting the application's."""
    entry = {"token": {"secret": "acme-token", "key": "api-key", "rotated": "2027-03-01"}}
    headers = [route["headers"]["request"] for route in spec(compiled(entry), "VirtualService acme-api.exit")["http"]]
    assert [each["set"] for each in headers] == [{"authorization": "Bearer %ENVIRONMENT(TOKEN_ACME_API)%"}]
    [gateway] = [chart for chart in compile_stack(configured(entry)).charts if chart.name == "egress"]
    reference = {"name": "acme-api.token", "key": "api-key", "optional": True}
    assert gateway.values["envVarFrom"] == [{"name": "TOKEN_ACME_API", "valueFrom": {"secretKeyRef": reference}}]
    assert gateway.values["podAnnotations"]["partner-mesh.dev/tokens-rotated"] == "acme-api=2027-03-01"


def test_a_key_without_a_scheme_stands_alone() -> None:
    entry = {"token": {"secret": "acme-token", "header": "x-api-key", "scheme": ""}}
    [route] = spec(compiled(entry), "VirtualService acme-api.exit")["http"]
    assert route["headers"]["request"]["set"] == {"x-api-key": "%ENVIRONMENT(TOKEN_ACME_API)%"}


def test_no_header_of_a_file_reads_the_gateways_environment() -> None:
    """Otherwise one partner's file could send another's token away."""
    entry = {"setHeaders": {"set": {"x-note": "%ENVIRONMENT(TOKEN_GLOBEX_API)% 100%"}}}
    [route] = spec(compiled(entry), "VirtualService acme-api.exit")["http"]
    assert route["headers"]["request"]["set"] == {"x-note": "%%ENVIRONMENT(TOKEN_GLOBEX_API)%% 100%%"}


def test_without_a_token_the_gateway_knows_none() -> None:
    [gateway] = [chart for chart in compile_stack(configured({})).charts if chart.name == "egress"]
    assert "envVarFrom" not in gateway.values

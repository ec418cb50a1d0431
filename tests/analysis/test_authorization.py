"""AuthorizationPolicy as istiod reads it: rows of policies, a peer, and what may pass."""

from typing import Any

import pytest
import yaml

from partner_mesh.analysis.authentication import Principal, RequestAuthentications
from partner_mesh.analysis.authorization import Authorizations, _Regions
from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Opinion, Verdict
from partner_mesh.analysis.mesh_config import mesh_config
from partner_mesh.analysis.peers import Peer
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.topology import World

SHOP = Principal("cluster.local", "shop", "cart")
OTHER = Principal("cluster.local", "other", "thief")
MESH_PEER = Peer(SHOP)
PORTS = PortSet.single("TCP", 8080) | PortSet.single("TCP", 9090)
GET = ("any.example", "GET", "/x")


def world(text: str) -> World:
    documents = []
    for index, document in enumerate(yaml.safe_load_all(text)):
        kind = document.pop("kind", "AuthorizationPolicy")
        metadata = {"namespace": "pay", "name": f"p{index}", **document.pop("metadata", {})}
        documents.append({"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": metadata, "spec": document})
    return World(of_documents(documents))


def opinions(text: str, peer: Peer = MESH_PEER, *, http: bool = True, **labels: str) -> tuple[Opinion, ...]:
    loaded = world(text)
    config = mesh_config(loaded)
    policies = Authorizations(loaded, config, RequestAuthentications(loaded, config))
    return policies.opinions(policies.bound("pay", labels or {"app": "pay"}), peer, PORTS, http=http, raw=False)


def verdict(found: tuple[Opinion, ...], request: tuple[str, str, str], port: int = 8080) -> str:
    """The verdict of one request; exactly one opinion may hold it."""
    holding = [
        each
        for each in found
        if ("TCP", port) in each.ports and (each.http is None or each.http.accepts(*request))  # type: ignore[attr-defined]
    ]
    assert len({each.verdict for each in holding}) == 1, holding
    return holding[0].verdict.value


ALLOWED, DENIED, UNKNOWN = "allowed", "denied", "unknown"


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ("{}", DENIED),  # no rules: allows nothing
        ("{rules: []}", DENIED),
        ("{rules: [{}]}", ALLOWED),  # an empty rule matches everything
        ("{action: DENY}", ALLOWED),  # and a DENY without rules denies nothing
        ("{action: DENY, rules: [{}]}", DENIED),
        ("{action: AUDIT, rules: [{}]}", None),
        ("{metadata: {annotations: {istio.io/dry-run: 'true'}}}", None),
        ("{selector: {matchLabels: {app: else}}}", None),
        ("{metadata: {namespace: istio-system}}", DENIED),
        ("{metadata: {namespace: istio-system}, selector: {matchLabels: {app: pay}}}", DENIED),
        ("{metadata: {namespace: shop}}", None),
        ("{targetRefs: [{kind: Service, name: pay}]}", None),
        ("{action: CUSTOM, provider: {name: opa}, rules: [{}]}", UNKNOWN),
        ("{action: CUSTOM, provider: {name: opa}, rules: [{}]}\n---\n{action: DENY, rules: [{}]}", DENIED),
        ("{rules: [{}]}\n---\n{action: DENY, rules: [{}]}", DENIED),
    ],
)
def test_scope_and_the_meaning_of_empty(policies: str, expected: str | None) -> None:
    found = opinions(policies)
    if expected is None:
        assert found == ()
    else:
        assert verdict(found, GET) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("principals: [cluster.local/ns/shop/sa/cart]", ALLOWED),
        ("principals: [cluster.local/ns/shop/sa/*]", ALLOWED),
        ("principals: ['*/sa/cart']", ALLOWED),
        ("principals: ['*']", ALLOWED),
        ("principals: [cluster.local/ns/shop/sa/car]", DENIED),
        ("notPrincipals: [cluster.local/ns/shop/sa/cart]", DENIED),
        ("principals: ['*'], notPrincipals: [cluster.local/ns/other/sa/*]", ALLOWED),
        ("namespaces: [shop]", ALLOWED),
        ("namespaces: [sh*]", ALLOWED),
        ("namespaces: [hop]", DENIED),
        ("notNamespaces: [shop]", DENIED),
        ("serviceAccounts: [shop/cart]", ALLOWED),
        ("serviceAccounts: [cart]", DENIED),  # a bare name is one of the policy's own namespace
        ("trustDomains: [cluster.local]", ALLOWED),
        ("trustDomains: [other.local]", DENIED),
        ("ipBlocks: [10.0.0.0/8]", UNKNOWN),  # a pod's address is not written anywhere
        ("ipBlocks: [0.0.0.0/0, '::/0']", ALLOWED),
        ("requestPrincipals: ['*']", DENIED),  # no RequestAuthentication: no token is ever read
        ("someday: [x]", UNKNOWN),
        ("principals: [cluster.local/ns/other/sa/thief], ipBlocks: [10.0.0.0/8]", DENIED),
    ],
)
def test_sources(source: str, expected: str) -> None:
    assert verdict(opinions(f"{{rules: [{{from: [{{source: {{{source}}}}}]}}]}}"), GET) == expected


@pytest.mark.parametrize(
    ("operation", "request_", "port", "expected"),
    [
        ("methods: [GET]", ("h", "GET", "/"), 8080, ALLOWED),
        ("methods: [GET]", ("h", "POST", "/"), 8080, DENIED),
        ("notMethods: [GET]", ("h", "GET", "/"), 8080, DENIED),
        ("paths: ['/a/{*}']", ("h", "GET", "/a/b"), 8080, ALLOWED),
        ("paths: ['/a/{*}']", ("h", "GET", "/a/b/c"), 8080, DENIED),
        ("paths: [/a*], notPaths: [/a/secret*]", ("h", "GET", "/a/secret/1"), 8080, DENIED),
        ("paths: [/a*], notPaths: [/a/secret*]", ("h", "GET", "/abc"), 8080, ALLOWED),
        ("hosts: [A.example]", ("a.example", "GET", "/"), 8080, ALLOWED),
        ("hosts: [a.example]", ("a.example:443", "GET", "/"), 8080, DENIED),
        ("hosts: [a.example, 'a.example:*']", ("a.example:443", "GET", "/"), 8080, ALLOWED),
        ("ports: ['8080']", ("h", "GET", "/"), 8080, ALLOWED),
        ("ports: ['8080']", ("h", "GET", "/"), 9090, DENIED),
        ("notPorts: ['8080']", ("h", "GET", "/"), 8080, DENIED),
        ("notPorts: ['8080']", ("h", "GET", "/"), 9090, ALLOWED),
        ("hereafter: [x]", ("h", "GET", "/"), 8080, UNKNOWN),
    ],
)
def test_operations(operation: str, request_: tuple[str, str, str], port: int, expected: str) -> None:
    found = opinions(f"{{rules: [{{to: [{{operation: {{{operation}}}}}]}}]}}")
    assert verdict(found, request_, port) == expected


TOKENS = "{kind: RequestAuthentication, jwtRules: [{issuer: 'https://login.example'}]}\n---\n"


@pytest.mark.parametrize(
    ("source", "token", "expected"),
    [
        ("requestPrincipals: ['*']", "valid", ALLOWED),
        ("requestPrincipals: ['*']", "none", DENIED),
        ("requestPrincipals: ['https://login.example/*']", "valid", ALLOWED),
        ("requestPrincipals: ['https://evil.example/*']", "valid", DENIED),
        ("notRequestPrincipals: ['*']", "none", ALLOWED),
    ],
)
def test_tokens(source: str, token: Any, expected: str) -> None:
    found = opinions(TOKENS + f"{{rules: [{{from: [{{source: {{{source}}}}}]}}]}}", Peer(SHOP, token=token))
    assert verdict(found, GET) == expected


def carried(found: tuple[Opinion, ...], wanted: Verdict) -> list[Any]:
    boxes = [each.http for each in found if each.verdict is wanted]
    return HttpSet.union(each for each in boxes if isinstance(each, HttpSet)).document()


def test_what_the_sender_chooses_is_recorded_with_the_verdict() -> None:
    """A header decides nothing about who may call: the requests that carry it may."""
    found = opinions("{rules: [{when: [{key: 'request.headers[X-Token]', values: [one]}]}]}")
    assert [box["when"] for box in carried(found, Verdict.ALLOWED)] == [["request.headers[x-token] is one"]]
    assert [box["when"] for box in carried(found, Verdict.DENIED)] == [["request.headers[x-token] is not one"]]


def test_a_client_that_writes_its_own_address_may_claim_any() -> None:
    found = opinions("{rules: [{from: [{source: {remoteIpBlocks: [198.51.100.0/28]}}]}]}")
    assert [box["when"] for box in carried(found, Verdict.ALLOWED)] == [["remote.ip is 198.51.100.0/28"]]


@pytest.mark.parametrize(
    ("client", "expected"),
    [("198.51.100.7", ALLOWED), ("198.51.100.16", DENIED), ("198.51.100.0/24", UNKNOWN)],
)
def test_a_known_client_address_decides(client: str, expected: str) -> None:
    peer = Peer(SHOP, remote=AddressSet.of(client))
    found = opinions("{rules: [{from: [{source: {remoteIpBlocks: [198.51.100.0/28]}}]}]}", peer)
    assert verdict(found, GET) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("{rules: [{to: [{operation: {methods: [GET]}}]}]}", DENIED),  # the whole rule is dropped
        ("{rules: [{from: [{source: {principals: ['*']}}]}]}", ALLOWED),
        ("{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}", DENIED),  # the field alone is dropped
        ("{action: DENY, rules: [{to: [{operation: {methods: [GET], ports: ['1']}}]}]}", ALLOWED),
        ("{rules: [{when: [{key: 'request.headers[a]', values: [b]}]}]}", DENIED),
    ],
)
def test_fields_of_http_on_a_port_that_is_not_http(policy: str, expected: str) -> None:
    assert verdict(opinions(policy, http=False), GET) == expected


def test_rules_see_through_a_certificate_of_a_foreign_ca() -> None:
    """Whoever runs a CA can issue a certificate with any mesh name in it."""
    found = opinions("{rules: [{from: [{source: {principals: ['cluster.local/ns/shop/sa/cart']}}]}]}",
                     Peer(None, foreign_certificate=True))  # fmt: skip
    assert verdict(found, GET) == UNKNOWN


def test_the_policy_that_decides_is_named_with_its_rule() -> None:
    [denied, allowed] = sorted(
        opinions("{rules: [{to: [{operation: {methods: [GET]}}]}]}"), key=lambda o: o.verdict.value
    )[::-1]
    assert {denied.because[0].object, allowed.because[0].object} == {"AuthorizationPolicy pay/p0"}
    assert ("spec", "rules", 0) in {denied.because[0].path, allowed.because[0].path}


@pytest.mark.parametrize(
    ("sni", "action", "expected"),
    [
        ("a.example", "ALLOW", ALLOWED),
        ("b.example", "ALLOW", DENIED),
        (None, "ALLOW", ALLOWED),  # the client's own choice
        (None, "DENY", UNKNOWN),
    ],
)
def test_the_server_name_that_a_client_asks_for(sni: str | None, action: str, expected: str) -> None:
    policy = f"{{action: {action}, rules: [{{when: [{{key: connection.sni, values: [a.example]}}]}}]}}"
    assert verdict(opinions(policy, Peer(SHOP, sni=sni), http=False), GET) == expected


def test_over_tcp_a_client_address_is_the_connections_own() -> None:
    found = opinions("{rules: [{from: [{source: {remoteIpBlocks: [198.51.100.0/28]}}]}]}", http=False)
    assert verdict(found, GET) == UNKNOWN


@pytest.mark.parametrize("count", [4, 100])  # a set of few regions, and one of many
def test_addresses_are_told_apart_exactly_where_blocks_tell_them_apart(count: int) -> None:
    blocks = [AddressSet.of(f"198.18.{number}.0/24") for number in range(count)]
    regions = _Regions(blocks)
    inside, beside = regions.of(AddressSet.of("198.18.1.7")), regions.of(AddressSet.of("198.18.1.8"))
    assert inside == beside != regions.of(AddressSet.of("198.18.2.7"))
    first, second, last = (AddressSet.ALL - blocks[number] for number in (0, 1, -1))
    assert len({regions.of(each) for each in (first, second, last, AddressSet.ALL)}) == 4
    assert regions.of(first) == regions.of(first - AddressSet.of("198.18.1.7"))

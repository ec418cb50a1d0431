"""Ways through gateways, on a stack written by hand: what partners, users and applications may and may not do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import ExternalHost, Verdict
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.through_gateways import connections
from tests.analysis import partner_stack

Documents = list[dict[str, Any]]
CALLBACK = ("p0.partners.example.com", "POST", "/v1/callbacks/7")


def ways(documents: Documents) -> list[Connection]:
    return list(connections(Reach.of(of_documents(documents))))


def verdicts(found: list[Connection], source: str, request: tuple[str, str, str], destination: str = "") -> list[str]:
    """Every verdict that the request gets from a source, in order."""
    return [
        each.verdict.value
        for each in found
        if str(each.source) == source
        and (not destination or str(each.destination) == destination)
        and isinstance(each.http, HttpSet)
        and each.http.accepts(*request)
    ]


@pytest.fixture(scope="module")
def stack() -> list[Connection]:
    return ways(partner_stack.documents(2))


@pytest.mark.parametrize(
    ("source", "request_", "expected"),
    [
        ("partner p0", CALLBACK, "allowed"),
        ("partner p0", ("p0.partners.example.com:443", "POST", "/v1/callbacks/7"), "allowed"),
        ("partner p0", ("p0.partners.example.com", "GET", "/v1/callbacks/7"), "denied"),
        ("partner p0", ("p0.partners.example.com", "POST", "/v1/callbacks/7/8"), "denied"),
        ("partner p0", ("p0.partners.example.com", "POST", "/callbacks/7"), "denied"),
        ("partner p0 from elsewhere", CALLBACK, "denied"),
        ("another partner (not p0)", CALLBACK, "denied"),
        ("anonymous", CALLBACK, "denied"),
        ("user with token", ("pay.example.com", "GET", "/app0/cart/1"), "allowed"),
        ("user with token", ("pay.example.com", "POST", "/app0/cart/1"), "denied"),
        ("user with token", ("pay.example.com", "GET", "/app0/"), "denied"),
        ("user without token", ("pay.example.com", "GET", "/app0/cart/1"), "denied"),
        ("anonymous", ("pay.example.com", "GET", "/app0/cart/1"), "denied"),
        ("app0/app0[Deployment]", ("api.p0.example", "GET", "/direct-billing/x"), "allowed"),
        ("app0/app0[Deployment]", ("api.p0.example", "GET", "/"), "denied"),
    ],
)
def test_every_request_has_one_verdict(
    stack: list[Connection], source: str, request_: tuple[str, str, str], expected: str
) -> None:
    assert verdicts(stack, source, request_) == [expected]


@pytest.mark.parametrize(
    ("source", "layer", "object_"),
    [
        ("anonymous", "mTLS", "Gateway istio-partners/p0"),
        ("another partner (not p0)", "mTLS", "Gateway istio-partners/p0"),
        ("partner p0 from elsewhere", "authorisation", "AuthorizationPolicy app0/p0"),
    ],
)
def test_a_refusal_names_its_layer_and_object(stack: list[Connection], source: str, layer: str, object_: str) -> None:
    [denied] = [
        each for each in stack
        if str(each.source) == source and isinstance(each.http, HttpSet) and each.http.accepts(*CALLBACK)
    ]  # fmt: skip
    assert (denied.decided_by[0].layer, denied.decided_by[0].object) == (layer, object_)


def object_of(documents: Documents, kind: str, name: str) -> dict[str, Any]:
    return next(each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)


def _without_remote_blocks(documents: Documents) -> None:
    del object_of(documents, "AuthorizationPolicy", "p0")["spec"]["rules"][0]["from"][0]["source"]["remoteIpBlocks"]


def _wider_remote_blocks(documents: Documents) -> None:
    source = object_of(documents, "AuthorizationPolicy", "p0")["spec"]["rules"][0]["from"][0]["source"]
    source["remoteIpBlocks"] = ["198.18.0.0/24"]


def _wildcard_server(documents: Documents) -> None:
    object_of(documents, "Gateway", "p1")["spec"]["servers"][0]["hosts"] = ["istio-partners/*"]
    object_of(documents, "VirtualService", "p0")["spec"]["gateways"] = ["p0", "p1"]


def _shared_ca(documents: Documents) -> None:
    for name in ("p0", "p1"):
        tls = object_of(documents, "Gateway", name)["spec"]["servers"][0]["tls"]
        tls["credentialName"] = "everybody"
        del tls["subjectAltNames"]
    _without_remote_blocks(documents)


def _no_route_method(documents: Documents) -> None:
    del object_of(documents, "VirtualService", "p0")["spec"]["http"][0]["match"][0]["method"]
    del object_of(documents, "AuthorizationPolicy", "p0")["spec"]["rules"][0]["to"][0]["operation"]["methods"]


def _simple_server(documents: Documents) -> None:
    object_of(documents, "Gateway", "p0")["spec"]["servers"][0]["tls"] = {"mode": "SIMPLE", "credentialName": "x"}
    _without_remote_blocks(documents)


@pytest.mark.parametrize(
    ("mutation", "source", "request_", "expected"),
    [
        (_without_remote_blocks, "partner p0 from elsewhere", CALLBACK, "allowed"),
        (_wider_remote_blocks, "partner p0 from elsewhere", CALLBACK, "allowed"),
        (_shared_ca, "another partner (not p0)", CALLBACK, "allowed"),
        (_no_route_method, "partner p0", ("p0.partners.example.com", "DELETE", "/v1/callbacks/7"), "allowed"),
        (_simple_server, "anonymous", CALLBACK, "allowed"),
    ],
)
def test_what_opens_too_much_is_seen(
    mutation: Callable[[Documents], None], source: str, request_: tuple[str, str, str], expected: str
) -> None:
    documents = copy.deepcopy(partner_stack.documents(2))
    before = ways(documents)
    mutation(documents)
    assert "allowed" not in verdicts(before, source, request_)
    assert expected in verdicts(ways(documents), source, request_)


def test_a_wildcard_server_lets_another_partner_reach_this_ones_host() -> None:
    """The Host trick: SNI of p1, Host of p0. Exact hosts are the defence."""
    documents = copy.deepcopy(partner_stack.documents(2))
    _wildcard_server(documents)
    _without_remote_blocks(documents)
    assert verdicts(ways(documents), "another partner (not p0)", CALLBACK) == ["allowed"]


@pytest.mark.parametrize(
    ("kind", "name", "change", "expected"),
    [
        ("AuthorizationPolicy", "p0", None, "denied"),
        ("VirtualService", "p0", None, None),
        ("NetworkSet", "p0", None, "allowed"),  # the policy's own ranges stand in
        ("Gateway", "p0", None, None),
        ("VirtualService", "p0", {"http": [{"delegate": {"name": "x"}}]}, "unknown"),
        ("PeerAuthentication", "default", {"mtls": {"mode": "DISABLE"}}, "denied"),  # no identity is shown any more
    ],
)
def test_what_closes_a_way_is_seen(kind: str, name: str, change: dict[str, Any] | None, expected: str | None) -> None:
    documents = copy.deepcopy(partner_stack.documents(1))
    found = object_of(documents, kind, name)
    if change is None:
        documents.remove(found)
    else:
        found["spec"].update(change)
    assert verdicts(ways(documents), "partner p0", CALLBACK) == ([] if expected is None else [expected])


def test_an_envoy_filter_at_the_workload_makes_the_answer_unknown() -> None:
    documents = partner_stack.documents(1)
    patch = {"applyTo": "HTTP_FILTER", "match": {"context": "SIDECAR_INBOUND"}}
    documents.append(partner_stack.document("EnvoyFilter", "app0", "lua", {"configPatches": [patch]}))
    found = ways(documents)
    assert verdicts(found, "partner p0", CALLBACK) == ["unknown"]
    [unknown] = [e for e in found if e.verdict is Verdict.UNKNOWN and str(e.source) == "partner p0"]
    assert unknown.decided_by[0].object == "EnvoyFilter app0/lua"


def test_only_the_consumer_is_told_of_the_host() -> None:
    found = ways(partner_stack.documents(1, applications=2))
    sources = {str(each.source) for each in found if isinstance(each.destination, ExternalHost)}
    assert sources == {"app0/app0[Deployment]"}


def test_the_path_is_the_clients_own_before_the_rewrite(stack: list[Connection]) -> None:
    [allowed] = [e for e in stack if str(e.source) == "partner p0" and e.verdict is Verdict.ALLOWED]
    assert allowed.http is not None
    assert allowed.http.document() == [
        {"hosts": ["p0.partners.example.com"], "methods": ["POST"], "paths": ["/v1/callbacks/{*}"]}
    ]


def _exit(documents: Documents, name: str = "p0") -> dict[str, Any]:
    return next(
        each for each in documents
        if each["kind"] == "DestinationRule" and each["spec"]["host"] == f"api.{name}.example"
    )  # fmt: skip


def test_leaving_without_tls_is_said() -> None:
    documents = copy.deepcopy(partner_stack.documents(1))
    documents.remove(_exit(documents))
    [allowed] = [
        each for each in ways(documents)
        if isinstance(each.destination, ExternalHost) and each.http and each.verdict is Verdict.ALLOWED
    ]  # fmt: skip
    assert any("plaintext" in each.reason for each in allowed.decided_by)


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "DISABLE"},  # no identity: the gateway's server asks for one
        {"mode": "SIMPLE"},
    ],
)
def test_the_egress_gateway_takes_nobody_without_an_identity(change: dict[str, Any]) -> None:
    documents = copy.deepcopy(partner_stack.documents(1))
    rule = object_of(documents, "DestinationRule", "p0-gateway")
    rule["spec"]["subsets"][0]["trafficPolicy"]["tls"].update(change)
    assert verdicts(ways(documents), "app0/app0[Deployment]", ("api.p0.example", "GET", "/direct-billing/x")) == [
        "denied"
    ]


def test_an_internal_alias_with_a_prefix_ends_at_the_partners_own_host() -> None:
    """The older habit: one internal name, a prefix for each partner, the authority set on capture."""
    documents = copy.deepcopy(partner_stack.documents(1))
    gateway = "egress.istio-egress.svc.cluster.local"
    documents += [
        partner_stack.document("ServiceEntry", "istio-egress", "alias", {
            "hosts": ["partners.internal"], "exportTo": ["app0"], "resolution": "STATIC",
            "ports": [{"number": 7090, "name": "http", "protocol": "HTTP"}],
        }),
        partner_stack.document("VirtualService", "istio-egress", "alias", {
            "hosts": ["partners.internal"], "gateways": ["mesh"], "exportTo": ["app0"],
            "http": [{
                "match": [{"uri": {"prefix": "/i1/"}, "port": 7090}],
                "rewrite": {"uri": "/direct-billing/", "authority": "api.p0.example"},
                "route": [{"destination": {"host": gateway, "subset": "p0", "port": {"number": 443}}}],
            }],
        }),
    ]  # fmt: skip
    found = ways(documents)
    request = ("partners.internal", "GET", "/i1/x")
    assert verdicts(found, "app0/app0[Deployment]", request, "api.p0.example") == ["allowed"]


def _groups(*, balancer_admits: str = "0.0.0.0/0") -> Documents:
    """The partner gateway admits its load balancer's group only; the balancer admits addresses."""

    def group(name: str, **rules: Any) -> dict[str, Any]:
        return {"apiVersion": "ec2.partner-mesh.dev/v1", "kind": "SecurityGroup", "metadata": {"name": name},
                "spec": {"groupId": f"sg-{name}", **rules}}  # fmt: skip

    port = {"protocol": "tcp", "fromPort": 8443, "toPort": 8443}
    return [
        group("gateway", ingress=[{**port, "securityGroups": ["sg-balancer"]}],
              egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}]),
        group("balancer", egress=[{**port, "securityGroups": ["sg-gateway"]}],
              ingress=[{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": [balancer_admits]}]),
        {"apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy",
         "metadata": {"name": "partners", "namespace": "istio-partners"},
         "spec": {"podSelector": {"matchLabels": {"istio": "partners"}},
                  "securityGroups": {"groupIds": ["sg-gateway"]}}},
    ]  # fmt: skip


@pytest.mark.parametrize(("admitted", "expected"), [("0.0.0.0/0", "allowed"), ("203.0.113.0/24", "denied")])
def test_clients_come_through_the_load_balancer_that_the_gateways_group_admits(admitted: str, expected: str) -> None:
    documents = [*partner_stack.documents(1), *_groups(balancer_admits=admitted)]
    assert verdicts(ways(documents), "partner p0", CALLBACK) == [expected]


def test_behind_a_proxy_that_is_believed_the_sidecar_does_not_see_the_client() -> None:
    """A layer-7 balancer's address is the last in X-Forwarded-For: allow-lists at the workload cannot be judged."""
    documents = copy.deepcopy(partner_stack.documents(1))
    pods = next(e for e in documents if e["kind"] == "Deployment" and e["metadata"]["name"] == "partners")
    annotations = pods["spec"]["template"]["metadata"]["annotations"]
    annotations["proxy.istio.io/config"] = "gatewayTopology: {numTrustedProxies: 1}"
    assert verdicts(ways(documents), "partner p0", CALLBACK) == ["unknown"]


# A partner with several entries ------------------------------------------------------------------------------------


def _second_entry(blocks: list[str] | None) -> Documents:
    """p0 with a second entry, for TCP, that takes it from other blocks, or from anywhere."""
    found = [  # without the gateway's own policy, which admits everybody to its port
        each
        for each in partner_stack.documents(2)
        if (each["kind"], each["metadata"].get("namespace")) != ("AuthorizationPolicy", "istio-partners")
    ]
    labels = {"partner-mesh.dev/partner": "p0"}
    tls = {"mode": "MUTUAL", "credentialName": "p0-raw", "subjectAltNames": ["calls.p0.example"]}
    server = {"port": {"number": 443, "name": "tls", "protocol": "TLS"}, "hosts": ["*/raw.p0.example"], "tls": tls}
    route = {"route": [{"destination": {"host": "app0.app0.svc.cluster.local", "port": {"number": 80}}}]}
    source = {"principals": ["cluster.local/ns/istio-partners/sa/partners"]}
    admitted = {"from": [{"source": {"ipBlocks": blocks}}]} if blocks else {}
    return [
        *found,
        partner_stack.document(
            "Gateway", "istio-partners", "p0-raw", {"selector": {"istio": "partners"}, "servers": [server]},
            labels=labels,
        ),
        partner_stack.document(
            "VirtualService", "istio-partners", "p0-raw",
            {"hosts": ["raw.p0.example"], "gateways": ["p0-raw"], "tcp": [route]}, labels=labels,
        ),
        partner_stack.document(
            "AuthorizationPolicy", "istio-partners", "p0-raw",
            {"rules": [{**admitted, "when": [{"key": "connection.sni", "values": ["raw.p0.example"]}]}]},
            labels=labels,
        ),
        partner_stack.document("AuthorizationPolicy", "app0", "p0-raw", {"rules": [{"from": [{"source": source}]}]},
                               labels=labels),
    ]  # fmt: skip


def _own_policy(blocks: list[str]) -> dict[str, Any]:
    """What admits p0's packets to its gateway where there is no Calico."""
    rule = {"from": [{"ipBlock": {"cidr": each}} for each in blocks], "ports": [{"port": 8443}]}
    spec = {"podSelector": {"matchLabels": {"istio": "partners"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return partner_stack.document(
        "NetworkPolicy", "istio-partners", "p0.addresses", spec, labels={"partner-mesh.dev/partner": "p0"}
    )


def _without_sets(documents: Documents) -> Documents:
    return [each for each in documents if each["kind"] != "NetworkSet"]


@pytest.mark.parametrize(
    "documents",
    [
        _without_sets(_second_entry(["198.18.77.0/24"])),
        [*_without_sets(_second_entry(None)), _own_policy(["0.0.0.0/0"])],
    ],
    ids=["blocks of its TCP entry", "any source, said by its NetworkPolicy"],
)
def test_a_partner_is_itself_at_the_addresses_of_each_of_its_entries(documents: Documents) -> None:
    found = ways(documents)
    raw = [each for each in found if each.http is None and each.verdict is Verdict.ALLOWED]
    callers = {str(each.source) for each in raw if str(each.destination).startswith("app0/")}
    assert "partner p0" in callers
    assert not any("elsewhere" in each for each in callers)

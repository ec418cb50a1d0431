"""Parts of the platform: gateways, groups, policies, and what a guest on somebody else's cluster may bring."""

import json
from typing import Any

import pytest

from partner_mesh.specs import compile_stack
from partner_mesh.specs.application import EXPORT_TO
from partner_mesh.specs.local_rate_limit import bucket
from partner_mesh.specs.network_policy import block, pods, rule
from partner_mesh.specs.security_group_policy import of_application
from partner_mesh.specs.web_paths import specificity
from tests.specs.stacks import APPLICATIONS, EKS, GATEWAYS, foreign, loaded, stack

ISTIO = {
    "AuthorizationPolicy",
    "DestinationRule",
    "Gateway",
    "PeerAuthentication",
    "ServiceEntry",
    "Sidecar",
    "Telemetry",
}
PLAIN = {"Namespace", "ServiceAccount", "Service", "NetworkPolicy"}


def guest(**changes: Any) -> Any:
    shared = {name: {k: v for k, v in a.items() if k != "nodeGroup"} for name, a in APPLICATIONS.items()}
    return compile_stack(loaded(**foreign(**changes), applications=shared))


def test_a_guest_brings_only_what_a_bare_api_server_with_istios_crds_knows() -> None:
    found = guest()
    assert {m.kind for m in found} <= PLAIN | ISTIO | {"VirtualService"}
    assert not found.charts
    assert not found.security_groups
    assert "istio-system" not in {m.namespace for m in found}
    assert {"istio-web", "istio-partners", "istio-egress"} <= {m.name for m in found if m.kind == "Namespace"}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"calico": {"managed": False, "installed": True}}, {"GlobalNetworkPolicy", "NetworkPolicy"}),
        ({"mesh": {"revision": "1-31-1"}}, {"PodMonitor", "PrometheusRule", "ConfigMap"}),
    ],
)
def test_objects_of_others_come_where_configuration_says_that_these_are_there(changes: Any, kinds: set[str]) -> None:
    assert {m.kind for m in guest(**changes)} - PLAIN - ISTIO - {"VirtualService"} <= kinds
    assert kinds <= {m.kind for m in guest(**changes)}


def test_given_ids_are_placed_and_not_looked_into() -> None:
    class Late:
        """Stands for a Pulumi output: whoever looks into it fails."""

        def __str__(self) -> str:
            raise AssertionError

    late = Late()
    found = compile_stack(loaded(), {"pods": late, "app-charging": late})
    policies = [m for m in found if m.kind == "SecurityGroupPolicy"]
    placed = [m for m in policies if m.body["spec"]["securityGroups"]["groupIds"][0] is late]
    assert {m.name for m in placed} == {"default", "charging"}
    [group] = [d for d in found.security_groups if d["metadata"]["name"] == "pods"]
    assert group["spec"]["groupId"] is late


def test_a_sixth_group_is_refused() -> None:
    changed = APPLICATIONS["charging"] | {"securityGroup": {"groupIds": [f"sg-{n}" for n in range(5)]}}
    with pytest.raises(ValueError, match="one to five"):
        of_application(stack(applications=APPLICATIONS | {"charging": changed}), "charging", None)


@pytest.mark.parametrize(("peers", "ports"), [([], [80]), ([block("10.0.0.0/8")], [])])
def test_a_rule_for_nobody_in_particular_is_refused(peers: Any, ports: Any) -> None:
    with pytest.raises(ValueError, match="admits everything"):
        rule("ingress", peers, ports)


def test_only_the_alb_reaches_a_web_gateway() -> None:
    found = compile_stack(loaded())
    policies = [m for m in found.gateways["web"] if m.kind == "NetworkPolicy" and "ingress" in m.body["spec"]]
    sources = [peer for m in policies for r in m.body["spec"]["ingress"] for peer in r["from"]]
    prometheus = pods("observability", {"app.kubernetes.io/name": "prometheus"})
    assert [peer for peer in sources if peer != prometheus] == [
        block("10.40.24.0/22"),
        block("10.40.56.0/22"),
        block("10.40.88.0/22"),
    ]


def test_only_the_web_gateway_trusts_the_hop_in_front_of_it() -> None:
    trusted = {
        chart.name: json.loads(chart.values["podAnnotations"]["proxy.istio.io/config"]).get("gatewayTopology", {})
        for chart in compile_stack(loaded()).charts
        if chart.chart == "gateway"
    }
    assert {name: topology.get("numTrustedProxies", 0) for name, topology in trusted.items()} == {
        "web": 1,
        "partners": 0,
        "egress": 0,
    }


def test_gateways_stand_on_the_nodes_dedicated_to_them() -> None:
    charts = {chart.name: chart.values for chart in compile_stack(loaded()).charts if chart.chart == "gateway"}
    assert {name: values["nodeSelector"]["dedicated"] for name, values in charts.items()} == {
        "web": "web",
        "partners": "partners",
        "egress": "egress",
    }
    shared = EKS | {"nodeGroups": {"system": EKS["nodeGroups"]["system"], "billing": EKS["nodeGroups"]["billing"]}}
    alone = {c.name: c.values for c in compile_stack(stack(cluster=shared)).charts if c.chart == "gateway"}
    assert not [name for name, values in alone.items() if "nodeSelector" in values]


def test_a_service_is_seen_by_its_callers_and_the_gateways_that_may_lead_to_it() -> None:
    found = compile_stack(loaded())
    services = {m.name: m.annotations[EXPORT_TO].split(",") for m in found if m.kind == "Service"}
    assert services == {
        "charging": [".", "checkout", "istio-partners"],
        "checkout": [".", "istio-web", "istio-partners"],
    }


def test_a_shard_has_its_own_place_and_the_settings_of_its_gateway() -> None:
    names = [f"p{n}" for n in range(4)]
    partners = [
        {
            "name": name,
            "owner": "a@example.com",
            "inbound": {
                "host": f"{name}.partners.example.com",
                "clientCertificate": {"ca": f"{name}-ca", "subjectAltNames": [f"{name}.example"]},
                "sourceRanges": ["198.51.100.0/28"],
                "routes": [{"path": "/v1", "to": "charging:http"}],
            },
        }
        for name in names
    ]
    gateways = GATEWAYS | {"partners": GATEWAYS["partners"] | {"maxPartners": 2, "maxConnectionDuration": "7m"}}
    found = compile_stack(stack(gateways=gateways, partners=partners))
    shards = [chart for chart in found.charts if chart.chart == "gateway" and chart.name.startswith("partners")]
    assert len(shards) > 1
    for shard in shards:
        assert shard.namespace == f"istio-{shard.name}"
        assert "7m" in shard.values["podAnnotations"]["proxy.istio.io/config"]
        assert shard.namespace in {m.name for m in found.gateways[shard.name] if m.kind == "Namespace"}
        assert {f"gateway-{shard.name}", f"lb-{shard.name}"} <= {d["metadata"]["name"] for d in found.security_groups}


def test_more_specific_web_routes_stand_first() -> None:
    web = [{"path": p} for p in ("/{**}", "/a/{*}", "/a/b", "/a/{**}", "/")]
    applications = APPLICATIONS | {"checkout": APPLICATIONS["checkout"] | {"web": web}}
    routes = loaded(applications=applications).applications["checkout"].web
    ordered = [route.path for route in sorted(routes, key=specificity)]
    assert ordered == ["/a/b", "/", "/a/{*}", "/a/{**}", "/{**}"]


def test_a_bucket_is_filled_no_faster_than_envoy_can() -> None:
    limited = APPLICATIONS["charging"] | {"rateLimit": {"requests": 5, "per": "10ms"}}
    limit = stack(applications=APPLICATIONS | {"charging": limited}).applications["charging"].rate_limit
    assert limit is not None
    assert bucket(limit) == {"max_tokens": 5, "tokens_per_fill": 5, "fill_interval": "0.05s"}

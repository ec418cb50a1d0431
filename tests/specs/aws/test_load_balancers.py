"""Load balancers: the plane decides the kind, shards have their own, names fit and stay."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.specs.aws.iam import target_group_prefix
from partner_mesh.specs.aws.load_balancers import (
    LoadBalancer,
    elb_name,
    load_balancers,
    target_group_binding,
    target_group_bindings,
)
from tests.specs.stacks import GATEWAYS, foreign, loaded, stack


def partner(name: str, **changes: Any) -> dict[str, Any]:
    inbound = {
        "host": f"{name}.partners.example.com",
        "clientCertificate": {"ca": f"{name}-ca", "subjectAltNames": [f"client.{name}.example"]},
        "sourceRanges": ["198.51.100.0/28"],
        "routes": [{"methods": ["POST"], "path": "/v1/x", "to": "charging:http"}],
    }
    return {"name": name, "owner": "a@example.com", "inbound": inbound | changes}


def by_gateway(**changes: Any) -> dict[str, LoadBalancer]:
    return {one.gateway: one for one in load_balancers(stack(**changes))}


def test_web_uis_stand_behind_an_alb_and_partners_behind_an_nlb_that_passes_tls_through() -> None:
    found = by_gateway()
    assert (found["web"].kind, found["web"].protocol) == ("application", "HTTPS")
    assert (found["partners"].kind, found["partners"].protocol) == ("network", "TCP")
    assert "egress" not in found


def test_an_alb_answers_for_every_host_of_its_gateway_once() -> None:
    gateways = GATEWAYS | {"web": GATEWAYS["web"] | {"hosts": ["portal.example.com"]}}
    assert by_gateway(gateways=gateways)["web"].hosts == ("pay.example.com", "portal.example.com")


def test_every_shard_has_a_load_balancer_with_the_hosts_that_it_serves() -> None:
    gateways = GATEWAYS | {"partners": GATEWAYS["partners"] | {"maxPartners": 2}}
    names = ["acme", "globex", "hooli", "initech", "stark"]
    found = {
        name: one
        for name, one in by_gateway(gateways=gateways, partners=[partner(name) for name in names]).items()
        if one.kind == "network"
    }
    assert len(found) >= 3
    assert all(len(one.hosts) <= 2 for one in found.values())
    assert sorted(host for one in found.values() for host in one.hosts) == sorted(
        f"{name}.partners.example.com" for name in names
    )
    assert len({one.name for one in found.values()}) == len(found)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,60}[a-z0-9]", fullmatch=True), st.lists(st.text("abcdef", min_size=1, max_size=63))
)
def test_names_fit_and_begin_as_the_controllers_policy_says(platform_name: str, gateways: list[str]) -> None:
    made = stack(name=platform_name)
    names = {gateway: elb_name(made, gateway) for gateway in gateways}
    assert all(len(name) <= 32 and name.startswith(target_group_prefix(made)) for name in names.values())
    assert all(not name.endswith("-") for name in names.values())
    assert len(set(names.values())) == len(set(gateways))


def test_the_controller_touches_no_security_group() -> None:
    [binding] = [target_group_binding(one, "arn") for one in load_balancers(loaded()) if one.gateway == "web"]
    assert binding.namespace == "istio-web"
    assert binding.body["spec"]["targetGroupARN"] == "arn"
    assert "networking" not in binding.body["spec"]


def test_nothing_is_bound_on_a_cluster_of_somebody_else() -> None:
    assert target_group_bindings(loaded(**foreign(), applications={})) == ()

"""Calico's own endpoints: WorkloadEndpoints as Pods, their Profiles, hosts, and the addresses that pools give out."""

from typing import Any

import pytest

from partner_mesh.analysis.layers import Addresses, Verdict, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.topology import World
from tests.analysis.test_calico import API, BASE, WEB, allow, calico, deployment, verdicts

ALLOWED, DENIED, UNKNOWN = ({verdict: "all ports"} for verdict in ("allowed", "denied", "unknown"))
HOST_LABELS = {"role": "node"}


def endpoint(pod: str, namespace: str = "front", labels: Any = None, **spec: Any) -> dict[str, Any]:
    spec = {"orchestrator": "k8s", "pod": pod, "node": "n1", "ipNetworks": ["10.9.0.1/32"], **spec}
    return calico("WorkloadEndpoint", f"n1-k8s-{pod}-eth0", namespace, labels=labels or {"app": pod}, **spec)


def host(**spec: Any) -> dict[str, Any]:
    return calico("HostEndpoint", "n1-eth0", labels=HOST_LABELS, node="n1", interfaceName="eth0", **spec)


def workloads(*documents: Any) -> list[str]:
    return [str(each) for each in World(of_documents(documents)).workloads]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([endpoint("shop")], ["front/shop[Pod]"]),
        ([endpoint("shop"), endpoint("shop", endpoint="net1")], ["front/shop[Pod]"]),
        ([endpoint("shop"), {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop", "namespace": "front"}}],
         ["front/shop[Pod]"]),
        ([endpoint("vm-7", orchestrator="openstack")], ["front/n1-k8s-vm-7-eth0[WorkloadEndpoint]"]),
        ([endpoint("web-5d9-x", labels={"app": "web"}), deployment("front", "web")], ["front/web[Deployment]"]),
        ([endpoint("web-5d9-x", labels={"app": "other"}), deployment("front", "web")],
         ["front/web[Deployment]", "front/web-5d9-x[Pod]"]),
        ([endpoint("web-5d9-x", "back", {"app": "web"}), deployment("front", "web")],
         ["back/web-5d9-x[Pod]", "front/web[Deployment]"]),
    ],
)  # fmt: skip
def test_a_workload_endpoint_is_a_pod_unless_it_is_known_as_another(documents: Any, expected: list[str]) -> None:
    assert workloads(*documents) == expected


def test_labels_ports_and_account_of_a_workload_endpoint_are_asked_as_a_pods() -> None:
    shop = endpoint("shop", ports=[{"name": "web", "port": 8443, "protocol": "TCP"}], serviceAccountName="till")
    admitted = allow(protocol="TCP", source={"selector": "app == 'api'", "namespaceSelector": "all()"},
                     destination={"ports": ["web"], "serviceAccounts": {"names": ["till"]}})  # fmt: skip
    policy = calico("NetworkPolicy", "p", "front", selector="app == 'shop'", ingress=[admitted])
    found = verdicts(shop, policy, source=API, destination=Workload("Pod", "front", "shop"))
    assert found["allowed"] == "TCP 8443"


def profile(name: str, **spec: Any) -> dict[str, Any]:
    return calico("Profile", name, **spec)


OPEN = {"ingress": [allow()], "egress": [allow()]}
SHUT = {"ingress": [{"action": "Deny"}], "egress": [{"action": "Deny"}]}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([profile("kns.back", **OPEN)], ALLOWED),
        ([profile("kns.back", **SHUT)], DENIED),
        ([profile("kns.back", egress=[allow()])], DENIED),  # no rule for ingress: the last profile refuses
        ([profile("kns.back"), profile("ksa.back.api", **OPEN)], ALLOWED),
        ([profile("kns.back", **SHUT), profile("ksa.back.api", **OPEN)], DENIED),  # the first that says anything
        ([profile("ksa.back.api", **SHUT)], ALLOWED),  # the namespace's own comes first, and allows
        ([profile("kns.back", **SHUT), calico("NetworkPolicy", "p", "back", ingress=[allow()])], ALLOWED),
        ([profile("kns.back", ingress=[{"action": "Pass"}])], UNKNOWN),
        ([profile("kns.front", **SHUT)], DENIED),
        ([profile("kns.other", **SHUT)], ALLOWED),
    ],
)
def test_what_no_policy_decides_the_profiles_do(documents: Any, expected: dict[str, str]) -> None:
    assert verdicts(*documents) == expected


@pytest.mark.parametrize(
    ("listed", "documents", "expected"),
    [
        (["kns.front", "ksa.front.default"], [], ALLOWED),
        (["mine"], [profile("mine", **OPEN)], ALLOWED),
        (["mine"], [profile("mine", **SHUT)], DENIED),
        (["mine", "kns.front"], [profile("mine")], ALLOWED),
        (["mine"], [], UNKNOWN),  # somebody wrote it, and not here
        (["projectcalico-default-allow"], [], ALLOWED),
    ],
)
def test_a_workload_endpoint_has_the_profiles_that_it_lists(
    listed: list[str], documents: Any, expected: dict[str, str]
) -> None:
    shop = endpoint("shop", profiles=listed)
    assert verdicts(shop, *documents, source=API, destination=Workload("Pod", "front", "shop")) == expected


@pytest.mark.parametrize(
    ("documents", "selector"),
    [
        ([profile("kns.front", labelsToApply={"trusted": "yes"}, **OPEN)], "trusted == 'yes'"),
        ([], "pcns.projectcalico.org/name == 'front'"),
        ([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "front", "labels": {"team": "a"}}}],
         "pcns.team == 'a'"),
        ([], "pcsa.trusted == 'yes'"),
        ([], "pcsa.projectcalico.org/name == 'web'"),
    ],
)  # fmt: skip
def test_profiles_hand_their_labels_down(documents: Any, selector: str) -> None:
    def admitting(text: str) -> Any:
        return calico("GlobalNetworkPolicy", "p", selector="app == 'api'", ingress=[allow(source={"selector": text})])

    assert verdicts(*documents, admitting(selector)) == ALLOWED
    assert verdicts(*documents, admitting(selector.replace("==", "!="))) == DENIED


def outside(*documents: Any) -> list[str]:
    results = Reach(World(of_documents([*BASE, *documents]))).results()
    return [
        str(each.source)
        for each in results.connections()
        if isinstance(each.source, Addresses) and each.destination == API and each.verdict is Verdict.ALLOWED
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({"expectedIPs": ["192.0.2.7", "2001:db8::7"]}, ["192.0.2.7", "2001:db8::7"]), ({}, [])],
)
def test_a_host_is_its_expected_addresses_wherever_a_selector_finds_it(spec: Any, expected: list[str]) -> None:
    rule = allow(source={"selector": "role == 'node'"})
    assert (
        outside(host(**spec), calico("GlobalNetworkPolicy", "p", selector="app == 'api'", ingress=[rule])) == expected
    )


SET = calico("GlobalNetworkSet", "acme", nets=["198.51.100.0/28"], labels={"partner": "acme"})
ADDRESSES = "198.51.100.0-198.51.100.15"


@pytest.mark.parametrize(
    ("namespaces", "web", "addresses"),
    [
        ("all()", ALLOWED, []),
        ("global()", DENIED, [ADDRESSES]),
        ("all() || global()", ALLOWED, [ADDRESSES]),
        ("!all()", DENIED, [ADDRESSES]),
        ("projectcalico.org/name == 'front'", ALLOWED, []),
        ("projectcalico.org/name != 'front'", DENIED, [ADDRESSES]),  # no namespace, no label: != holds
        ("projectcalico.org/name == 'front' || global( )", ALLOWED, [ADDRESSES]),
    ],
)
def test_namespace_selectors_mean_namespaces_or_none(
    namespaces: str, web: dict[str, str], addresses: list[str]
) -> None:
    rule = allow(source={"selector": "has(app) || has(partner)", "namespaceSelector": namespaces})
    policy = calico("NetworkPolicy", "p", "back", selector="app == 'api'", ingress=[rule])
    assert verdicts(SET, policy) == web
    assert outside(SET, policy) == addresses


@pytest.mark.parametrize(
    ("selector", "flags", "expected"),
    [
        ("role == 'node'", {}, ALLOWED),  # what ends at the host itself
        ("role == 'node'", {"applyOnForward": True}, UNKNOWN),
        ("role == 'node'", {"preDNAT": True, "applyOnForward": True}, UNKNOWN),
        ("role == 'node'", {"doNotTrack": True, "applyOnForward": True}, UNKNOWN),
        ("role == 'gate'", {"applyOnForward": True}, ALLOWED),
        ("app == 'api'", {"applyOnForward": True}, DENIED),  # a workload's policy like any other
        ("app == 'api'", {"preDNAT": True, "applyOnForward": True}, ALLOWED),  # of hosts alone
        ("app == 'api'", {"doNotTrack": True, "applyOnForward": True}, ALLOWED),
    ],
)
def test_policies_of_hosts_judge_what_hosts_forward(selector: str, flags: Any, expected: dict[str, str]) -> None:
    policy = calico("GlobalNetworkPolicy", "p", selector=selector, ingress=[{"action": "Deny"}], **flags)
    assert verdicts(host(), policy) == expected


def pool(cidr: str) -> dict[str, Any]:
    return calico("IPPool", "pods", cidr=cidr)


@pytest.mark.parametrize(
    ("documents", "nets", "expected"),
    [
        ([], ["10.0.0.0/8"], DENIED),  # taken to be outside
        ([pool("10.1.0.0/16")], ["10.0.0.0/8"], ALLOWED),
        ([pool("10.1.0.0/16")], ["10.1.2.0/24"], UNKNOWN),
        ([pool("10.1.0.0/16")], ["10.2.0.0/16"], DENIED),
        ([pool("rubbish")], ["10.0.0.0/8"], DENIED),
    ],
)
@pytest.mark.parametrize("negated", [False, True], ids=["nets", "notNets"])
def test_blocks_mean_the_pods_that_pools_give_them_to(
    documents: Any, nets: list[str], expected: dict[str, str], negated: bool
) -> None:
    opposite = {"allowed": DENIED, "denied": ALLOWED, "unknown": UNKNOWN}
    rule = allow(source={"notNets" if negated else "nets": nets})
    found = verdicts(*documents, calico("NetworkPolicy", "p", "back", ingress=[rule]))
    assert found == (opposite[next(iter(expected))] if negated else expected)


@pytest.mark.parametrize(
    ("nets", "expected"), [(["10.0.0.0/8"], DENIED), (["10.9.0.0/30"], DENIED), (["10.9.9.0/24"], ALLOWED)]
)
def test_a_rule_is_kept_to_those_whose_own_address_lies_in_its_block(nets: list[str], expected: dict[str, str]) -> None:
    rules = [{"action": "Deny", "destination": {"nets": nets}}, allow()]
    policy = calico("NetworkPolicy", "p", "front", selector="app == 'shop'", ingress=rules)
    assert verdicts(endpoint("shop"), policy, source=API, destination=Workload("Pod", "front", "shop")) == expected


def test_policies_of_one_order_are_asked_by_name_before_namespace_and_kind() -> None:
    first = calico("GlobalNetworkPolicy", "c", selector="app == 'api'", ingress=[{"action": "Deny"}])
    then = calico("NetworkPolicy", "z", "back", selector="app == 'api'", ingress=[allow()])
    assert verdicts(first, then, source=WEB) == DENIED
    then["metadata"]["name"] = "a"
    assert verdicts(first, then, source=WEB) == ALLOWED

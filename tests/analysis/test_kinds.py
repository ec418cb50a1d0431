"""Sharing changes no answer: a world analysed whole says of each pair what the layers say of that pair alone."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.analysis.layers import Endpoint, Verdict
from partner_mesh.analysis.reachability import _ALL_OPEN, Reach, _Usual, asked, decided
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Decision, Decisions
from partner_mesh.analysis.sets import PortSet
from tests.analysis.partner_stack import namespace, workload

HOMES = ("one", "two")
NAMES = ("a", "b", "c")
GROUPS = ("sg-a", "sg-b", "sg-c", "sg-front")
PROTOCOLS: tuple[dict[str, Any], ...] = ({"protocol": "-1"}, {"protocol": "tcp", "fromPort": 80, "toPort": 8080})
SPIFFE = tuple(f"cluster.local/ns/{home}/sa/{name}" for home in HOMES for name in NAMES)
ISTIO, SECURITY = "networking.istio.io/v1", "security.istio.io/v1"

few = st.booleans()


def lists(values: tuple[Any, ...], least: int = 1) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=2, unique=True)


def made(api: str, kind: str, home: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": home}, "spec": spec}


sources = st.one_of(
    lists((*SPIFFE, "*", "cluster.local/ns/one/*")).map(lambda each: {"principals": each}),
    lists(SPIFFE).map(lambda each: {"notPrincipals": each}),
    lists((*HOMES, "t*")).map(lambda each: {"namespaces": each}),
    lists(("one/a", "two/b", "c")).map(lambda each: {"serviceAccounts": each}),
    lists(("198.51.100.0/24", "203.0.113.0/25")).map(lambda each: {"ipBlocks": each}),
    lists(("198.51.100.0/25",)).map(lambda each: {"remoteIpBlocks": each}),
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "from": sources.map(lambda each: [{"source": each}]),
        "to": lists(("80", "8080")).map(lambda ports: [{"operation": {"ports": ports}}]),
    },
)
group_rules = st.lists(
    st.one_of(
        lists(GROUPS).map(lambda names: {"securityGroups": names}),
        lists(("0.0.0.0/0", "198.51.100.0/24", "10.0.0.0/8")).map(lambda blocks: {"cidrBlocks": blocks}),
    ).flatmap(lambda whom: st.sampled_from(PROTOCOLS).map(lambda ports: {**whom, **ports})),
    max_size=2,
)


@st.composite
def worlds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Workloads in two namespaces, and some of everything that the layers above the network layer read."""
    found: list[dict[str, Any]] = [namespace(each) for each in HOMES]
    spec: dict[str, Any]
    for home in HOMES:
        for name in NAMES:
            if draw(few):
                continue
            deployment, *others = workload(home, name, 8080, {"app": name, "home": home})
            template = deployment["spec"]["template"]
            template["spec"]["serviceAccountName"] = name
            template["spec"]["nodeSelector"] = draw(st.sampled_from(({}, {"pool": "x"}, {"pool": "y"})))
            if draw(few):
                template["metadata"].setdefault("labels", {})["sidecar.istio.io/inject"] = "false"
            found += [deployment, *others]
            if draw(few):
                service = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
                found.append(made("v1", "Service", home, name, service))
    if draw(few):
        for name in GROUPS:
            spec = {"groupId": name, "ingress": draw(group_rules), "egress": draw(group_rules)}
            found.append(made("ec2.partner-mesh.dev/v1", "SecurityGroup", "", name, spec))
        for home in HOMES:
            for number, name in enumerate(draw(lists(NAMES, 0))):
                spec = {
                    "podSelector": {"matchLabels": {"app": name}},
                    "securityGroups": {"groupIds": draw(lists(GROUPS[:3]))},
                }
                found.append(made("vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy", home, f"p{number}", spec))
    for number in range(draw(st.integers(0, 3))):
        spec = {
            "action": draw(st.sampled_from(("ALLOW", "DENY"))),
            "rules": draw(st.lists(rules, max_size=2)),
        }
        if draw(few):
            spec["selector"] = {"matchLabels": {"app": draw(st.sampled_from(NAMES))}}
        found.append(made(SECURITY, "AuthorizationPolicy", draw(st.sampled_from(HOMES)), f"rule-{number}", spec))
    if draw(few):
        mode = draw(st.sampled_from(("STRICT", "PERMISSIVE", "DISABLE")))
        found.append(
            made(SECURITY, "PeerAuthentication", draw(st.sampled_from(HOMES)), "default", {"mtls": {"mode": mode}})
        )
    for home in draw(lists(HOMES, 0)):
        hosts = draw(lists(("./*", "*/*", "one/*", "two/b.two.svc.cluster.local", "~/*")))
        spec = {"egress": [{"hosts": hosts}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
        found.append(made(ISTIO, "Sidecar", home, "default", spec))
    for number, block in enumerate(draw(lists(("198.51.100.0/24", "203.0.113.0/24"), 0))):
        spec = {"hosts": [f"h{number}.example"], "addresses": [block], "location": "MESH_EXTERNAL",
                "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]}  # fmt: skip
        found.append(made(ISTIO, "ServiceEntry", draw(st.sampled_from(HOMES)), f"entry-{number}", spec))
    if draw(few):
        home, name = draw(st.sampled_from(HOMES)), draw(st.sampled_from(NAMES))
        spec = {"host": f"{name}.{home}.svc.cluster.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
        if draw(few):
            spec["workloadSelector"] = {"matchLabels": {"app": draw(st.sampled_from(NAMES))}}
        found.append(made(ISTIO, "DestinationRule", draw(st.sampled_from(HOMES)), "plain", spec))
    return found


def alone(reach: Reach, source: Endpoint, destination: Endpoint) -> Decisions:
    """What is decided of one pair, every layer asked for that pair and nobody else."""
    state = asked(_ALL_OPEN, reach.network.opinions(source, destination, PortSet.ALL))
    for layer in reach.layers:
        left = PortSet.union(each.ports for each in state.left)
        state = asked(state, layer.opinions(source, destination, left)) if left else state
    return decided(state)


def meaning(decisions: Decisions) -> dict[Any, PortSet]:
    """Ports by verdict, requests and reasons: how decisions are cut into pieces does not count."""
    found: dict[Any, PortSet] = {}
    for each in decisions:
        key = each.verdict, each.http, each.decided_by
        found[key] = found.get(key, PortSet.NONE) | each.ports
    return found


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_a_pair_gets_the_answer_that_it_would_get_alone(documents: list[dict[str, Any]]) -> None:
    reach = Reach.of(of_documents(documents))
    for source, destination, decisions in reach.results().pairs():
        assert meaning(decisions) == meaning(alone(reach, source, destination)), f"{source} -> {destination}"


@settings(max_examples=50, deadline=None)
@given(worlds(), st.data())
def test_what_was_asked_before_changes_no_answer(documents: list[dict[str, Any]], data: st.DataObject) -> None:
    whole, one = Reach.of(of_documents(documents)), Reach.of(of_documents(documents))
    answers = {(s, d): meaning(found) for s, d, found in whole.results().pairs()}
    order = data.draw(st.permutations(whole.universe.endpoints))
    for source in order:
        for s, d, found in one.results([source]).pairs():
            assert meaning(found) == answers[s, d], f"{s} -> {d}"


def test_a_destination_that_a_group_names_is_no_kind_with_those_it_does_not_name() -> None:
    """`c` may call `b`, although `a`, which is looked at first, is refused to it as everybody else is.

    Of `d`, which may run on the node of `c`, nobody can say.
    """
    everything = {"protocol": "-1"}
    found: list[dict[str, Any]] = [namespace("one")]
    for name, ingress, egress in (("a", [], []), ("b", ["sg-c"], []), ("c", [], ["sg-b"]), ("d", [], [])):
        deployment, *_ = workload("one", name, 8080, {"app": name})
        deployment["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "c" if name == "d" else name}
        rules_of = {
            side: [{"securityGroups": groups, **everything}] if groups else []
            for side, groups in (("ingress", ingress), ("egress", egress))
        }
        found += [
            deployment,
            made("ec2.partner-mesh.dev/v1", "SecurityGroup", "", name, {"groupId": f"sg-{name}", **rules_of}),
            made(
                "vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy", "one", name,
                {"podSelector": {"matchLabels": {"app": name}}, "securityGroups": {"groupIds": [f"sg-{name}"]}},
            ),
        ]  # fmt: skip
    reach = Reach.of(of_documents(found))
    verdicts = {
        (str(source)[4:5], str(destination)[4:5]): [each.verdict for each in decisions]
        for source, destination, decisions in reach.results().pairs()
    }
    assert verdicts["c", "b"] == [Verdict.ALLOWED]
    assert verdicts["c", "a"] == verdicts["a", "b"] == [Verdict.DENIED]
    assert verdicts["c", "d"] == [Verdict.UNKNOWN]


def test_a_caller_that_a_policy_names_is_no_kind_with_those_it_does_not_name() -> None:
    found: list[dict[str, Any]] = [namespace("one")]
    for name in ("a", "b", "c"):
        deployment, *others = workload("one", name, 8080, {"app": name})
        deployment["spec"]["template"]["spec"]["serviceAccountName"] = name
        found += [deployment, *others]
    rule = {"from": [{"source": {"principals": ["cluster.local/ns/one/sa/c"]}}]}
    spec = {"selector": {"matchLabels": {"app": "b"}}, "rules": [rule]}
    found.append(made(SECURITY, "AuthorizationPolicy", "one", "only-c", spec))
    reach = Reach.of(of_documents(found))
    named, other = (
        [
            each.verdict
            for source, destination, decisions in reach.results().pairs()
            if (str(source)[4:5], str(destination)[4:5]) == (caller, "b")
            for each in decisions
            if ("TCP", 8080) in each.ports
        ]
        for caller in ("c", "a")
    )
    assert (named, other) == ([Verdict.ALLOWED], [Verdict.DENIED])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(0, (1 << 36) - 1))
def test_what_is_left_of_usual_refusals_is_each_of_them_without_those_left_out(sizes: list[int], kept: int) -> None:
    groups: list[tuple[int, Decisions]] = []
    at = 0
    for number, size in enumerate(sizes):
        mask = ((1 << size) - 1) << at
        groups.append((mask, (Decision(Verdict.DENIED, PortSet.single("TCP", number + 1), ()),)))
        at += size
    few = ((1 << at) - 1) & ~(1 << kept % at)  # one left out: the way on which groups are shared
    for each in (kept, few):
        expected = [(both, decisions) for mask, decisions in groups if (both := mask & each)]
        assert _Usual(groups, []).closed(each) == expected

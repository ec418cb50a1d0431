"""Every invariant is silent on a closed stack, and speaks, naming the object, once its own fault is seeded."""

import copy

import pytest

from partner_mesh.analysis import certificates, suppressions
from partner_mesh.analysis.invariants import INVARIANTS, Severity
from tests.analysis.invariants.closed_stack import Change, findings, one, policy
from tests.analysis.invariants.faults import CLOSED, FAULTS, PARTNER, add
from tests.analysis.partner_stack import document, namespace, workload


def test_a_closed_stack_has_no_finding() -> None:
    assert [f"{each.identifier} {each.object}: {each.reason}" for each in findings(CLOSED)] == []


@pytest.mark.parametrize(
    ("identifier", "fault", "object_", "words"), FAULTS, ids=[f"{each[0]}-{i}" for i, each in enumerate(FAULTS)]
)
def test_an_invariant_names_the_object_of_its_seeded_fault(
    identifier: str, fault: Change, object_: str, words: str
) -> None:
    stack = copy.deepcopy(CLOSED)
    fault(stack)
    said = [each for each in findings(stack) if each.identifier.startswith(identifier)]
    about = [each for each in said if each.object == object_ and words in each.reason]
    assert about, [f"{each.object}: {each.reason}" for each in said]
    assert all(each.remedy for each in about)


def test_every_invariant_is_seen_failing() -> None:
    assert {each[0] for each in FAULTS} == {each.identifier.partition("-")[0] for each in INVARIANTS}


def test_identifiers_are_never_used_twice() -> None:
    of_files = {certificates.EXPIRY, certificates.HOST, certificates.CHAIN, certificates.PURPOSE, certificates.KEY}
    others = of_files | {certificates.UNREADABLE, suppressions.EXPIRED, suppressions.UNUSED}
    numbers = [each.partition("-")[0] for each in (*(each.identifier for each in INVARIANTS), *others)]
    assert len(numbers) == len(set(numbers))


def test_a_dated_exception_is_worth_knowing_and_no_fault() -> None:
    stack = copy.deepcopy(CLOSED)
    add(document("PeerAuthentication", "app0", "loose", {"mtls": {"mode": "PERMISSIVE"}},
                 annotations={"partner-mesh.dev/until": "2026-11-01"}))(stack)  # fmt: skip
    said = [each for each in findings(stack) if each.identifier.startswith("PM008")]
    assert [each.severity for each in said] == [Severity.INFO]


def test_declared_blocks_with_their_tcp_port_are_no_finding() -> None:
    """Egress by exact block: the ServiceEntry resolves nothing, and the packets to that block and port are agreed."""
    stack = copy.deepcopy(CLOSED)
    entry = {
        "hosts": ["smsc.blocks.internal"], "addresses": ["203.0.113.8/29"], "location": "MESH_EXTERNAL",
        "resolution": "NONE", "exportTo": ["."], "ports": [{"number": 2775, "name": "tcp", "protocol": "TCP"}],
    }  # fmt: skip
    stack.append(document("ServiceEntry", "app0", "smsc", entry))
    out = {"to": [{"ipBlock": {"cidr": "203.0.113.8/29"}}], "ports": [{"port": 2775}]}
    stack.append(policy("app0", "smsc", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [out]}))
    assert findings(stack) == []
    out["ports"] = [{"port": 2775}, {"port": 2776}]
    assert [each.identifier for each in findings(stack)] == ["PM001-egress-closed"]


def test_two_partners_may_say_the_same_for_their_own() -> None:
    """A partner's objects come and go with it: what another's repeat is no unused rule."""
    stack = copy.deepcopy(CLOSED)
    spec = one(stack, "NetworkPolicy", "from-istio-partners")["spec"]
    stack.append(policy("app0", "p0", copy.deepcopy(spec), labels=PARTNER))
    stack.append(policy("app0", "p1", copy.deepcopy(spec), labels={"partner-mesh.dev/partner": "p1"}))
    stack.remove(one(stack, "NetworkPolicy", "from-istio-partners"))
    assert findings(stack) == []


def test_what_the_platform_may_do_is_told_and_no_fault() -> None:
    stack = copy.deepcopy(CLOSED)
    stack += workload("kube-system", "coredns", 53, {"k8s-app": "kube-dns"})
    stack.append({**namespace("kube-system"), "metadata": {"name": "kube-system"}})
    assert {each.severity for each in findings(stack)} == {Severity.INFO}


def test_plain_folders_without_a_mesh_are_judged_by_packets_alone() -> None:
    """No mesh: no sidecar is asked for, and an open workload is a warning."""
    stack = [{**namespace("shop"), "metadata": {"name": "shop"}}, *workload("shop", "web", 80, {"app": "web"})]
    said = findings(stack)
    assert {each.severity for each in said} == {Severity.WARNING}
    assert {each.identifier.partition("-")[0] for each in said} == {"PM001", "PM002", "PM006"}

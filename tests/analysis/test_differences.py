"""Access changes of a hand-written stack, object by object; and the difference of tables as exact set algebra."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.analysis import http, strings
from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.http import HttpSet, Requests
from partner_mesh.analysis.object_changes import HIDDEN, object_changes
from partner_mesh.analysis.regions import Region, region
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.sets import PortSet
from partner_mesh.report.sentences import sentences
from tests.analysis.invariants.closed_stack import Documents, closed, one, policy
from tests.analysis.partner_stack import workload

CLOSED = closed()
UDP = {"port": 99, "protocol": "UDP"}


def change(fault: Any) -> Comparison:
    after = copy.deepcopy(CLOSED)
    fault(after)
    return compared(of_documents(CLOSED), of_documents(after))


def told(comparison: Comparison, *, hops: bool = False) -> list[tuple[Change, str]]:
    return [(each.change, each.text) for each in sentences(comparison) if hops or not each.hop]


def another_path(stack: Documents) -> None:
    """p0 may also POST /v1/refunds."""
    routes = one(stack, "VirtualService", "p0", "istio-partners")["spec"]["http"]
    routes.append(
        {**copy.deepcopy(routes[0]), "match": [{"uri": {"exact": "/v1/refunds"}, "method": {"exact": "POST"}}]}
    )
    del routes[-1]["rewrite"]
    paths = one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["to"][0]["operation"]["paths"]
    paths.append("/v1/refunds")


def test_what_does_not_change_changes_nothing() -> None:
    comparison = change(lambda _: None)
    assert not comparison.objects
    assert comparison.accesses == ()


def test_order_and_server_fields_are_no_change() -> None:
    live = copy.deepcopy(CLOSED)[::-1]
    for each in live:
        each["metadata"] = {
            **each["metadata"],
            "uid": "1",
            "resourceVersion": "7",
            "generation": 2,
            "managedFields": [],
        }
        each["status"] = {"observedGeneration": 2}
    assert not object_changes(of_documents(CLOSED), of_documents(live))


def test_one_path_more_is_one_sentence() -> None:
    comparison = change(another_path)
    assert told(comparison) == [(Change.GAINED, "p0 may now POST /v1/refunds of p0.partners.example.com on app0:8080")]
    assert [each.after.title for each in comparison.objects.changed] == [
        "AuthorizationPolicy app0/p0",
        "VirtualService istio-partners/p0",
    ]


def test_a_route_without_its_rule_opens_nothing() -> None:
    """Both ends must agree: an object changed, nobody's access did."""

    def only_the_route(stack: Documents) -> None:
        another_path(stack)
        one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["to"][0]["operation"]["paths"].pop()

    comparison = change(only_the_route)
    assert comparison.objects
    assert told(comparison, hops=True) == []


def test_a_partner_that_leaves_loses_what_it_had_and_nobody_else_anything() -> None:
    def leave(stack: Documents) -> None:
        stack[:] = [
            each for each in stack if each["metadata"].get("labels", {}).get("partner-mesh.dev/partner") != "p0"
        ]

    said = told(change(leave))
    assert (Change.LOST, "p0 may no longer POST /v1/callbacks/{*} of p0.partners.example.com on app0:8080") in said
    assert (Change.LOST, "app0 may no longer send any method to /direct-billing/* on api.p0.example:443") in said
    assert {change for change, _ in said} == {Change.LOST}
    assert not any("p1" in text for _, text in said)


def test_a_wider_range_is_told_with_the_addresses_that_are_new() -> None:
    def widen(stack: Documents) -> None:
        one(stack, "NetworkSet", "p0")["spec"]["nets"].append("198.18.200.0/24")
        source = one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["from"][0]["source"]
        source["remoteIpBlocks"].append("198.18.200.0/24")

    said = told(change(widen))
    gained = [text for change, text in said if change is Change.GAINED and text.startswith("p0")]
    assert gained == ["p0 from 198.18.200.0/24 may now POST /v1/callbacks/{*} of p0.partners.example.com on app0:8080"]


def test_packets_alone_are_told_by_port() -> None:
    out = policy("app0", "out", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [
        {"to": [{"ipBlock": {"cidr": "93.184.216.0/24"}}], "ports": [{"port": 53, "protocol": "UDP"}]}]})  # fmt: skip
    assert told(change(lambda stack: stack.append(out))) == [
        (Change.GAINED, "app0 may now connect to 93.184.216.0/24 (UDP 53)")
    ]


def test_what_many_lose_is_told_with_those_who_are_left() -> None:
    def admitting(*names: str) -> Documents:
        who = [{"podSelector": {"matchLabels": {"app": each}}, "namespaceSelector": {}} for each in names]
        rule = {"from": who, "ports": [UDP]}
        spec = {"podSelector": {"matchLabels": {"app": "app0"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
        callers = [each for name in ("a", "b", "c") for each in workload("callers", name, 1, {"app": name})]
        return [*copy.deepcopy(CLOSED), *callers, policy("app0", "callers", spec)]

    said = told(compared(of_documents(admitting("a", "b", "c")), of_documents(admitting("c"))))
    assert said == [(Change.LOST, "nobody but callers/c may any longer connect to app0 (UDP 99)")]


def test_an_extension_makes_access_doubtful() -> None:
    filter_ = {
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "f", "namespace": "app0"}, "spec": {"configPatches": []},
    }  # fmt: skip
    said = told(change(lambda stack: stack.append(filter_)), hops=True)
    assert said
    assert {change for change, _ in said} <= {Change.DOUBTFUL, Change.LOST}


def test_values_of_secrets_are_never_shown() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "a"},
            "data": {"key": value},
        }

    found = object_changes(of_documents([secret("b2xk")]), of_documents([secret("bmV3")]))
    assert [(each.path, each.before, each.after) for each in found.changed[0].fields] == [("data.key", HIDDEN, HIDDEN)]
    assert "b2xk" not in str(found.document())


def test_list_items_are_aligned_as_a_person_would() -> None:
    def object_(paths: list[str]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"paths": paths}}

    found = object_changes(of_documents([object_(["/b", "/c"])]), of_documents([object_(["/a", "/b", "/c"])]))
    assert found.document()["changed"] == [
        {"object": "X default/x", "fields": [{"path": "spec.paths[0]", "after": "/a"}]}
    ]


# Set algebra -------------------------------------------------------------------------------------------------------

PATHS = ("/a", "/b", "/c")
PORTS = (80, 81, 443)


def requests(paths: tuple[str, ...]) -> HttpSet:
    return http.of([Requests(paths=strings.exact(each)) for each in paths])


parts = st.lists(
    st.tuples(
        st.sets(st.sampled_from(PORTS), min_size=1).map(
            lambda ports: PortSet.union(PortSet.single("TCP", p) for p in ports)
        ),
        st.one_of(
            st.none(), st.sets(st.sampled_from(PATHS), min_size=1).map(lambda paths: requests(tuple(sorted(paths))))
        ),
    ),
    max_size=4,
)


def points(of: Region) -> set[tuple[int, str]]:
    """Every (port, path) in a region; "raw" for what is no HTTP."""
    found = {(p, path) for p in PORTS for path in PATHS for e in of.pieces
             if ("TCP", p) in e.ports and e.http.accepts("h", "GET", path)}  # fmt: skip
    return found | {(p, "raw") for p in PORTS for e in of.pieces if ("TCP", p) in e.ports and e.raw}


@given(parts, parts)
def test_a_difference_of_regions_holds_what_one_has_and_the_other_has_not(left: Any, right: Any) -> None:
    one_, other = region(left), region(right)
    expected = points(one_) - points(other)
    found = points(one_ - other)
    # Where only raw bytes are new on a port, all of the port is told: nothing is left out, and nothing of another port.
    assert expected <= found
    raw = {port for port, what in expected if what == "raw"}
    assert {point for point in found if point[0] not in raw} == {point for point in expected if point[0] not in raw}


@given(parts)
def test_nothing_differs_from_itself(listed: Any) -> None:
    assert not region(listed) - region(listed[::-1])


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_blocks_are_divided_along_both_sides(direction: str) -> None:
    """A block of which a part was open already: only the rest is gained."""

    def opening(block: str) -> Documents:
        rule = {"from" if direction == "ingress" else "to": [{"ipBlock": {"cidr": block}}], "ports": [UDP]}
        spec = {"podSelector": {}, "policyTypes": [direction.capitalize()], direction: [rule]}
        return [*copy.deepcopy(CLOSED), policy("app0", "block", spec)]

    said = told(compared(of_documents(opening("192.0.2.0/25")), of_documents(opening("192.0.2.0/24"))))
    assert [change for change, _ in said] == [Change.GAINED]
    assert "192.0.2.128/25" in said[0][1]

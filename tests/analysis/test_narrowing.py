"""What a comparison leaves out decides nothing: kept to the changed partner it tells what the whole would tell."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.analysis.comparison import Comparison, compared
from partner_mesh.analysis.narrowing import narrowed
from partner_mesh.analysis.object_changes import object_changes
from partner_mesh.analysis.resources import of_documents
from partner_mesh.cli.objects import of_stack
from partner_mesh.config.loader import load_stack
from partner_mesh.report.layers import layer_sentences
from partner_mesh.report.sentences import sentences
from tests.analysis.invariants.closed_stack import Documents, closed, edge, one, opened
from tests.analysis.partner_stack import documents, partner

ROOT = Path(__file__).parents[2]
LABEL = "partner-mesh.dev/partner"


def stack() -> Documents:
    """Four partners with two applications, each with network policies of its own."""
    found = [each for each in closed() if each["metadata"]["name"] not in ("to-app0", "from-istio-partners")]
    known = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in found}
    found += [
        each
        for each in documents(4, 2)
        if (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) not in known
    ]
    for home in ("app0", "app1"):
        found.append(
            {**one(found, "AuthorizationPolicy", "allow-nothing"), "metadata": {"name": "none", "namespace": home}}
        )
    deny = one(found, "NetworkPolicy", "default-deny", "app0")
    found.append({**deny, "metadata": {"name": "default-deny", "namespace": "app1"}})
    for index in range(4):
        app = f"app{index % 2}"
        for each in edge("istio-partners", {"istio": "partners"}, app, {"app": app}, 8080):
            each["metadata"] |= {"name": f"p{index}.{each['metadata']['name']}", "labels": {LABEL: f"p{index}"}}
            found.append(each)
    return found


STACK = stack()


def said(comparison: Comparison) -> list[tuple[str, str]]:
    access = [(each.change.value, each.text) for each in sentences(comparison)]
    return sorted([*access, *((each.change.value, each.text) for each in layer_sentences(comparison))])


def both(before: Documents, after: Documents) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    was, now = of_documents(before), of_documents(after)
    return said(compared(was, now)), said(compared(was, now, whole=True))


def more_paths(found: Documents) -> None:
    operation = one(found, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["to"][0]["operation"]
    operation["methods"].append("PUT")
    match = one(found, "VirtualService", "p0", "istio-partners")["spec"]["http"][0]["match"][0]
    match["method"] = {"regex": "POST|PUT"}


def anywhere(found: Documents) -> None:
    one(found, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["from"][0]["source"].pop("remoteIpBlocks", None)


def wider(found: Documents) -> None:
    """Over the addresses of p1 and of strangers."""
    one(found, "NetworkSet", "p0")["spec"]["nets"] = ["198.18.0.0/23"]


def other_application(found: Documents) -> None:
    """Routed to the application of others, with no packets of its own."""
    route = one(found, "VirtualService", "p0", "istio-partners")["spec"]["http"][0]["route"]
    route[0]["destination"]["host"] = "app1.app1.svc.cluster.local"
    one(found, "AuthorizationPolicy", "p0", "app0")["metadata"]["namespace"] = "app1"
    one(found, "AuthorizationPolicy", "p0", "app1")["spec"]["selector"] = {"matchLabels": {"app": "app1"}}


def no_packets(found: Documents) -> None:
    for name in ("p0.to-app0", "p0.from-istio-partners"):
        found.remove(one(found, "NetworkPolicy", name))


def neighbours_rely_on_them(found: Documents) -> None:
    """p2 has none of its own: it loses what p0's policies gave it."""
    for name in ("p0.to-app0", "p0.from-istio-partners"):
        found.remove(one(found, "NetworkPolicy", name))


def neighbours_host(found: Documents) -> None:
    one(found, "Gateway", "p0")["spec"]["servers"][0]["hosts"] = ["istio-partners/p1.partners.example.com"]


def every_host(found: Documents) -> None:
    one(found, "Gateway", "p0")["spec"]["servers"][0]["hosts"] = ["istio-partners/*"]


def neighbours_authority(found: Documents) -> None:
    one(found, "Gateway", "p0")["spec"]["servers"][0]["tls"] = {"mode": "MUTUAL", "credentialName": "p1-server"}


def leaves(found: Documents) -> None:
    found[:] = [each for each in found if each["metadata"].get("labels", {}).get(LABEL) != "p0"]


def joins(found: Documents) -> None:
    found += partner(7, "app1")


def plain(found: Documents) -> None:
    one(found, "DestinationRule", "p0", "istio-egress")["spec"]["trafficPolicy"] = {"tls": {"mode": "DISABLE"}}


CHANGES: list[Callable[[Documents], None]] = [
    more_paths,
    anywhere,
    wider,
    no_packets,
    neighbours_host,
    every_host,
    neighbours_authority,
    joins,
    plain,
    other_application,  # last: it moves what the others change
]


@pytest.mark.parametrize("change", [*CHANGES, leaves], ids=lambda each: each.__name__)
def test_one_change_is_told_alike(change: Callable[[Documents], None]) -> None:
    after = copy.deepcopy(STACK)
    change(after)
    near, whole = both(STACK, after)
    assert near == whole


def test_a_neighbour_whose_authority_is_shared_is_told_of_too() -> None:
    """p1 may call from anywhere: whoever p0's CA signs for now gets in at p1's host."""
    before = copy.deepcopy(STACK)
    for home in ("app0", "app1"):
        one(before, "AuthorizationPolicy", "p1", home)["spec"]["rules"][0]["from"][0]["source"].pop("remoteIpBlocks")
    before.remove(one(before, "NetworkSet", "p1"))
    before.append(opened("istio-partners", "partners", ["0.0.0.0/0"], 8443, "ingress"))
    after = copy.deepcopy(before)
    neighbours_authority(after)
    near, whole = both(before, after)
    assert near == whole
    assert any(text.startswith("another partner than p1 may now POST") for _, text in near)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(CHANGES), min_size=2, max_size=4, unique=True), st.booleans())
def test_changes_together_are_told_alike_both_ways(changes: list[Callable[[Documents], None]], back: bool) -> None:
    after = copy.deepcopy(STACK)
    for change in sorted(changes, key=CHANGES.index):
        change(after)
    near, whole = both(after, STACK) if back else both(STACK, after)
    assert near == whole


def test_who_relies_on_the_packets_of_another_is_told_of_losing_them() -> None:
    before = [each for each in copy.deepcopy(STACK) if not each["metadata"]["name"].startswith("p2.")]
    after = copy.deepcopy(before)
    neighbours_rely_on_them(after)
    near, whole = both(before, after)
    assert near == whole
    assert any(text.startswith("p2 may no longer") or "p2" in text for _, text in near), near


@pytest.mark.parametrize("name", ["acme-mobile", "globex-telecom", "northwind-sms", "google-apis"])
def test_a_partner_of_the_stack_that_leaves_or_joins_is_told_alike(name: str) -> None:
    all_of_it = [each.document() for each in of_stack(load_stack("dev", ROOT), ROOT).resources]
    groups = [each for each in all_of_it if each["kind"] != "SecurityGroup"]
    without = [each for each in groups if each["metadata"].get("labels", {}).get(LABEL) != name]
    assert said(compared(of_documents(groups), of_documents(without))) == both(groups, without)[1]
    assert said(compared(of_documents(without), of_documents(groups))) == both(without, groups)[1]


def test_one_partners_path_leaves_the_others_out() -> None:
    """The saving itself, not only its harmlessness: gateways, routes and rules of others are gone."""
    after = copy.deepcopy(STACK)
    more_paths(after)
    was, now = of_documents(STACK), of_documents(after)
    kept = narrowed(was, now, object_changes(was, now))
    assert kept is not None
    owners = [
        each.labels.get(LABEL) for each in kept.after.resources if each.kind in ("VirtualService", "ServiceEntry")
    ]
    assert set(owners) == {"p0", None}


def test_what_binds_everybody_is_compared_whole() -> None:
    after: list[dict[str, Any]] = copy.deepcopy(STACK)
    one(after, "PeerAuthentication", "default")["spec"]["mtls"]["mode"] = "PERMISSIVE"
    was, now = of_documents(STACK), of_documents(after)
    assert narrowed(was, now, object_changes(was, now)) is None

"""The example of two clusters: what one asks of the other is what the other admits."""

from pathlib import Path

import pytest

from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

FOLDER = Path(__file__).parents[2] / "examples" / "two-clusters"
NETWORKS = {"north": "10.1.0.0/16", "south": "10.2.0.0/16"}
BOTH = [("north", "south"), ("south", "north")]


def stack(name: str) -> Stack:
    return load_stack(name, FOLDER)


@pytest.mark.parametrize(("one", "other"), BOTH)
def test_each_names_the_other_as_the_other_names_itself(one: str, other: str) -> None:
    mine, theirs = (stack(name).platform.mesh for name in (one, other))
    assert mine.multi_cluster is not None
    assert theirs.multi_cluster is not None
    [peer] = mine.multi_cluster.peers
    assert (peer.name, peer.network) == (theirs.multi_cluster.cluster, theirs.multi_cluster.network)
    assert peer.ranges == (NETWORKS[other],)
    assert mine.trust_domain == theirs.trust_domain


@pytest.mark.parametrize(("one", "other"), BOTH)
def test_a_caller_may_leave_for_the_door_that_admits_it_to_what_it_may_call(one: str, other: str) -> None:
    here, there = compile_stack(stack(one)), compile_stack(stack(other))
    [leaving] = [m for m in here.applications["shop"] if m.name == "shop-to-peers"]
    [rule] = leaving.body["spec"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": NETWORKS[other]}}]
    [entering] = [m for m in there.gateways["eastwest"] if m.name == "peers" and m.kind == "NetworkPolicy"]
    assert entering.body["spec"]["ingress"][0] == {
        "from": [{"ipBlock": {"cidr": NETWORKS[one]}}],
        "ports": rule["ports"],
    }
    [door] = [m for m in there.gateways["eastwest"] if m.kind == "Gateway"]
    [server] = door.body["spec"]["servers"]
    assert server["hosts"] == ["stock.stock.svc.cluster.local"]  # `shop` has no callers, so nobody comes in to it
    assert server["port"]["number"] == rule["ports"][0]["port"]


def test_one_identity_is_admitted_in_both() -> None:
    """The rule that admits the shop says the same in both: who it is, not where."""
    found = []
    for name in NETWORKS:
        [policy] = [m for m in compile_stack(stack(name)).applications["stock"] if m.name == "stock-callers"]
        found.append(policy.document())
    assert found[0] == found[1]
    assert "mesh.example.com/ns/shop/sa/shop" in str(found[0])


@pytest.mark.parametrize(("one", "other"), BOTH)
def test_the_networks_are_entered_by_their_gateways(one: str, other: str) -> None:
    charts = {chart.name: chart for chart in compile_stack(stack(one)).charts}
    values = charts["istiod-1-31-1"].values["global"]
    assert values["network"] == one
    assert values["meshNetworks"][other]["gateways"][0]["port"] == 15443
    assert charts["eastwest"].values["labels"]["topology.istio.io/network"] == one


def test_one_cluster_alone_has_no_door() -> None:
    alone = stack("north")
    mesh = alone.platform.mesh.model_copy(update={"multi_cluster": None})
    compiled = compile_stack(alone.model_copy(update={"platform": alone.platform.model_copy(update={"mesh": mesh})}))
    assert "eastwest" not in compiled.gateways
    assert not [m for m in compiled if "peers" in m.name]

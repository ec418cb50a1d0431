"""The door between two clusters: what lies behind it, for callers of whom only the addresses are known."""

from pathlib import Path
from typing import Any

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import Verdict
from partner_mesh.analysis.passthrough import CALLER, REASON
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.table import Table
from partner_mesh.config.loader import load_stack
from partner_mesh.specs import compile_stack

FOLDER = Path(__file__).parents[2] / "examples" / "two-clusters"
NORTH = compile_stack(load_stack("north", FOLDER))
DOCUMENTS = [*(m.document() for m in NORTH), *map(dict, NORTH.inventory)]


def behind(found: list[dict[str, Any]]) -> list[Connection]:
    return [each for each in Table(of_documents(found)).journeys if each.source == CALLER]


def test_the_other_cluster_may_reach_what_the_callee_admits_and_only_perhaps() -> None:
    found = behind(DOCUMENTS)
    assert {str(each.destination) for each in found} == {"stock/stock[Deployment]"}  # `shop` is called by nobody
    told = {each.verdict: each.http for each in found if isinstance(each.http, HttpSet)}
    assert set(told) == {Verdict.UNKNOWN, Verdict.DENIED}
    assert told[Verdict.UNKNOWN].accepts("stock.stock", "GET", "/v1/stock/1")
    assert told[Verdict.DENIED].accepts("stock.stock", "POST", "/v1/stock/1")
    [unknown] = [each for each in found if each.verdict is Verdict.UNKNOWN]
    assert [each.reason for each in unknown.decided_by] == [REASON]


def without(kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
    gone = (kind, namespace, name)
    kept = [d for d in DOCUMENTS if (d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) != gone]
    assert len(kept) == len(DOCUMENTS) - 1
    return kept


def test_each_wall_on_the_way_refuses_alone() -> None:
    for gone in (
        ("NetworkPolicy", "istio-eastwest", "peers"),
        ("NetworkPolicy", "istio-eastwest", "eastwest-to-stock"),
        ("NetworkPolicy", "stock", "eastwest-to-stock"),
        ("AuthorizationPolicy", "stock", "stock-callers"),
    ):
        assert {each.verdict for each in behind(without(*gone))} == {Verdict.DENIED}, gone


def test_without_the_server_nothing_lies_behind() -> None:
    assert not behind(without("Gateway", "istio-eastwest", "eastwest"))


def test_no_policy_at_the_door_refuses_anything() -> None:
    """Istiod builds its filter chains without any: what the namespace's allow-nothing says is not heard there."""
    said = {because.object for each in behind(DOCUMENTS) for because in each.decided_by}
    assert not any("istio-eastwest/allow-nothing" in each for each in said)


def test_a_service_that_is_not_shown_to_the_gateway_does_not_lie_behind_it() -> None:
    hidden = [
        d | {"metadata": d["metadata"] | {"annotations": {"networking.istio.io/exportTo": ".,shop"}}}
        if d["kind"] == "Service" and d["metadata"]["name"] == "stock"
        else d
        for d in DOCUMENTS
    ]
    assert not behind(hidden)

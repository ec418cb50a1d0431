"""The door of a two-cluster mesh: a client plays the other cluster's sidecar and the door passes it on by server name.

One cluster runs here. Not seen: the other istiod, endpoints that it would tell of, a caller's own way to the door.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab import stack as stacks
from lab.control import Lab
from lab.expect import CUT
from lab.probe import MESH, ClientCertificate, Probe
from lab.tools import Tools
from partner_mesh.config.loader import load_stack
from partner_mesh.specs import compile_stack

pytestmark = pytest.mark.lab

FOLDER = Path(__file__).parents[2] / "examples" / "two-clusters"
STOCK = "outbound_.8080_._.stock.stock.svc.cluster.local"
SHOP = ClientCertificate(MESH, ("spiffe://mesh.example.com/ns/shop/sa/shop",))
RIGHT = Probe(
    "outside", "istio-eastwest/eastwest", 15443, "stock.stock", path="/v1/stock/7", address="10.2.0.20",
    server_name=STOCK, certificate=SHOP, sidecar=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def north(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    documents = stacks.documents(lab_tools, compile_stack(load_stack("north", FOLDER)))
    with Lab.start(documents, directory=Path(tmp_path_factory.mktemp("north"))) as lab:
        lab.until(RIGHT, lambda seen: seen.permitted, seconds=30)
        yield lab


def test_the_shop_of_the_other_cluster_reaches_what_it_may_ask_of_stock(north: Lab) -> None:
    seen = north.probe(RIGHT)
    assert (seen.status, seen.reached) == (200, "stock/stock"), seen.sentence()
    # The door ends nothing: what the client was shown is the callee's own certificate.
    assert seen.server_certificate == ("spiffe://mesh.example.com/ns/stock/sa/stock",)


@pytest.mark.parametrize(
    ("change", "outcomes", "status"),
    [
        ({"path": "/v1/other"}, ("answered",), 403),
        ({"method": "DELETE"}, ("answered",), 403),
        ({"certificate": ClientCertificate(MESH, ("spiffe://mesh.example.com/ns/else/sa/else",))}, ("answered",), 403),
        ({"certificate": ClientCertificate(MESH, ("spiffe://other.example/ns/shop/sa/shop",))}, CUT, None),
        ({"certificate": ClientCertificate("a stranger's", SHOP.names)}, CUT, None),
        ({"certificate": None}, CUT, None),
        ({"server_name": "outbound_.8080_._.shop.shop.svc.cluster.local"}, CUT, None),  # nobody calls it
        ({"server_name": "stock.stock.svc.cluster.local"}, CUT, None),
        ({"server_name": None}, CUT, None),
        ({"sidecar": False}, CUT, None),  # without the mark of a sidecar
        ({"to": "stock/stock", "port": 8080}, ("filtered",), None),
        ({"address": "192.0.2.77"}, ("filtered",), None),
    ],
)
def test_nothing_else_comes_through_the_door(
    north: Lab, change: dict[str, Any], outcomes: tuple[str, ...], status: int | None
) -> None:
    seen = north.probe(replace(RIGHT, timeout=2, **change))
    assert not seen.permitted
    assert (seen.outcome in outcomes, seen.status) == (True, status), seen.sentence()


def test_the_door_itself_judges_nobody_so_that_packets_must_be_judged_before_it(north: Lab) -> None:
    """AUTO_PASSTHROUGH asks no policy: were a stranger's packets let through, the callee alone would say who it is."""
    north.enforce(False)
    try:
        stranger = replace(RIGHT, address="192.0.2.77")
        assert north.probe(stranger).permitted
        assert north.probe(replace(stranger, certificate=None)).outcome in CUT
    finally:
        north.enforce(True)

"""Crowds of partners, what of them is written when, and which goals a table keeps: without a lab."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import LabError
from lab.crowd import crowd
from lab.drive import callers
from lab.kubelet import cores
from lab.scale import SHAPES, Shape, Size, is_shard, parted
from lab.scale_report import misses, table
from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack("dev", Path())


def test_everybody_in_a_crowd_has_a_host_a_certificate_and_addresses_of_its_own(stack: Stack) -> None:
    partners = crowd(stack, 40, enforce_at="sidecar").partners
    inbound = [p.inbound[0] for p in partners]
    for values in (
        [p.name for p in partners],
        [i.host for i in inbound],
        [i.client_certificate.ca for i in inbound],
        [i.client_certificate.subject_alt_names for i in inbound],
        [i.source_ranges for i in inbound],
        [p.outbound[0].host for p in partners],
        [p.outbound[0].tls.certificate for p in partners],
    ):
        assert len(set(values)) == 40


def test_a_crowd_needs_a_partner_to_copy(stack: Stack) -> None:
    with pytest.raises(LabError, match="no partner of dev goes both ways over HTTP"):
        crowd(stack.model_copy(update={"partners": ()}), 3, enforce_at="edge")


@pytest.mark.parametrize(
    ("shape", "gateways"),
    [
        (Shape(30, "sidecar"), 1),
        (Shape(30, "sidecar", 10), 5),
        (Shape(100, "edge"), 1),
        (Shape(101, "edge"), 2),
    ],
)
def test_shards_form_by_themselves(stack: Stack, shape: Shape, gateways: int) -> None:
    config = crowd(stack, shape.partners, enforce_at=shape.enforce_at, per_gateway=shape.per_gateway)
    serving = [name for name in compile_stack(config).gateways if name == "partners" or name.startswith("partners-")]
    assert len(serving) == gateways


def test_what_is_written_later_is_every_partners_but_the_first(stack: Stack) -> None:
    config = crowd(stack, 3, enforce_at="sidecar")
    documents = [manifest.document() for manifest in compile_stack(config).manifests]
    first = config.partners[0].name
    base, later = parted(documents, first)
    whose = {d["metadata"]["labels"]["partner-mesh.dev/partner"] for d in later}
    assert whose == {p.name for p in config.partners[1:]}
    assert not any(d["metadata"].get("labels", {}).get("partner-mesh.dev/partner") in whose for d in base)
    # Operators' kinds, which the lab's API server does not serve, are not written at all.
    assert {d["kind"] for d in documents} - {d["kind"] for d in [*base, *later]} == set()
    assert {d["apiVersion"].partition("/")[0] for d in later} == {
        "networking.istio.io", "security.istio.io", "networking.k8s.io",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("istio-partners/partners", True),
        ("istio-partners-01/partners-01", True),
        ("istio-partners/partners-r1", True),
        ("istio-partnership/partnership", False),
        ("partners/partners", False),
    ],
)
def test_pods_of_a_gateway_and_its_shards(key: str, expected: bool) -> None:
    assert is_shard(key, "partners") is expected


GOOD = Size(Shape(1000, "sidecar"), 1, 9000, 40.0, 1.2, 0.5, 1, 1, 1, 9000, 150.0, 150.0, 150.0, 400.0, 2.0)


@pytest.mark.parametrize(
    ("size", "missed"),
    [
        (GOOD, []),
        (replace(GOOD, usable=2.1), ["1000 partners, sidecar: last usable 2.10 s, goal 2 s (load average 2.0)"]),
        (replace(GOOD, usable=None), ["1000 partners, sidecar: last usable never, goal 2 s (load average 2.0)"]),
        (replace(GOOD, change=1.01), ["1000 partners, sidecar: one change 1.01 s, goal 1 s (load average 2.0)"]),
        (replace(GOOD, egress_memory=166.0), ["1000 partners, sidecar: egress 166 MiB, goal 160 MiB"]),
    ],
)
def test_a_goal_that_is_missed_is_said_below_the_table(size: Size, missed: list[str]) -> None:
    assert list(misses([size])) == missed
    text = table([size])
    assert all(f"- missed: {each}" in text for each in missed)
    assert ("All goals are kept" in text) is (not missed)


def test_no_row_is_measured_twice() -> None:
    assert len(set(SHAPES)) == len(SHAPES)


def test_everybody_in_a_crowd_calls_us_and_is_called(stack: Stack) -> None:
    config = crowd(stack, 12, enforce_at="sidecar")
    documents = [manifest.document() for manifest in compile_stack(config).manifests]
    documents += [dict(d) for d in compile_stack(config).inventory]
    names = [partner.name for partner in config.partners]
    found = callers(config, documents)
    assert [c.partner for c in found if c.direction == "in"] == names
    assert [(c.partner, c.probe.to) for c in found if c.direction == "out"] == [
        (partner.name, partner.outbound[0].host) for partner in config.partners
    ]


@pytest.mark.parametrize(
    ("limit", "expected"), [("2000m", "2"), ("1500m", "2"), ("100m", "1"), ("2", "2"), ("0.5", "1")]
)
def test_a_container_counts_its_cpu_limit_in_whole_cores(limit: str, expected: str) -> None:
    assert cores({"resources": {"limits": {"cpu": limit}}}, node=16) == expected


@pytest.mark.parametrize("container", [{}, {"resources": {}}, {"resources": {"limits": {"memory": "1Gi"}}}])
def test_a_container_without_a_cpu_limit_counts_the_nodes_cores(container: dict[str, Any]) -> None:
    assert cores(container, node=16) == "16"

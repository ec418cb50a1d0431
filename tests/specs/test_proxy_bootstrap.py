"""Gateways' Envoys give freed memory back: the ConfigMap, and the annotation of their pods that names it."""

import json

from partner_mesh.model import Manifest
from partner_mesh.specs import Compiled, compile_stack
from partner_mesh.specs.proxy_bootstrap import FILE
from tests.specs.stacks import loaded


def bootstraps(compiled: Compiled) -> dict[str, Manifest]:
    """Namespace → its ConfigMap."""
    found = [m for m in compiled.manifests if m.kind == "ConfigMap" and FILE in m.body["data"]]
    return {str(m.namespace): m for m in found}


def test_every_gateway_of_ours_finds_the_bootstrap_that_its_pods_name() -> None:
    """A Pod whose annotation names a ConfigMap that its namespace lacks would never start."""
    compiled = compile_stack(loaded())
    gateways = [chart for chart in compiled.charts if chart.chart == "gateway"]
    found = bootstraps(compiled)
    assert {chart.namespace for chart in gateways} == set(found)
    for chart in gateways:
        assert chart.values["podAnnotations"]["sidecar.istio.io/bootstrapOverride"] == found[chart.namespace].name


def test_what_they_find_makes_envoy_release_memory() -> None:
    """Of 0 bytes, or of no interval, Envoy's allocator releases nothing (bootstrap.proto, MemoryAllocatorManager)."""
    for found in bootstraps(compile_stack(loaded())).values():
        manager = json.loads(found.body["data"][FILE])["memory_allocator_manager"]
        assert manager["bytes_to_release"] > 0
        assert float(manager["memory_release_interval"].removesuffix("s")) > 0


def test_gateways_of_somebody_elses_mesh_get_none() -> None:
    assert not bootstraps(compile_stack(loaded(mesh={"revision": "1-31-1", "managed": False})))

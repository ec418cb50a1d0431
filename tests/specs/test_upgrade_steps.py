"""Each step of an upgrade touches only what it says: compiled before and after, over every transition, both ways."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.config import upgrade as machine
from partner_mesh.config.mesh import Mesh
from partner_mesh.config.stack import Stack
from partner_mesh.config.upgrade import Step
from partner_mesh.specs import Compiled, compile_stack
from tests.specs.stacks import APPLICATIONS, GATEWAYS, loaded

OLD, NEW = "1-31-1", "1-32-0"
NAMESPACES = ("charging", "checkout", "fraud")
FRAUD = {"namespace": "fraud", "nodeGroup": "billing", "ports": {"http": 8080}}
AMBIENT = {"namespace": "reports", "nodeGroup": "billing", "ports": {"http": 8080}, "deployments": ["reports"]}
GATEWAY_NAMES = tuple(GATEWAYS)

Change = tuple[str, ...]


def stack(*, ambient: bool = False) -> Stack:
    """Three namespaces, two of which name Deployments, and perhaps one without sidecars."""
    applications: dict[str, Any] = {
        name: value | {"deployments": [f"{name}-v1", f"{name}-v2"]} for name, value in APPLICATIONS.items()
    } | {"fraud": FRAUD}
    applications["checkout"] |= {
        "endUsers": {
            "issuer": "https://login.example.com",
            "audiences": ["pay"],
            "login": {"clientId": "pay", "clientSecret": "pay-login"},
        }
    }
    mesh: dict[str, Any] = {"revision": OLD}
    if ambient:
        applications["reports"] = AMBIENT
        mesh |= {"dataPlane": "ambient", "namespaces": {"reports": {"dataPlane": "ambient"}}}
    return loaded(applications=applications, mesh=mesh)


STACK, WITH_AMBIENT = stack(), stack(ambient=True)


def at(base: Stack, mesh: Mesh) -> Stack:
    return base.model_copy(update={"platform": base.platform.model_copy(update={"mesh": mesh})})


def parts(compiled: Compiled) -> dict[Change, Any]:
    """Everything that would be registered, by what it is."""
    found: dict[Change, Any] = {}
    for chart in compiled.charts:
        found["release", chart.name] = (chart.chart, chart.version, chart.values)
    for manifest in compiled:
        found[manifest.kind, manifest.namespace or "", manifest.name] = manifest.document()
    for manifests in compiled.restarts.values():
        for manifest in manifests:
            found["restart", manifest.namespace or "", manifest.name] = manifest.document()
    return found


def changed(base: Stack, before: Mesh, after: Mesh) -> set[Change]:
    first, second = parts(compile_stack(at(base, before))), parts(compile_stack(at(base, after)))
    return {key for key in first | second if first.get(key) != second.get(key)}


def said(step: Step, base: Stack) -> set[Change]:
    """What a step says that it touches."""
    agents = {("release", "istio-cni")} | ({("release", "ztunnel")} if base is WITH_AMBIENT else set())
    labels = {("Namespace", "", name) for name in NAMESPACES}
    match step.name:
        case "begin" | "abandon":
            return {("release", "istio-base"), ("release", f"istiod-{NEW}")}
        case "move gateways" | "move gateways back":
            return {("release", name) for name in (*GATEWAY_NAMES, "login-checkout")} | {
                ("Namespace", "", f"istio-{name}") for name in GATEWAY_NAMES
            }
        case "promote" | "demote":
            return {("release", f"istiod-{each}") for each in (OLD, NEW)} | agents | {("release", "istio-base")}
        case "finish" | "reinstate":
            return {("release", f"istiod-{OLD}")} | labels
        case _:
            name = step.name.split()[1]
            stamps = {("restart", name, d) for d in base.applications[name].deployments}
            return {("Namespace", "", name)} | stamps


def forwards(base: Stack) -> Iterator[tuple[Mesh, Step]]:
    step: Step | None = machine.begin(base.platform.mesh, NEW)
    before = base.platform.mesh
    while step is not None:
        yield before, step
        before = step.mesh
        step = machine.forward(before, NAMESPACES)


@pytest.mark.parametrize("base", [STACK, WITH_AMBIENT], ids=["sidecars", "ambient"])
def test_a_step_touches_exactly_what_it_says(base: Stack) -> None:
    for before, step in forwards(base):
        assert changed(base, before, step.mesh) == said(step, base), step.name


@pytest.mark.parametrize("base", [STACK, WITH_AMBIENT], ids=["sidecars", "ambient"])
def test_a_step_back_touches_exactly_what_it_says_and_restores_what_was(base: Stack) -> None:
    meshes = [step.mesh for _, step in forwards(base)]
    back: Step | None = machine.reinstate(meshes[-1], OLD, NAMESPACES)
    before = meshes[-1]
    while back is not None:
        assert changed(base, before, back.mesh) == said(back, base), back.name
        before, back = back.mesh, machine.back(back.mesh)
    assert parts(compile_stack(at(base, before))) == parts(compile_stack(base))


@settings(deadline=None, max_examples=20)  # each compiles a stack at every step
@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_any_walk_touches_at_each_step_what_the_step_says(onward: list[bool]) -> None:
    mesh = machine.begin(STACK.platform.mesh, NEW).mesh
    for forward in onward:
        step = machine.forward(mesh, NAMESPACES) if forward else machine.back(mesh)
        if step is None:
            return
        assert changed(STACK, mesh, step.mesh) == said(step, STACK)
        mesh = step.mesh


def test_gateways_keep_their_services_through_every_step() -> None:
    """No value that the chart's Service reads changes, so neither does the address behind which partners find us."""
    kept = ("name", "service", "labels")
    seen: list[Mapping[str, Any]] = []
    for _, step in forwards(STACK):
        charts = {c.name: c for c in compile_stack(at(STACK, step.mesh)).charts if c.chart == "gateway"}
        seen.append({name: {key: chart.values[key] for key in kept} for name, chart in charts.items()})
    assert all(each == seen[0] for each in seen)


def test_a_restart_is_one_annotation_of_the_pod_template() -> None:
    moved = at(STACK, machine.begin(STACK.platform.mesh, NEW).mesh)
    step = machine.forward(moved.platform.mesh, NAMESPACES)
    assert step is not None
    first, second = (
        compile_stack(moved).restarts["charging"][0],
        compile_stack(at(STACK, step.mesh)).restarts["charging"][0],
    )
    assert first.document() == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "charging-v1", "namespace": "charging"},
        "spec": {"template": {"metadata": {"annotations": {"partner-mesh.dev/revision": OLD}}}},
    }
    assert second.body["spec"]["template"]["metadata"]["annotations"] == {"partner-mesh.dev/revision": NEW}


def test_nothing_is_patched_that_the_configuration_does_not_name() -> None:
    compiled = compile_stack(WITH_AMBIENT)
    assert not compiled.restarts["fraud"]
    assert not compiled.restarts["reports"]  # in ambient mode there is no proxy to restart
    assert not [m for m in compiled if m.kind == "Deployment"]

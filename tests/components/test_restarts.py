"""A step that changes the proxies' revision restarts the Deployments that the configuration names, and no other."""

from partner_mesh.config import upgrade as machine
from partner_mesh.config.stack import Stack
from tests.components.programs import changed, run
from tests.specs.stacks import APPLICATIONS, loaded

NEW = "1-32-0"
PATCH = "kubernetes:apps/v1:DeploymentPatch"


def stack() -> Stack:
    applications = APPLICATIONS | {"charging": APPLICATIONS["charging"] | {"deployments": ["charging-v1"]}}
    return loaded(applications=applications, mesh={"revision": "1-31-1", "upgrade": {"to": NEW}})


def after(before: Stack) -> Stack:
    step = machine.forward(before.platform.mesh, tuple(before.by_namespace))
    assert step is not None
    return before.model_copy(update={"platform": before.platform.model_copy(update={"mesh": step.mesh})})


def test_the_step_updates_the_label_and_the_stamp_and_makes_or_removes_nothing() -> None:
    first = stack()
    created, deleted, updated = changed(run(first), run(after(first)))
    assert (created, deleted) == ([], [])
    assert sorted(updated) == ["charging/DeploymentPatch/charging/charging-v1", "charging/Namespace/charging"]


def test_a_patch_waits_for_the_label_and_leaves_its_annotation_behind() -> None:
    """To take the annotation back would restart the pods once more."""
    [one] = run(stack()).of_type(PATCH)
    assert one.inputs["kind"] == "Deployment"
    assert list(one.inputs["spec"]["template"]) == ["metadata"]
    assert one.retain_on_delete
    assert any(urn.endswith("charging/Namespace/charging") for urn in one.dependencies)

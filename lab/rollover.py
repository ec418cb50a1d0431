"""Pods replaced one by one, and the control plane upgraded by revision: every step of `partner_mesh.config.upgrade`.

The lab has one build of istiod. Both revisions run that same binary and Envoy; what is proved is the procedure (two
control planes side by side, labels, tags, webhooks, the order of restarts, the shared root), not two versions.
"""

import time
from collections.abc import Iterator
from typing import Any

from lab.drive import Load, pause
from lab.ground import Ground, differences, rendered
from lab.identity import key
from partner_mesh.config import upgrade
from partner_mesh.config.upgrade import Step


def replaced(ground: Ground, load: Load, pod: str) -> str:
    """One more, then one less; a sentence about it."""
    began, lab = time.monotonic(), ground.lab
    new = lab.operate("surge", pod)
    ready = time.monotonic() - began
    load.move(pod, new)
    ground.moved[pod] = new
    drained = lab.operate("retire", pod)
    return f"{pod} replaced by {new}: ready after {ready:.1f} s, the old one drained in {drained:.1f} s"


def forward(ground: Ground, load: Load) -> Iterator[str]:
    """From stable to stable at the next revision; a sentence a step."""
    yield _taken(ground, load, upgrade.begin(ground.stack.platform.mesh, _next(ground.stack.platform.mesh.revision)))
    while (step := upgrade.forward(ground.stack.platform.mesh, _namespaces(ground))) is not None:
        yield _taken(ground, load, step)


def backward(ground: Ground, load: Load) -> Iterator[str]:
    """Forward to promoted, and every step back from there until the new control plane is gone."""
    yield _taken(ground, load, upgrade.begin(ground.stack.platform.mesh, _next(ground.stack.platform.mesh.revision)))
    while (step := upgrade.forward(ground.stack.platform.mesh, _namespaces(ground))) is not None:
        if step.name == "finish":
            break
        yield _taken(ground, load, step)
    while (step := upgrade.back(ground.stack.platform.mesh)) is not None:
        yield _taken(ground, load, step)


def _taken(ground: Ground, load: Load, step: Step) -> str:
    """Bring about what a step of the state machine changes, as the deployment and the restarts would."""
    began, lab = time.monotonic(), ground.lab
    stack = ground.with_mesh(step.mesh)
    documents = rendered(ground.tools, stack)
    written, gone = differences(ground.documents, documents)
    lab.apply(written)
    lab.operate("start_control_planes")
    pods = [pod for name in step.restarts for pod in _pods(ground, name)]
    for pod in pods:
        replaced(ground, load, pod)
    if gone:
        lab.delete(list(reversed(gone)))
        for document in gone:
            if _is_istiod(document):
                lab.operate("retire", "/".join(key(document)[2:]))
    ground.stack, ground.documents = stack, documents
    pause(1)
    restarted = f", {len(pods)} pods replaced" if pods else ""
    return (
        f"{step.name}: {len(written)} objects written, {len(gone)} removed{restarted}, {time.monotonic() - began:.0f} s"
    )


def _pods(ground: Ground, name: str) -> list[str]:
    return ground.gateway_pods() if name == "gateways" else ground.pods(name)


def _is_istiod(document: dict[str, Any]) -> bool:
    labels = document.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
    return document["kind"] == "Deployment" and bool(labels.get("app") == "istiod")


def _namespaces(ground: Ground) -> tuple[str, ...]:
    return upgrade.sidecar_namespaces(ground.stack.platform.mesh, tuple(ground.stack.by_namespace))


def _next(revision: str) -> str:
    major, minor, patch = revision.split("-")
    return f"{major}-{minor}-{int(patch) + 1}"

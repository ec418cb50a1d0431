"""Values against the charts themselves: Helm takes any key, also one that no template reads."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from lab.charts import folder_of, render
from lab.tools import Tools, are_built, tools
from partner_mesh.model import ChartRelease
from partner_mesh.specs import Compiled, compile_stack
from tests.specs.stacks import loaded

pytestmark = pytest.mark.lab
AMBIENT = {"revision": "1-31-1", "dataPlane": "ambient", "upgrade": {"to": "1-32-0", "namespaces": ["charging"]}}

# Maps whose keys are the user's, and keys that templates read although `values.yaml` does not show them.
FREE = {
    "env", "labels", "meshConfig", "nodeSelector", "podAnnotations", "securityContext", "containerSecurityContext",
    "resources", "podDisruptionBudget", "strategy", "base", "seccompProfile", "meshNetworks",
}  # fmt: skip


@pytest.fixture(scope="module")
def programs() -> Tools:
    if not are_built():
        pytest.skip("the lab's tools are not built: run make lab")
    return tools()


@cache
def compiled(*, ambient: bool) -> Compiled:
    return compile_stack(loaded(**({"mesh": AMBIENT} if ambient else {})))


def istio_releases(programs: Tools) -> Iterator[ChartRelease]:
    for chart in (*compiled(ambient=True).charts, *compiled(ambient=False).charts):
        if folder_of(programs, chart) is not None and "istio" in chart.repository:
            yield chart


def unknown(values: Mapping[str, Any], known: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if key not in known:
            yield f"{path}{key}"
        elif isinstance(value, Mapping) and key not in FREE:
            yield from unknown(value, known[key] or {}, f"{path}{key}.")


def test_istios_charts_know_every_value(programs: Tools) -> None:
    for release in istio_releases(programs):
        folder = folder_of(programs, release)
        assert folder is not None
        known = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))["_internal_defaults_do_not_set"]
        assert not list(unknown(release.values, {"base": {}, **known})), release.name


def test_gateways_pass_the_pod_security_level_of_their_namespace(programs: Tools) -> None:
    """`restricted`: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    gateways = [release for release in istio_releases(programs) if release.chart == "gateway"]
    assert gateways
    for release in gateways:
        folder = folder_of(programs, release)
        assert folder is not None
        [deployment] = [d for d in render(programs, release, folder) if d["kind"] == "Deployment"]
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["runAsNonRoot"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_inventory_says_of_gateways_what_the_chart_makes(programs: Tools) -> None:
    found = compiled(ambient=False)
    for release in found.charts:
        if release.chart != "gateway":
            continue
        folder = folder_of(programs, release)
        assert folder is not None
        documents = render(programs, release, folder)
        told = [d for d in found.inventory if d["metadata"].get("namespace") == release.namespace]
        for kind in ("Deployment", "Service", "ServiceAccount"):
            [made] = [d for d in documents if d["kind"] == kind]
            [listed] = [d for d in told if d["kind"] == kind]
            assert made["metadata"]["name"] == listed["metadata"]["name"]
            if kind == "Service":
                assert made["spec"]["selector"] == listed["spec"]["selector"]
                assert made["spec"]["ports"] == listed["spec"]["ports"]
            if kind == "Deployment":
                template = listed["spec"]["template"]
                assert template["metadata"]["labels"].items() <= made["spec"]["template"]["metadata"]["labels"].items()
                assert template["spec"]["serviceAccountName"] == made["spec"]["template"]["spec"]["serviceAccountName"]
                assert template["spec"].get("nodeSelector") == made["spec"]["template"]["spec"].get("nodeSelector")


def test_the_webhook_fails_closed_and_the_tag_has_one_owner(programs: Tools) -> None:
    tags = []
    for release in compiled(ambient=True).charts:
        folder = folder_of(programs, release) if release.chart in ("base", "istiod") else None
        if folder is None:
            continue
        for document in render(programs, release, folder):
            if document["kind"] == "ValidatingWebhookConfiguration":
                assert {w["failurePolicy"] for w in document["webhooks"]} == {"Fail"}
            if document["metadata"]["name"] == "istio-revision-tag-stable":
                tags.append(release.name)
    assert tags == ["istiod-1-31-1"]

"""Helm releases as the engine is asked for them: from where, and what waits for what they bring."""

from typing import Any

import pytest

from tests.components.programs import run
from tests.pulumi_mocks import Recorded
from tests.specs.stacks import foreign, loaded

APPLICATIONS = {"charging": {"namespace": "charging", "ports": {"http": 8080}}}


def calico_and_istio(**changes: Any) -> Recorded:
    """A foreign cluster on which mesh and Calico are ours: no AWS, few objects."""
    return run(
        loaded(
            **foreign(mesh={"revision": "1-31-1"}, calico={"managed": True}),
            gateways={"egress": {"direction": "egress"}},
            applications=APPLICATIONS,
            **changes,
        )
    )


@pytest.mark.parametrize(
    ("repository", "chart", "given"),
    [
        ("https://mirror.example.com", "istiod", {"repo": "https://mirror.example.com"}),
        ("oci://registry.example.com/charts/", "oci://registry.example.com/charts/istiod", None),
        ("./charts/", "./charts/istiod-1.31.1.tgz", None),
    ],
)
def test_a_chart_is_named_as_helm_finds_it(repository: str, chart: str, given: dict[str, str] | None) -> None:
    recorded = calico_and_istio(charts={"repository": repository})
    release = recorded.one("kubernetes:helm.sh/v3:Release", "istiod-1-31-1")
    assert release.inputs["chart"] == chart
    assert release.inputs.get("repositoryOpts") == given
    assert release.inputs["version"] == "1.31.1"


def test_calicos_policies_wait_for_the_api_that_serves_them_and_not_only_for_the_operator() -> None:
    recorded = calico_and_istio()
    [server] = recorded.of_type("kubernetes:operator.tigera.io/v1:APIServer")
    assert server.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "jsonpath={.status.state}=Ready"}
    assert recorded.waits_for(server, recorded.one("kubernetes:helm.sh/v3:Release", "calico"))
    for policy in recorded.of_type("kubernetes:projectcalico.org/v3:GlobalNetworkPolicy"):
        assert recorded.waits_for(policy, server)


def test_where_calico_is_somebody_elses_nobody_waits_for_its_api() -> None:
    changes = foreign(calico={"managed": False, "installed": True})
    types = run(loaded(**changes, applications=APPLICATIONS)).types()
    assert types["kubernetes:projectcalico.org/v3:GlobalNetworkPolicy"]
    assert "kubernetes:operator.tigera.io/v1:APIServer" not in types


def test_the_namespace_of_a_chart_is_an_object_that_comes_before_it_and_goes_after_it() -> None:
    recorded = calico_and_istio()
    namespaces = {one.inputs["metadata"]["name"]: one for one in recorded.of_type("kubernetes:core/v1:Namespace")}
    releases = recorded.of_type("kubernetes:helm.sh/v3:Release")
    assert {"istio-system", "tigera-operator"} <= {one.inputs["namespace"] for one in releases} <= set(namespaces)
    for one in releases:
        assert not one.inputs.get("createNamespace")
        assert recorded.waits_for(one, namespaces[one.inputs["namespace"]])

"""The whole program of dev and prod: house rules, and an order that really holds."""

import json

import pytest

from components.recording import STACK_TYPE, Registration
from partner_mesh.config.base import secret_shape
from partner_mesh.specs import compile_stack
from tests.components.programs import ancestors, environment, run, run_of, texts
from tests.pulumi_mocks import Recorded

NETWORK_OF_ISTIO = ("networking.istio.io", "security.istio.io", "telemetry.istio.io")


@pytest.fixture(scope="module", params=["dev", "prod"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return run_of(str(request.param))


def releases(recorded: Recorded, chart: str) -> list[Registration]:
    return [one for one in recorded.of_type("kubernetes:helm.sh/v3:Release") if one.inputs["chart"] == chart]


def kubernetes(recorded: Recorded) -> list[Registration]:
    """Objects of ours: neither releases nor providers."""
    return [one for one in recorded if one.type.startswith("kubernetes:") and "helm.sh" not in one.type]


def test_every_compiled_object_is_deployed_once(recorded: Recorded) -> None:
    stack = environment(recorded.registrations[0].name.removeprefix("partner-mesh-"))
    compiled = sorted((m.api_version, m.kind, m.namespace or "", m.name) for m in compile_stack(stack))
    bindings = {"TargetGroupBinding"}
    deployed = sorted(
        (
            one.inputs["apiVersion"],
            one.inputs["kind"],
            one.inputs["metadata"].get("namespace", ""),
            one.inputs["metadata"]["name"],
        )
        for one in kubernetes(recorded)
        if one.inputs["kind"] not in bindings
    )
    assert deployed == compiled


def test_every_resource_belongs_to_a_component_and_every_component_says_what_it_made(recorded: Recorded) -> None:
    for one in recorded:
        if one.type.startswith(("aws:", "kubernetes:")):
            assert any(parent.type.startswith("partner-mesh:") for parent in ancestors(recorded, one)), one.urn
        if one.type.startswith("partner-mesh:"):
            assert one.outputs is not None, one.urn


def test_types_of_components_are_tokens_of_their_modules(recorded: Recorded) -> None:
    for one in recorded:
        if not one.custom and one.type != STACK_TYPE:
            package, module, name = one.type.split(":")
            assert package == "partner-mesh"
            assert module == module.lower()
            assert name[0].isupper()


def test_nothing_is_autonamed_on_the_cluster(recorded: Recorded) -> None:
    assert all(one.inputs["metadata"]["name"] for one in kubernetes(recorded))
    assert all(one.inputs["name"] for one in recorded.of_type("kubernetes:helm.sh/v3:Release"))


def test_everything_of_a_provider_goes_through_ours(recorded: Recorded) -> None:
    for one in recorded:
        if one.type.startswith(("aws:", "kubernetes:")):
            assert one.provider is not None, one.urn
            assert f"pulumi:providers:{one.type.partition(':')[0]}::" in one.provider


def test_objects_of_istio_come_after_its_crds_and_the_control_plane_that_judges_them(recorded: Recorded) -> None:
    before = [*releases(recorded, "base"), *releases(recorded, "istiod")]
    assert len(before) >= 2
    for one in kubernetes(recorded):
        if one.inputs["apiVersion"].startswith(NETWORK_OF_ISTIO):
            assert all(recorded.waits_for(one, release) for release in before), one.urn


@pytest.mark.parametrize(
    ("group", "chart"),
    [
        ("projectcalico.org", "tigera-operator"),
        ("external-secrets.io", "external-secrets"),
        ("elbv2.k8s.aws", "aws-load-balancer-controller"),
    ],
)
def test_objects_come_after_the_chart_that_serves_their_kind(recorded: Recorded, group: str, chart: str) -> None:
    [release] = releases(recorded, chart)
    objects = [one for one in kubernetes(recorded) if one.inputs["apiVersion"].startswith(group)]
    assert objects
    assert all(recorded.waits_for(one, release) for one in objects)


def test_gateways_come_after_istiod_and_after_their_own_policies(recorded: Recorded) -> None:
    gateways = releases(recorded, "gateway")
    assert gateways
    for gateway in gateways:
        assert all(recorded.waits_for(gateway, istiod) for istiod in releases(recorded, "istiod"))
        [component] = [one for one in ancestors(recorded, gateway) if one.type == "partner-mesh:gateway:Gateway"]
        objects = [one for one in recorded.children(component) if one is not gateway]
        assert {"NetworkPolicy", "AuthorizationPolicy"} <= {str(one.inputs["kind"]) for one in objects}
        assert all(recorded.waits_for(gateway, one) for one in objects)


def test_a_namespace_comes_before_everything_in_it(recorded: Recorded) -> None:
    namespaces = {one.inputs["metadata"]["name"]: one for one in recorded.of_type("kubernetes:core/v1:Namespace")}
    inside = [one for one in kubernetes(recorded) if one.inputs["metadata"].get("namespace") in namespaces]
    assert inside
    for one in inside:
        assert recorded.waits_for(one, namespaces[one.inputs["metadata"]["namespace"]]), one.urn
    for one in recorded.of_type("kubernetes:helm.sh/v3:Release"):
        if one.inputs["namespace"] in namespaces:
            assert recorded.waits_for(one, namespaces[one.inputs["namespace"]])


def test_a_target_group_is_bound_after_its_listener_and_the_gateways_service(recorded: Recorded) -> None:
    for binding in recorded.of_type("kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"):
        name = binding.inputs["metadata"]["name"]
        [gateway] = [one for one in releases(recorded, "gateway") if one.inputs["name"] == name]
        assert recorded.waits_for(binding, gateway)
        [group] = [
            one
            for one in recorded.of_type("aws:lb/targetGroup:TargetGroup")
            if (one.outputs or {})["arn"] == binding.inputs["spec"]["targetGroupARN"]
        ]
        [listener] = [one for one in recorded.of_type("aws:lb/listener:Listener") if recorded.waits_for(one, group)]
        assert recorded.waits_for(binding, listener)


def test_objects_wait_for_nodes_add_ons_and_the_right_to_make_them(recorded: Recorded) -> None:
    namespace = recorded.of_type("kubernetes:core/v1:Namespace")[0]
    for token in ("eks/nodeGroup:NodeGroup", "eks/addon:Addon", "eks/accessPolicyAssociation:AccessPolicyAssociation"):
        assert all(recorded.waits_for(namespace, one) for one in recorded.of_type(f"aws:{token}")), token


def test_nothing_secret_is_in_inputs_or_outputs(recorded: Recorded) -> None:
    assert "kubernetes:core/v1:Secret" not in recorded.types()
    for one in recorded:
        found = [shape for text in texts([one.inputs, one.outputs]) if (shape := secret_shape(text))]
        assert not found, (one.urn, found)


def test_certificates_land_in_namespaces_of_gateways_and_nowhere_else(recorded: Recorded) -> None:
    places = {one["metadata"]["namespace"] for one in recorded.objects("ExternalSecret")}
    gateways = {one.inputs["namespace"] for one in releases(recorded, "gateway")}
    assert places <= gateways
    [store] = recorded.objects("ClusterSecretStore")
    assert {name for each in store["spec"]["conditions"] for name in each["namespaces"]} == gateways


def test_the_stack_exports_what_partners_shards_and_people_need(recorded: Recorded) -> None:
    outputs = recorded.one(STACK_TYPE).outputs or {}
    assert outputs["natAddresses"]
    assert all(outputs["partnerAddresses"].values())
    assert set(outputs) >= {"clusterName", "kubeconfig", "loadBalancers", "securityGroupIds", "partners", "vpcId"}
    users = json.loads(outputs["kubeconfig"])["users"]
    assert [set(user["user"]) for user in users] == [{"exec"}]


def test_a_partner_alone_previews_as_its_own_resources() -> None:
    stack = environment("dev")
    fewer = stack.model_copy(update={"partners": tuple(one for one in stack.partners if one.name != "payline")})
    before, after = run(fewer), run_of("dev")
    names = {one.urn: one for one in before}
    created = [one for one in after if one.urn not in names]
    assert created
    for one in created:
        below = one.name == "payline" or any(parent.name == "payline" for parent in ancestors(after, one))
        assert below or one.type.startswith("aws:vpc/securityGroup"), one.urn
    changed = [one for one in after if one.urn in names and one.custom and one.inputs != names[one.urn].inputs]
    # It brings a token, which the egress gateway reads when it starts (docs/adr/0021): nothing else of it may change.
    [gateway] = changed
    assert gateway.name == "egress"
    values, earlier = gateway.inputs["values"], names[gateway.urn].inputs["values"]
    assert {key for key in values if values[key] != earlier.get(key)} == {"envVarFrom"}

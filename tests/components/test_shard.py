"""Partners in a stack of their own: nothing of the platform, and everything that the partners need."""

from typing import Any

import pytest

from partner_mesh.config.stack import Stack
from tests.components.programs import environment, run, run_of
from tests.specs.aws.test_load_balancers import partner
from tests.specs.stacks import GATEWAYS, foreign, loaded


def shard(**changes: Any) -> Stack:
    return loaded(shared={"stack": "org/partner-mesh/prod"}, partners=[partner("acme")], **changes)


def test_a_shard_holds_its_partners_their_edges_and_nothing_of_the_platform() -> None:
    types = run(shard()).types()
    ours = {token for token in types if token.startswith("partner-mesh:")}
    assert ours == {"partner-mesh:partner:Partner", "partner-mesh:shard:ShardEdge"}
    at_aws = {token for token in types if token.startswith("aws:")}
    assert at_aws == {
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    }
    assert not [token for token in types if "helm.sh" in token or token.endswith(":Namespace")]


def test_the_platforms_cluster_and_groups_are_found_by_its_outputs() -> None:
    recorded = run(shard())
    provider = recorded.one("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "billing-test"
    rule = recorded.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")[0]
    assert rule.inputs["securityGroupId"] == "sg-app-charging"
    assert rule.inputs["referencedSecurityGroupId"] == "sg-gateway-partners"


def test_the_hosts_of_a_shard_point_at_the_platforms_load_balancer() -> None:
    zoned = GATEWAYS | {"partners": GATEWAYS["partners"] | {"zoneId": "Z1"}}
    recorded = run(shard(gateways=zoned))
    record = recorded.one("aws:route53/record:Record")
    assert record.name == "acme.partners.example.com"
    assert record.inputs["aliases"] == [
        {"name": "billing-test-partners.elb.invalid", "zoneId": "ZSTANDIN", "evaluateTargetHealth": True}
    ]


def test_a_partner_has_the_same_objects_in_a_shard_as_on_the_platform() -> None:
    def objects(stack: Stack) -> list[Any]:
        recorded = run(stack)
        return [one.inputs for one in recorded.below(recorded.one("partner-mesh:partner:Partner", "acme"))]

    assert objects(shard()) == objects(loaded(partners=[partner("acme")]))


def test_a_shard_on_a_foreign_cluster_makes_nothing_at_aws() -> None:
    stack = loaded(
        **foreign(),
        shared={"stack": "org/partner-mesh/prod"},
        applications={"charging": {"namespace": "charging", "ports": {"http": 8080}}},
        partners=[partner("acme")],
    )
    types = run(stack).types()
    assert {token for token in types if token.startswith("partner-mesh:")} == {"partner-mesh:partner:Partner"}
    assert not [token for token in types if "StackReference" in token or token.startswith("aws:")]


def test_more_partners_than_a_gateway_takes_are_refused_since_the_platform_has_no_shard_for_them() -> None:
    full = GATEWAYS | {"partners": GATEWAYS["partners"] | {"maxPartners": 1}}
    two = loaded(
        shared={"stack": "org/partner-mesh/prod"}, gateways=full, partners=[partner(name) for name in ("acme", "hooli")]
    )
    with pytest.raises(ValueError, match="declare one more gateway in the platform"):
        run(two)


def test_a_platform_exports_every_output_that_a_shard_reads() -> None:
    outputs = run_of("dev").registrations[0].outputs or {}
    assert {"kubeconfig", "clusterName", "securityGroupIds", "loadBalancers"} <= set(outputs)
    assert set(environment("dev").platform.gateways) - {"egress"} == set(outputs["loadBalancers"])

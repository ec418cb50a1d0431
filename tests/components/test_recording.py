"""The recorder sees what the engine would be asked, in one order, and refuses what the engine refuses."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from components.recording import STACK_TYPE, DuplicateUrnError, record
from components.stand_in import StandIn
from tests.pulumi_mocks import Recorded


class House(pulumi.ComponentResource):
    def __init__(self, name: str, rooms: int, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:house:House", name, None, opts)
        self.rooms = [
            aws.ec2.Eip(f"{name}-{n}", tags={"n": str(n)}, opts=pulumi.ResourceOptions(parent=self))
            for n in reversed(range(rooms))
        ]
        self.register_outputs({"addresses": [room.public_ip for room in self.rooms]})


def two_houses() -> None:
    first = House("first", 3)
    House("second", 2, opts=pulumi.ResourceOptions(depends_on=[first]))
    pulumi.export("addresses", [room.public_ip for room in first.rooms])


def test_every_resource_is_recorded_parents_first_and_siblings_as_the_program_made_them() -> None:
    names = [(one.type, one.name) for one in record(two_houses, project="p", stack="s")]
    assert names == [
        (STACK_TYPE, "p-s"),
        ("test:house:House", "first"),
        ("aws:ec2/eip:Eip", "first-2"),
        ("aws:ec2/eip:Eip", "first-1"),
        ("aws:ec2/eip:Eip", "first-0"),
        ("test:house:House", "second"),
        ("aws:ec2/eip:Eip", "second-1"),
        ("aws:ec2/eip:Eip", "second-0"),
    ]


def test_two_runs_give_the_same_recording() -> None:
    assert record(two_houses) == record(two_houses)


def test_urns_are_those_of_the_real_engine() -> None:
    recorded = Recorded(record(two_houses, project="p", stack="s"))
    assert recorded.one("test:house:House", "first").urn == "urn:pulumi:s::p::test:house:House::first"
    assert (
        recorded.one("aws:ec2/eip:Eip", "first-0").urn == "urn:pulumi:s::p::test:house:House$aws:ec2/eip:Eip::first-0"
    )


def test_outputs_of_components_and_stack_are_what_they_registered() -> None:
    recorded = Recorded(record(two_houses))
    first = recorded.one("test:house:House", "first")
    assert first.outputs == {"addresses": [(room.outputs or {})["publicIp"] for room in recorded.children(first)]}
    assert recorded.one(STACK_TYPE).outputs == first.outputs


def test_a_component_that_never_registers_its_outputs_has_none() -> None:
    class Forgetful(pulumi.ComponentResource):
        pass

    assert Recorded(record(lambda: Forgetful("test:a:Forgetful", "f") and None)).one("test:a:Forgetful").outputs is None


def test_options_are_recorded() -> None:
    def program() -> None:
        network = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(protect=True))
        pulumi_aws = aws.Provider("elsewhere", region="eu-west-1")
        aws.ec2.Subnet(
            "zone",
            vpc_id=network.id,
            opts=pulumi.ResourceOptions(
                provider=pulumi_aws,
                retain_on_delete=True,
                delete_before_replace=True,
                deleted_with=network,
                aliases=[pulumi.Alias(name="old")],
                ignore_changes=["tags"],
                replace_on_changes=["cidrBlock"],
            ),
        )

    recorded = Recorded(record(program))
    network, zone = recorded.one("aws:ec2/vpc:Vpc"), recorded.one("aws:ec2/subnet:Subnet")
    assert network.protect
    assert (zone.retain_on_delete, zone.delete_before_replace, zone.protect) == (True, True, False)
    assert zone.deleted_with == network.urn
    assert zone.dependencies == (network.urn,)
    assert zone.property_dependencies == {"vpcId": (network.urn,)}
    assert zone.inputs["vpcId"].startswith("vpc-")
    assert zone.aliases == ("name=old",)
    assert (zone.ignore_changes, zone.replace_on_changes) == (("tags",), ("cidrBlock",))
    assert zone.provider is not None
    assert zone.provider.startswith(recorded.one("pulumi:providers:aws").urn + "::")
    assert recorded.waits_for(zone, network)
    assert not recorded.waits_for(network, zone)


def test_secrets_are_never_recorded_but_reach_the_program() -> None:
    seen = []

    def program() -> None:
        password = pulumi.Config().require_secret("password")
        secret = k8s.core.v1.ConfigMap("c", data={"password": password, "port": "80"})
        secret.data.apply(lambda data: seen.append(data["password"]))

    recording = record(program, config={"partner-mesh:password": "hunter2"}, secret_keys=("partner-mesh:password",))
    assert "hunter2" not in repr(recording)
    assert Recorded(recording).one("kubernetes:core/v1:ConfigMap").inputs["data"] == {
        "password": "[secret]",
        "port": "80",
    }
    assert seen == ["hunter2"]


def test_in_a_preview_what_the_cloud_computes_is_unknown_and_nothing_else_changes() -> None:
    def program() -> None:
        network = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16")
        aws.ec2.Subnet("zone", vpc_id=network.id, cidr_block="10.0.0.0/20")

    known, unknown = Recorded(record(program)), Recorded(record(program, preview=True))
    assert [one.urn for one in known] == [one.urn for one in unknown]
    assert unknown.one("aws:ec2/subnet:Subnet").inputs["vpcId"] == "[unknown]"
    assert unknown.one("aws:ec2/subnet:Subnet").inputs["cidrBlock"] == "10.0.0.0/20"


def test_in_a_preview_a_section_keeps_what_was_asked_for_and_hides_what_is_computed() -> None:
    def program() -> None:
        aws.eks.Cluster("c", name="billing", role_arn="arn", vpc_config={"subnet_ids": ["subnet-1"]})

    outputs = Recorded(record(program, preview=True)).one("aws:eks/cluster:Cluster").outputs or {}
    assert (outputs["name"], outputs["endpoint"]) == ("billing", "[unknown]")
    assert outputs["vpcConfig"]["subnetIds"] == ["subnet-1"]
    assert outputs["vpcConfig"]["clusterSecurityGroupId"] == "[unknown]"
    assert outputs["certificateAuthority"] == {"data": "[unknown]"}


def test_what_programs_look_at_is_there() -> None:
    looked_at = {}

    def program() -> None:
        zones = aws.get_availability_zones(state="available")
        cluster = aws.eks.Cluster(
            "c", name="billing", role_arn="arn:aws:iam::111122223333:role/r", vpc_config={"subnet_ids": ["subnet-1"]}
        )
        balancer = aws.lb.LoadBalancer("b", load_balancer_type="network")
        fields = {
            "authority": cluster.certificate_authority.data,
            "group": cluster.vpc_config.cluster_security_group_id,
            "issuer": cluster.identities[0].oidcs[0].issuer,
            "endpoint": cluster.endpoint,
            "balancer": balancer.dns_name,
            "role": aws.iam.Role("r", assume_role_policy="{}").arn,
            "account": aws.get_caller_identity_output().account_id,
            "region": aws.get_region_output().region,
            "partition": aws.get_partition_output().partition,
            "policy": aws.iam.get_policy_document_output(
                statements=[{"actions": ["s3:GetObject"], "resources": ["*"]}]
            ).json,
        }
        pulumi.Output.all(**fields).apply(lambda values: looked_at.update(values | {"zones": zones.names}))

    record(program, stand_in=StandIn(region="eu-north-1", eks_endpoint="https://127.0.0.1:6443"))
    assert looked_at["zones"] == ["eu-north-1a", "eu-north-1b", "eu-north-1c"]
    assert looked_at["group"].startswith("sg-")
    assert looked_at["issuer"].startswith("https://oidc.eks.eu-north-1.invalid/id/")
    assert looked_at["endpoint"] == "https://127.0.0.1:6443"
    assert looked_at["balancer"].endswith(".elb.eu-north-1.invalid")
    assert looked_at["role"] == "arn:aws:iam::111122223333:role/r"
    assert (looked_at["account"], looked_at["region"], looked_at["partition"]) == ("111122223333", "eu-north-1", "aws")
    statement = {"Action": ["s3:GetObject"], "Effect": "Allow", "Resource": ["*"]}
    assert json.loads(looked_at["policy"])["Statement"] == [statement]
    assert looked_at["authority"]


def test_a_lookup_nobody_answers_fails_by_name() -> None:
    with pytest.raises(Exception, match="getInstanceTypes"):
        record(lambda: aws.ec2.get_instance_types() and None)


def test_what_the_program_raises_comes_out() -> None:
    def program() -> None:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        record(program)


def test_what_an_apply_raises_comes_out() -> None:
    def program() -> None:
        def look(_: object) -> None:
            raise ValueError("looked into a late value")

        pulumi.export("x", aws.ec2.Eip("e").public_ip.apply(look))

    with pytest.raises(ValueError, match="late value"):
        record(program)


def test_two_resources_of_one_name_and_type_are_refused_as_by_the_engine() -> None:
    def program() -> None:
        aws.ec2.Eip("e")
        aws.ec2.Eip("e")

    with pytest.raises(DuplicateUrnError, match="'e'"):
        record(program)


def test_progress_is_told_at_each_registration() -> None:
    told: list[tuple[str, str]] = []
    recording = record(two_houses, seen=lambda token, name: told.append((token, name)))
    assert sorted(told) == sorted((one.type, one.name) for one in recording)

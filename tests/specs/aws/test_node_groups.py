"""Node groups: taint and label agree, and only egress nodes stand where the way out is."""

from partner_mesh.specs.aws.node_groups import node_group_arguments
from tests.specs.stacks import EKS, NODE_GROUPS, loaded

GROUPS = {group.name: group for group in node_group_arguments(loaded())}


def test_a_dedicated_group_is_tainted_and_labelled_alike() -> None:
    for name, declared in NODE_GROUPS.items():
        wanted = declared.get("dedicated")
        assert GROUPS[name].labels.get("dedicated") == wanted
        taints = [(taint["key"], taint["value"], taint["effect"]) for taint in GROUPS[name].taints]
        assert taints == ([("dedicated", wanted, "NO_SCHEDULE")] if wanted else [])


def test_only_the_egress_gateways_nodes_stand_in_egress_subnets() -> None:
    assert {name for name, group in GROUPS.items() if group.tier == "egress"} == {"egress"}


def test_a_declared_size_is_held_and_an_undeclared_one_left_to_an_autoscaler() -> None:
    sized = NODE_GROUPS | {"system": NODE_GROUPS["system"] | {"size": {"min": 2, "max": 5, "desired": 3}}}
    found = {one.name: one for one in node_group_arguments(loaded(cluster=EKS | {"nodeGroups": sized}))}
    assert (found["system"].desired, found["system"].desired_is_declared) == (3, True)
    assert (found["web"].desired, found["web"].desired_is_declared) == (2, False)


def test_bottlerocket_keeps_containers_on_its_second_volume() -> None:
    rocket = NODE_GROUPS | {"system": NODE_GROUPS["system"] | {"ami": "bottlerocket", "diskGib": 80}}
    found = {one.name: one for one in node_group_arguments(loaded(cluster=EKS | {"nodeGroups": rocket}))}
    assert found["system"].volumes == (("/dev/xvda", 4), ("/dev/xvdb", 80))
    assert found["web"].volumes == (("/dev/xvda", 50),)


def test_no_nodes_are_made_on_a_cluster_of_somebody_else() -> None:
    assert node_group_arguments(loaded(cluster={"kind": "existing"}, network=None, applications={})) == ()

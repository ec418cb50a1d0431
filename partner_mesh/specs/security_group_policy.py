"""SecurityGroupPolicy: which pods carry which security groups. A pod that several select has the groups of all."""

from collections.abc import Mapping
from typing import Any, Final

from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs import waypoint
from partner_mesh.specs.login_provider import login_name
from partner_mesh.specs.security_group import PODS, group_id
from partner_mesh.specs.security_group_edges import application_group, gateway_group, login_group, waypoint_group
from partner_mesh.specs.stack import owned, selector

API: Final = "vpcresources.k8s.aws/v1beta1"
GroupIds = Mapping[str, Any] | None


def served(stack: Stack) -> bool:
    """Whether the cluster knows the kind: EKS, or a cluster of which configuration says so."""
    cluster = stack.platform.cluster
    return not isinstance(cluster, ExistingCluster) or cluster.vpc_resource_controller


def of_namespace(stack: Stack, namespace: str, labels: Mapping[str, str], group_ids: GroupIds) -> tuple[Manifest, ...]:
    """The default of a namespace: every pod of it has the group of all pods."""
    if not _known(stack, PODS, group_ids):
        return ()
    return (_policy("default", namespace, labels, {}, [group_id(PODS, group_ids)]),)


def of_application(stack: Stack, application: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """An application's own group, and those that exist already."""
    declared = stack.applications[application]
    own = application_group(application)
    ids = [group_id(own, group_ids)] if _known(stack, own, group_ids) else []
    if served(stack) and declared.security_group is not None:
        ids += declared.security_group.group_ids
    if not ids:
        return ()
    return (_policy(application, declared.namespace, owned(application=application), selector(application), ids),)


def of_gateway(stack: Stack, gateway: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """A gateway's own group."""
    own = gateway_group(gateway)
    if not _known(stack, own, group_ids):
        return ()
    chosen = {"matchLabels": {"istio": gateway}}
    return (_policy(gateway, gateway_namespace(gateway), owned(gateway=gateway), chosen, [group_id(own, group_ids)]),)


def of_waypoint(stack: Stack, namespace: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """The group of a namespace's waypoint."""
    own = waypoint_group(namespace)
    if not waypoint.served(stack, namespace) or not _known(stack, own, group_ids):
        return ()
    chosen = {"matchLabels": waypoint.PODS}
    return (_policy(waypoint.NAME, namespace, owned(), chosen, [group_id(own, group_ids)]),)


def of_login(stack: Stack, gateway: str, application: str, group_ids: GroupIds) -> tuple[Manifest, ...]:
    """The group of an application's login, whose pods stand beside the web gateway."""
    own = login_group(application)
    if not _known(stack, own, group_ids):
        return ()
    name, chosen = login_name(application), {"matchLabels": {"app": login_name(application)}}
    labels = owned(application=application)
    return (_policy(name, gateway_namespace(gateway), labels, chosen, [group_id(own, group_ids)]),)


def _known(stack: Stack, group: str, group_ids: GroupIds) -> bool:
    """On somebody else's cluster groups are made by nobody here: only those whose ids are given can be placed."""
    return served(stack) and (not stack.existing or (group_ids is not None and group in group_ids))


def _policy(
    name: str, namespace: str, labels: Mapping[str, str], pod_selector: Mapping[str, Any], ids: list[Any]
) -> Manifest:
    """Raises ValueError for more groups than an interface takes, which is five."""
    if not 1 <= len(ids) <= 5:
        raise ValueError(f"{namespace}/{name}: a SecurityGroupPolicy names one to five groups, not {len(ids)}")
    spec = {"podSelector": dict(pod_selector), "securityGroups": {"groupIds": ids}}
    return Manifest(API, "SecurityGroupPolicy", name, namespace, dict(labels), body={"spec": spec})

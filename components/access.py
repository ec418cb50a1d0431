"""The way to the cluster: one Kubernetes provider, whichever cluster it is."""

import pulumi
import pulumi_kubernetes as kubernetes

from partner_mesh.config.platform import ExistingCluster


def provider(
    name: str,
    *,
    kubeconfig: pulumi.Input[str] | None,
    identifier: pulumi.Input[str],
    context: str | None = None,
    after: list[pulumi.Resource] | None = None,
) -> kubernetes.Provider:
    """Server-side apply, and nothing that hides a conflict or forgets an object.

    `identifier` is pinned: a changed kubeconfig (a rotated CA, another way to log in) would otherwise replace the
    provider and with it every object. `after` is what a cluster of ours needs before objects are of use.
    """
    return kubernetes.Provider(
        name,
        kubeconfig=kubeconfig,
        context=context,
        cluster_identifier=identifier,
        enable_server_side_apply=True,
        opts=pulumi.ResourceOptions(depends_on=after),
    )


def provider_of_existing(name: str, cluster: ExistingCluster) -> kubernetes.Provider:
    """Somebody's cluster: a kubeconfig's path and a context, or what kubectl itself would take."""
    return provider(name, kubeconfig=cluster.kubeconfig, context=cluster.context, identifier=name)

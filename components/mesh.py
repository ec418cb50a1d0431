"""Everything on the cluster but the partners, wired in the order in which it comes up."""

from dataclasses import replace

import pulumi

from components.admission import Admission, AdmissionArgs
from components.application import Application, ApplicationArgs, Namespace
from components.calico import Calico, CalicoArgs
from components.edge import edge
from components.foundation import Foundation
from components.gateway import Gateway, GatewayArgs
from components.istio import Istio, IstioArgs
from components.objects import Deployed
from components.observability import Observability, ObservabilityArgs
from components.owners import Owner, charts_of, manifests_of
from components.secrets import Secrets, SecretsArgs
from components.storage import Storage, StorageArgs
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs.compiled import Compiled

Outputs = dict[str, pulumi.Input[object]]


def mesh(
    stack: Stack, compiled: Compiled, deployed: Deployed, access: pulumi.ProviderResource, base: Foundation | None
) -> Outputs:
    """Control planes, controllers, gateways with their load balancers, applications. `base` is None on a cluster that
    is somebody else's: then nothing of AWS is made. A component without anything to deploy is not made.
    """
    on_cluster = pulumi.ResourceOptions(providers=[access])

    def charts(owner: Owner) -> tuple[ChartRelease, ...]:
        return charts_of(owner, compiled.charts)

    storage = manifests_of("storage", compiled.mesh)
    if storage:
        Storage("storage", StorageArgs(storage, deployed), opts=on_cluster)
    calico = manifests_of("calico", compiled.mesh)
    if charts("calico") or calico:
        Calico("calico", CalicoArgs(charts("calico"), calico, deployed), opts=on_cluster)
    istio = manifests_of("istio", compiled.mesh)
    if charts("istio") or istio:
        Istio("istio", IstioArgs(charts("istio"), istio, deployed), opts=on_cluster)
    secrets = manifests_of("secrets", compiled.mesh)
    if charts("secrets") or secrets:
        identity = base.identities.associations.get("external-secrets") if base is not None else None
        Secrets("secrets", SecretsArgs(charts("secrets"), secrets, deployed, identity), opts=on_cluster)
    gateways = _gateways(compiled, deployed, on_cluster)
    admission = manifests_of("admission", compiled.mesh)
    if admission:
        Admission("admission", AdmissionArgs(admission, deployed), opts=on_cluster)
    _applications(compiled, deployed, on_cluster)
    if charts("observability") or compiled.observability:
        Observability(
            "observability",
            ObservabilityArgs(charts("observability"), compiled.observability, deployed),
            opts=on_cluster,
        )
    if base is None:
        return {}
    # The controller cannot ask the metadata service which VPC it is in: the hop limit is 1.
    controllers = tuple(_with_vpc(chart, base.network.vpc_id) for chart in charts("load-balancers"))
    return edge(stack, controllers, gateways, deployed, base, access=access)


def _gateways(
    compiled: Compiled, deployed: Deployed, opts: pulumi.ResourceOptions
) -> dict[str, tuple[pulumi.Resource, ...]]:
    """Gateways by name, each with the releases that bring its Service."""
    found: dict[str, tuple[pulumi.Resource, ...]] = {}
    releases = charts_of("gateways", compiled.charts)
    for name, manifests in compiled.gateways.items():
        own = tuple(chart for chart in releases if chart.namespace == gateway_namespace(name))
        found[name] = Gateway(name, GatewayArgs(own, manifests, deployed), opts=opts).resources
    return found


def _applications(compiled: Compiled, deployed: Deployed, opts: pulumi.ResourceOptions) -> None:
    for name, manifests in compiled.namespaces.items():
        Namespace(name, ApplicationArgs(manifests, deployed), opts=opts)
    for name, manifests in compiled.applications.items():
        restarts = compiled.restarts.get(name, ())
        Application(name, ApplicationArgs(manifests, deployed, restarts), opts=opts)


def _with_vpc(chart: ChartRelease, vpc_id: pulumi.Output[str]) -> ChartRelease:
    return replace(chart, values={**chart.values, "vpcId": vpc_id})

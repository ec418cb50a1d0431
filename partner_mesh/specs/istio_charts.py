"""Istio's releases: base, one istiod a revision, the CNI node agent, and ztunnel where a namespace asks for it.

Values as in the charts' `values.yaml` (istio/istio, manifests/charts, 1.31). Order of an upgrade: base carries the new
CRDs first, then the new istiod stands beside the old; the node agents, of which a cluster has one release each, follow
when the new revision is promoted.
"""

from typing import Any, Final

from partner_mesh.config.mesh import Mesh
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease
from partner_mesh.model.names import ROOT_NAMESPACE
from partner_mesh.specs.login_provider import several_at_one_gateway
from partner_mesh.specs.mesh_config import mesh_config, uses_ambient

SECCOMP: Final = {"type": "RuntimeDefault"}
FAIL_CLOSED: Final = {"validationFailurePolicy": "Fail"}


def istio_charts(stack: Stack) -> tuple[ChartRelease, ...]:
    """All releases but the gateways', in the order in which they are installed; none where Istio is not ours."""
    mesh = stack.platform.mesh
    if not mesh.managed:
        return ()
    releases = [_base(mesh), *_control_planes(stack), _cni(mesh)]
    if uses_ambient(mesh):
        releases.append(_ztunnel(mesh))
    return tuple(releases)


def revisions(mesh: Mesh) -> tuple[str, ...]:
    """The control planes that run: the stable one, and while an upgrade is under way the new one beside it."""
    return (mesh.revision,) if mesh.upgrade is None else (mesh.revision, mesh.upgrade.to)


def tagged_revision(mesh: Mesh) -> str:
    """What the tag and the default revision mean."""
    return mesh.upgrade.to if mesh.upgrade is not None and mesh.upgrade.promoted else mesh.revision


def istiod_release(revision: str) -> str:
    """The name of a control plane's release, Deployment and Service."""
    return f"istiod-{revision}"


def control_planes(mesh: Mesh) -> tuple[str, ...]:
    """Names of the istiod releases, for those that must come after them."""
    return tuple(istiod_release(revision) for revision in revisions(mesh))


def version(revision: str) -> str:
    """A revision's chart version and image tag."""
    return revision.replace("-", ".")


def _newest(mesh: Mesh) -> str:
    return version(mesh.upgrade.to if mesh.upgrade is not None else mesh.revision)


def _base(mesh: Mesh) -> ChartRelease:
    """CRDs and the default validation webhook, which fails closed and says so: Istio flips `Ignore` at run time, and
    whoever applies the chart again would flip it back.
    """
    values = {"defaultRevision": tagged_revision(mesh), "base": FAIL_CLOSED}
    return ChartRelease("istio-base", ROOT_NAMESPACE, "base", _newest(mesh), mesh.charts, values)


def _control_planes(stack: Stack) -> list[ChartRelease]:
    """One release a revision. Whoever gives the tag away comes first: Helm refuses an object of another release."""
    mesh = stack.platform.mesh
    holder = tagged_revision(mesh)
    found: list[ChartRelease] = []
    for revision in sorted(revisions(mesh), key=lambda each: each == holder):
        others = tuple(release.name for release in found)
        found.append(
            ChartRelease(
                istiod_release(revision),
                ROOT_NAMESPACE,
                "istiod",
                version(revision),
                mesh.charts,
                istiod_values(stack, revision, tagged=revision == holder),
                ("istio-base", *others),
            )
        )
    return found


def istiod_values(stack: Stack, revision: str, *, tagged: bool) -> dict[str, Any]:
    """Values of one control plane."""
    mesh = stack.platform.mesh
    values: dict[str, Any] = {
        "revision": revision,
        "revisionTags": [mesh.tag] if tagged else [],
        "autoscaleMin": mesh.replicas,
        "autoscaleMax": max(5, mesh.replicas),
        "resources": resources(mesh.istiod.cpu, mesh.istiod.memory, mesh.istiod.memory_limit),
        "seccompProfile": SECCOMP,
        "cni": {"enabled": True},
        "base": FAIL_CLOSED,
        "env": {
            # A Gateway selects pods of its own namespace only, and reads Secrets there only.
            "PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "true",
            # Gateways learn only the clusters that their routes name (experimental in 1.31).
            "PILOT_FILTER_GATEWAY_CLUSTER_CONFIG": "true",
        },
        "topologySpreadConstraints": topology_spread({"app": "istiod", "istio.io/rev": revision}),
        "global": {
            "hub": mesh.hub,
            "tag": version(revision),
            "istioNamespace": ROOT_NAMESPACE,
            "logAsJson": True,
            "proxy": {
                "resources": resources(mesh.proxy.cpu, mesh.proxy.memory, mesh.proxy.memory_limit),
                "seccompProfile": SECCOMP,
            },
        },
        "meshConfig": mesh_config(stack),
    }
    if mesh.multi_cluster is not None:
        values["global"] |= _multi_cluster(mesh)
    if several_at_one_gateway(stack):
        values["env"]["PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS"] = "true"  # off in 1.31 unless it is said
    if uses_ambient(mesh):
        values["env"]["PILOT_ENABLE_AMBIENT"] = "true"
        values["gateways"] = {"seccompProfile": SECCOMP}  # of waypoints, whose namespaces ask for it
    return values


def _multi_cluster(mesh: Mesh) -> dict[str, Any]:
    """Names of this cluster and of the networks; a peer's network is entered at its east-west gateway."""
    cluster = mesh.multi_cluster
    if cluster is None:
        return {}
    return {
        "meshID": mesh.trust_domain,
        "multiCluster": {"clusterName": cluster.cluster},
        "network": cluster.network,
        # Ours is entered at the gateway whose Service is labelled with it; pods without a label are of it as well.
        "meshNetworks": {cluster.network: {"endpoints": [{"fromRegistry": cluster.cluster}]}}
        | {
            peer.network: {
                "endpoints": [{"fromRegistry": peer.name}],
                "gateways": [{"address": peer.gateway, "port": 15443}],
            }
            for peer in cluster.peers
        },
    }


def _cni(mesh: Mesh) -> ChartRelease:
    """One node agent for all revisions: traffic is redirected without a privileged init container in any pod."""
    values: dict[str, Any] = {
        "global": {"hub": mesh.hub, "tag": version(tagged_revision(mesh)), "logAsJson": True},
        "seccompProfile": SECCOMP,
        "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}},
    }
    if uses_ambient(mesh):
        values["ambient"] = {"enabled": True}
    return ChartRelease(
        "istio-cni",
        ROOT_NAMESPACE,
        "cni",
        version(tagged_revision(mesh)),
        mesh.charts,
        values,
        ("istio-base", *control_planes(mesh)),
    )


def _ztunnel(mesh: Mesh) -> ChartRelease:
    """The node proxy of namespaces in ambient mode. Its certificate authority is the tagged control plane."""
    revision = tagged_revision(mesh)
    values = {"hub": mesh.hub, "tag": version(revision), "revision": revision, "logAsJson": True}
    return ChartRelease(
        "ztunnel",
        ROOT_NAMESPACE,
        "ztunnel",
        version(revision),
        mesh.charts,
        values,
        ("istio-cni", *control_planes(mesh)),
    )


def resources(cpu: str, memory: str, limit: str | None) -> dict[str, Any]:
    """Requests, and a memory limit where there is one. No CPU limit: throttled proxies add latency, not safety."""
    found: dict[str, Any] = {"requests": {"cpu": cpu, "memory": memory}}
    if limit is not None:
        found["limits"] = {"memory": limit}
    return found


def topology_spread(labels: dict[str, str]) -> list[dict[str, Any]]:
    """Spread over zones and nodes as far as there are any."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]

"""Kubernetes objects and Helm releases as resources: one way for every kind, and the order that really holds.

An object is registered under the token that its apiVersion and kind make, with the compiled document as its inputs.
That is what the typed classes of pulumi-kubernetes do as well, minus their translation of every key: with a thousand
partners the difference is seconds, and a kind that is new tomorrow needs no line here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.specs.namespace import pod_security

# Which charts serve an API group: an object of the group waits for them where we install them. Istio's objects wait for
# istiod too, whose webhook (`base.validationFailurePolicy: Fail`) judges each of them.
SERVED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "networking.istio.io": ("base", "istiod"),
    "security.istio.io": ("base", "istiod"),
    "telemetry.istio.io": ("base", "istiod"),
    "extensions.istio.io": ("base", "istiod"),
    "gateway.networking.k8s.io": ("base", "istiod"),  # its kinds are the cluster's; istiod brings the classes
    "projectcalico.org": ("tigera-operator",),
    "operator.tigera.io": ("tigera-operator",),
    "external-secrets.io": ("external-secrets",),
    "elbv2.k8s.aws": ("aws-load-balancer-controller",),
    "monitoring.coreos.com": ("kube-prometheus-stack", "prometheus-operator-crds"),
}


# An object that brings an API group, and what its status says when it does.
_BRINGS: Final[Mapping[tuple[str, str], str]] = {("operator.tigera.io/v1", "APIServer"): "projectcalico.org"}
_READY: Final[Mapping[str, str]] = {"pulumi.com/waitFor": "jsonpath={.status.state}=Ready"}

# The provider holds an `up` until a Service has ready endpoints, ten minutes, and then fails it (seen on the real
# engine). The pods behind ours are other people's and may come after us. The annotation is the provider's own switch.
_POINTS_AT_OTHERS: Final = "Service"
_SKIP_AWAIT: Final[Mapping[str, str]] = {"pulumi.com/skipAwait": "true"}


def token(api_version: str, kind: str) -> str:
    """A kind's type token: `kubernetes:networking.istio.io/v1:Gateway`; the core group, without a name, is `core`."""
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"


class Deployed:
    """What the program has registered on the cluster so far, so that the next object waits for what it needs.

    Grows while components are made; a component asks it, and none knows another's resources.
    """

    def __init__(self) -> None:
        self._namespaces: dict[str, pulumi.Resource] = {}
        self._releases: dict[str, pulumi.Resource] = {}
        self._charts: dict[str, list[pulumi.Resource]] = {}
        self._bringers: dict[str, pulumi.Resource] = {}
        self._before: dict[tuple[str, str | None], list[pulumi.Resource]] = {}

    def namespace(self, name: str, resource: pulumi.Resource) -> None:
        """A Namespace object was registered."""
        self._namespaces[name] = resource
        self._before.clear()

    def release(self, release: ChartRelease, resource: pulumi.Resource) -> None:
        """A chart was registered."""
        self._releases[release.name] = resource
        self._charts.setdefault(release.chart, []).append(resource)
        self._before.clear()

    def bringer(self, manifest: Manifest, resource: pulumi.Resource) -> None:
        """An object was registered that has an API group served."""
        self._bringers[_BRINGS[manifest.api_version, manifest.kind]] = resource
        self._before.clear()

    def has_namespace(self, name: str) -> bool:
        """Whether a Namespace of that name is ours."""
        return name in self._namespaces

    def before(self, manifest: Manifest) -> list[pulumi.Resource]:
        """What an object waits for: its namespace, and whoever serves its kind. Shared between alike objects."""
        group = manifest.api_version.rpartition("/")[0]
        key = (group, manifest.namespace)
        if key not in self._before:
            bringer = [self._bringers[group]] if group in self._bringers else []
            charts = self._serving(SERVED_BY.get(group, ()))
            self._before[key] = [*self._namespace(manifest.namespace), *charts, *bringer]
        return self._before[key]

    def before_release(self, release: ChartRelease) -> list[pulumi.Resource]:
        """What a chart waits for: its namespace, and the releases that it names."""
        named = [self._releases[name] for name in release.after if name in self._releases]
        return list(dict.fromkeys([*self._namespace(release.namespace), *named]))

    def _namespace(self, name: str | None) -> list[pulumi.Resource]:
        return [self._namespaces[name]] if name in self._namespaces else []

    def _serving(self, charts: Iterable[str]) -> list[pulumi.Resource]:
        return [resource for chart in charts for resource in self._charts.get(chart, ())]


def declare(
    owner: str,
    manifests: Iterable[Manifest],
    deployed: Deployed,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
) -> tuple[pulumi.CustomResource, ...]:
    """Register objects below `parent`, each under the name `<owner>/<Kind>/[<namespace>/]<name>`.

    The namespace is part of the name because one owner may have objects of one kind and name at both ends of an edge.
    """
    return tuple(_declare(owner, manifest, deployed, parent=parent, after=after) for manifest in manifests)


def _declare(
    owner: str, manifest: Manifest, deployed: Deployed, *, parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> pulumi.CustomResource:
    place = f"{manifest.namespace}/" if manifest.namespace is not None else ""
    resource = pulumi.CustomResource(
        token(manifest.api_version, manifest.kind),
        f"{owner}/{manifest.kind}/{place}{manifest.name}",
        _awaited(manifest).document(),
        pulumi.ResourceOptions(
            parent=parent,
            depends_on=[*deployed.before(manifest), *after] or None,
            # Deleting a CRD deletes every object of its kind, in every namespace, whoever made it.
            retain_on_delete=True if manifest.kind == "CustomResourceDefinition" else None,
        ),
    )
    if manifest.kind == "Namespace":
        deployed.namespace(manifest.name, resource)
    if (manifest.api_version, manifest.kind) in _BRINGS:
        deployed.bringer(manifest, resource)
    return resource


def patch(owner: str, manifests: Iterable[Manifest], deployed: Deployed, *, parent: pulumi.Resource) -> None:
    """Register patches by server-side apply: the fields that are given, of objects that are there and not ours.

    What is not there is an error. A patch that goes away leaves its fields behind: to take them back would change the
    object once more (a pod template's annotation would restart the pods).
    """
    for manifest in manifests:
        pulumi.CustomResource(
            token(manifest.api_version, f"{manifest.kind}Patch"),
            f"{owner}/{manifest.kind}Patch/{manifest.namespace}/{manifest.name}",
            manifest.document(),
            pulumi.ResourceOptions(parent=parent, depends_on=deployed.before(manifest) or None, retain_on_delete=True),
        )


def _awaited(manifest: Manifest) -> Manifest:
    """The manifest, told to wait for what it brings, and not to wait for what others bring."""
    if (manifest.api_version, manifest.kind) in _BRINGS:
        return replace(manifest, annotations={**manifest.annotations, **_READY})
    if manifest.kind == _POINTS_AT_OTHERS:
        return replace(manifest, annotations={**manifest.annotations, **_SKIP_AWAIT})
    return manifest


def release(
    chart: ChartRelease,
    deployed: Deployed,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
) -> kubernetes.helm.v3.Release:
    """Register a Helm release. It waits until what it brings is ready, so that who depends on it finds it serving."""
    if not deployed.has_namespace(chart.namespace) and chart.namespace != "kube-system":
        _declare(chart.name, _namespace_of(chart), deployed, parent=parent, after=after)
    repository, name = _source(chart)
    resource = kubernetes.helm.v3.Release(
        chart.name,
        kubernetes.helm.v3.ReleaseArgs(
            name=chart.name,
            namespace=chart.namespace,
            chart=name,
            version=chart.version,
            repository_opts=repository,
            values=dict(chart.values),
            atomic=False,  # a failed release stays to be looked at; the next `up` replaces it
            cleanup_on_fail=True,
            timeout=600,  # seconds
            max_history=5,
        ),
        pulumi.ResourceOptions(parent=parent, depends_on=[*deployed.before_release(chart), *after] or None),
    )
    deployed.release(chart, resource)
    return resource


def _namespace_of(chart: ChartRelease) -> Manifest:
    """The namespace of a controller, which goes with it: one of Helm's making stays, with the mesh's key in it.

    Nothing of the chart's pods is known here, and some need the node: no Pod Security level but the open one.
    """
    return Manifest("v1", "Namespace", chart.namespace, labels=pod_security("privileged"))


def _source(chart: ChartRelease) -> tuple[kubernetes.helm.v3.RepositoryOptsArgs | None, str]:
    """Where a chart comes from. An OCI reference and a package's path are the chart's name itself, without repository.

    A package's name holds its version: what lies in a folder cannot be another one than what the stack says.
    """
    place = chart.repository.rstrip("/")
    if place.startswith("oci://"):
        return None, f"{place}/{chart.chart}"
    if "://" not in place:
        return None, f"{place}/{chart.chart}-{chart.version}.tgz"
    return kubernetes.helm.v3.RepositoryOptsArgs(repo=chart.repository), chart.chart

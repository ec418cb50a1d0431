"""The EKS cluster's arguments: add-ons with their versions and configuration, log types, who may do what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from partner_mesh.config.platform import EksCluster

LOG_TYPES: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")

# AWS' own policies for access entries: docs.aws.amazon.com/eks/latest/userguide/access-policies.html
ADMIN_POLICY: Final = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEW_POLICY: Final = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"

# One version an add-on and Kubernetes minor, taken from public configurations in use (autumn 2026). What AWS offers
# changes weekly: `aws eks describe-addon-versions --kubernetes-version 1.36` lists it, `cluster.addons` overrides.
_VERSIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "1.36": {
            "vpc-cni": "v1.22.4-eksbuild.3",
            "kube-proxy": "v1.36.0-eksbuild.1",
            "coredns": "v1.13.2-eksbuild.1",
            "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
            "aws-ebs-csi-driver": "v1.62.0-eksbuild.1",
        },
        "1.35": {
            "vpc-cni": "v1.21.1-eksbuild.7",
            "kube-proxy": "v1.35.3-eksbuild.2",
            "coredns": "v1.13.2-eksbuild.4",
            "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
            "aws-ebs-csi-driver": "v1.60.0-eksbuild.1",
        },
        "1.34": {
            "vpc-cni": "v1.21.1-eksbuild.7",
            "kube-proxy": "v1.34.6-eksbuild.2",
            "coredns": "v1.13.2-eksbuild.4",
            "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
            "aws-ebs-csi-driver": "v1.57.1-eksbuild.1",
        },
    }
)


@dataclass(frozen=True, slots=True)
class AddOn:
    """One EKS add-on. `version` None lets EKS take its default: only for a Kubernetes version without a table."""

    name: str
    version: str | None
    before_nodes: bool  # a node is not Ready without it; the others need nodes to run on
    configuration: Mapping[str, Any]
    service_account: str | None = None  # the one whose Pod Identity role it uses

    @property
    def configuration_values(self) -> str | None:
        """As the API takes it; keys sorted, so that the same configuration is never a difference."""
        return json.dumps(self.configuration, sort_keys=True) if self.configuration else None


def add_ons(cluster: EksCluster) -> tuple[AddOn, ...]:
    """Every add-on of a cluster, the networking ones first; add-ons beyond ours come from configuration."""
    versions = {**_VERSIONS.get(cluster.version, {}), **cluster.addons}
    own = (
        AddOn(
            "vpc-cni",
            versions.get("vpc-cni"),
            before_nodes=True,
            configuration=vpc_cni_configuration(),
            service_account="aws-node",
        ),
        AddOn("kube-proxy", versions.get("kube-proxy"), before_nodes=True, configuration={}),
        AddOn("eks-pod-identity-agent", versions.get("eks-pod-identity-agent"), before_nodes=True, configuration={}),
        AddOn("coredns", versions.get("coredns"), before_nodes=False, configuration=coredns_configuration()),
        AddOn(
            "aws-ebs-csi-driver",
            versions.get("aws-ebs-csi-driver"),
            before_nodes=False,
            configuration={},
            service_account="ebs-csi-controller-sa",
        ),
    )
    known = {add_on.name for add_on in own}
    return (
        *own,
        *(
            AddOn(name, version, before_nodes=False, configuration={})
            for name, version in cluster.addons.items()
            if name not in known
        ),
    )


def unpinned(cluster: EksCluster) -> tuple[str, ...]:
    """Add-ons without a version: a plan warns of them, since EKS may then choose another one tomorrow."""
    return tuple(add_on.name for add_on in add_ons(cluster) if add_on.version is None)


def vpc_cni_configuration() -> dict[str, Any]:
    """Security groups for pods, in the mode in which Calico still sees the pods' interfaces.

    `strict` names host interfaces `vlan*`, outside FELIX_INTERFACEPREFIX=eni, so that every NetworkPolicy is silently
    without effect. The add-on's own network policies stay off: they conflict with Calico's.
    """
    return {
        "enableNetworkPolicy": "false",
        "env": {
            "ANNOTATE_POD_IP": "true",  # Calico learns a pod's address without waiting for kubelet's status
            "AWS_VPC_K8S_CNI_EXTERNALSNAT": "true",  # else a pod's way out is judged by its node's groups
            "ENABLE_POD_ENI": "true",
            "POD_SECURITY_GROUP_ENFORCING_MODE": "standard",
        },
    }


def coredns_configuration() -> dict[str, Any]:
    """Two replicas that never share a node or a zone if they can help it: every call of the mesh begins with a name."""
    spread = {
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return {
        "replicaCount": 2,
        "topologySpreadConstraints": [
            {"topologyKey": key, **spread} for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
    }


def kubeconfig(name: str, endpoint: str, certificate_authority: str, region: str) -> str:
    """A kubeconfig whose credentials are fetched at each use, so that none is stored.

    `certificate_authority` is base64. JSON, which every reader of kubeconfigs takes.
    """
    get_token = ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"]
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority},
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "aws",
                            "args": get_token,
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
        },
        sort_keys=True,
    )

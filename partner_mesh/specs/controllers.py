"""Controllers beside the mesh: AWS Load Balancer Controller and External Secrets Operator."""

from collections.abc import Mapping
from typing import Any

from partner_mesh.config.platform import EksCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model import ChartRelease, Manifest
from partner_mesh.model.names import CLUSTER_NAMESPACE, ROOT_NAMESPACE, gateway_namespace
from partner_mesh.specs import external_secret
from partner_mesh.specs.stack import owned
from partner_mesh.specs.versions import AWS_LOAD_BALANCER_CONTROLLER, EXTERNAL_SECRETS

EXTERNAL_SECRETS_NAMESPACE = "external-secrets"


def controller_charts(stack: Stack, *, cluster: Any = None, vpc: Any = None) -> tuple[ChartRelease, ...]:
    """Releases of the controllers that this stack needs.

    `cluster` and `vpc` are the cluster's name and the VPC's id: late values when the program runs.
    """
    found: list[ChartRelease] = []
    if isinstance(stack.platform.cluster, EksCluster):
        found.append(_load_balancer_controller(stack, cluster, vpc))
    secrets = stack.platform.secrets
    if secrets.store != "none" and secrets.managed:
        found.append(_external_secrets())
    return tuple(found)


def _load_balancer_controller(stack: Stack, cluster: Any, vpc: Any) -> ChartRelease:
    """It only binds pods to target groups: load balancers and their firewalls are Pulumi's."""
    values: dict[str, Any] = {
        "clusterName": cluster if cluster is not None else stack.platform.name,
        "region": stack.region,
        "replicaCount": 2,
        "podDisruptionBudget": {"maxUnavailable": 1},
        "serviceAccount": {"create": True, "name": "aws-load-balancer-controller"},
        "enableServiceMutatorWebhook": False,  # else every Service of type LoadBalancer would become its NLB
        "createIngressClassResource": False,
        "ingressClassParams": {"create": False},
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "enableBackendSecurityGroup": False,
        "defaultTags": dict(stack.platform.tags),
    }
    if vpc is not None:
        values["vpcId"] = vpc  # pods cannot ask the metadata service: its hop limit is 1
    chart = AWS_LOAD_BALANCER_CONTROLLER
    return ChartRelease(
        "aws-load-balancer-controller", CLUSTER_NAMESPACE, chart.name, chart.version, chart.repository, values
    )


def _external_secrets() -> ChartRelease:
    """The operator writes Secrets and nothing else: no cluster-wide ExternalSecrets, no pushing back."""
    values: Mapping[str, Any] = {
        "installCRDs": True,
        "replicaCount": 2,
        "leaderElect": True,
        "serviceAccount": {"create": True, "name": "external-secrets"},
        "processClusterExternalSecret": False,
        "processClusterPushSecret": False,
        "processPushSecret": False,
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "webhook": {"replicaCount": 2, "podDisruptionBudget": {"enabled": True, "minAvailable": 1}},
    }
    chart = EXTERNAL_SECRETS
    return ChartRelease(
        "external-secrets", EXTERNAL_SECRETS_NAMESPACE, chart.name, chart.version, chart.repository, values
    )


def cluster_secret_store(stack: Stack, gateways: tuple[str, ...]) -> tuple[Manifest, ...]:
    """The way to AWS Secrets Manager, open to the gateways' namespaces only.

    No `auth`: the operator's ServiceAccount has its role by Pod Identity. `gateways` are names of gateways in effect.
    """
    if stack.platform.secrets.store == "none":
        return ()
    aws: dict[str, Any] = {"service": "SecretsManager"}
    if stack.region is not None:
        aws["region"] = stack.region
    # The shared root of two clusters is istiod's, in the root namespace; else nobody there needs the store.
    mesh = stack.platform.mesh
    root = [ROOT_NAMESPACE] if mesh.managed and mesh.multi_cluster is not None else []
    spec = {
        "provider": {"aws": aws},
        "conditions": [{"namespaces": [*(gateway_namespace(gateway) for gateway in gateways), *root]}],
    }
    return (
        Manifest(external_secret.API, "ClusterSecretStore", external_secret.STORE, labels=owned(), body={"spec": spec}),
    )

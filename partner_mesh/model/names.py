"""The one home of names: labels, namespaces and identities that several packages must agree on."""

from typing import Final

GROUP: Final = "partner-mesh.dev"
PARTNER_LABEL: Final = f"{GROUP}/partner"
APPLICATION_LABEL: Final = f"{GROUP}/application"
GATEWAY_LABEL: Final = f"{GROUP}/gateway"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "partner-mesh"
REVISION_LABEL: Final = "istio.io/rev"
DEDICATED_LABEL: Final = "dedicated"  # node label and taint key of dedicated node groups

ROOT_NAMESPACE: Final = "istio-system"
EAST_WEST: Final = "eastwest"  # the gateway between two clusters
NETWORKING: Final = "networking.istio.io/v1"
SECURITY: Final = "security.istio.io/v1"
TELEMETRY: Final = "telemetry.istio.io/v1"
CALICO: Final = "projectcalico.org/v3"
SECURITY_GROUP_API: Final = "ec2.partner-mesh.dev/v1"  # not served by any cluster: AWS group rules as a document


def gateway_namespace(gateway: str) -> str:
    """Each gateway has a namespace of its own, so that Secrets and policies of one are out of reach of the others."""
    return f"istio-{gateway}"


def principal(trust_domain: str, namespace: str, service_account: str) -> str:
    """A workload's identity as AuthorizationPolicy writes it: the SPIFFE id without its scheme."""
    return f"{trust_domain}/ns/{namespace}/sa/{service_account}"


def service_host(service: str, namespace: str) -> str:
    """A Service's name as Istio's registry knows it."""
    return f"{service}.{namespace}.svc.cluster.local"

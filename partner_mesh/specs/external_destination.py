"""The DestinationRule of a partner's host: TLS towards it, and how much of it we bear.

Seen by the egress gateway alone (`exportTo: ["."]`). A sidecar that saw a rule with `credentialName` would fall back
to plaintext (`buildUpstreamClusterTLSContext`, pilot/pkg/networking/core/cluster_tls.go), an ingress gateway would wait
for a Secret that it may not have (design, `lab.md` fault 1).
"""

from typing import Any

from partner_mesh.config.partner import Outbound, OutboundTls, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, gateway_namespace
from partner_mesh.specs.destination_rule import connection_pool, load_balancer, outlier_detection
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.external_secret import external_secret
from partner_mesh.specs.stack import owned


def external_destination(stack: Stack, partner: Partner, entry: Outbound) -> Manifest:
    """Port-level settings replace a rule's own whole, so everything stands at the port."""
    policy: dict[str, Any] = {"port": {"number": entry.port}, "tls": client_tls(partner, entry)}
    pool: dict[str, Any] = connection_pool(entry.circuit_breaker) if entry.circuit_breaker is not None else {}
    if entry.protocol in ("http2", "grpc"):
        # Port 443 says HTTPS, which is HTTP/1.1 to Istio's clusters unless it is told otherwise.
        pool = pool | {"http": {**pool.get("http", {}), "h2UpgradePolicy": "UPGRADE"}}
    if pool:
        policy["connectionPool"] = pool
    if entry.circuit_breaker is not None:
        policy["outlierDetection"] = outlier_detection(entry.circuit_breaker)
    if entry.load_balancing is not None:
        policy["loadBalancer"] = load_balancer(entry.load_balancing)
    spec = {"host": entry.host, "exportTo": ["."], "trafficPolicy": {"portLevelSettings": [policy]}}
    name, namespace = entry_name(partner.name, entry.label), gateway_namespace(stack.outbound_gateway(entry))
    return Manifest(NETWORKING, "DestinationRule", name, namespace, owned(partner=partner.name), body={"spec": spec})


def client_tls(partner: Partner, entry: Outbound) -> dict[str, Any]:
    """ClientTLSSettings. SNI without names to verify would switch verification off, so there is always one."""
    tls: dict[str, Any] = {
        "mode": entry.tls.mode.upper(),
        "sni": entry.tls.sni or entry.host,
        "subjectAltNames": list(entry.server_names),
    }
    if has_secret(entry.tls):
        tls["credentialName"] = entry_name(partner.name, entry.label)
    else:
        tls["caCertificates"] = "system"  # what Istio does by default; said, because a default was once otherwise
    return tls


def has_secret(tls: OutboundTls) -> bool:
    """Whether TLS needs a Secret at the gateway: a client certificate, or a private CA."""
    return tls.mode == "mutual" or tls.ca is not None


def credential(stack: Stack, partner: Partner, entry: Outbound) -> tuple[Manifest, ...]:
    """The Secrets of an entry: client certificate and the CA that the partner's server is judged by; its token.

    With a client certificate that CA is in the Secret always: Istio then never asks the system's.
    """
    name, namespace = entry_name(partner.name, entry.label), gateway_namespace(stack.outbound_gateway(entry))
    labels = owned(partner=partner.name)
    keys: dict[str, tuple[str, str]] = {}
    certificate = entry.tls.certificate
    if entry.tls.mode == "mutual":
        if certificate is None:
            raise ValueError(f"{entry.host}: mutual TLS without a certificate")
        keys |= {"tls.crt": (certificate, "tls.crt"), "tls.key": (certificate, "tls.key")}
        keys["ca.crt"] = (certificate, "ca.crt")
    if entry.tls.ca is not None:
        keys["ca.crt"] = (entry.tls.ca, "ca.crt")
    found = external_secret(stack, name, namespace, labels, keys) if keys else ()
    if entry.token is None:
        return found
    token = {entry.token.key: (entry.token.secret, entry.token.key)}
    return (*found, *external_secret(stack, f"{name}.token", namespace, labels, token))

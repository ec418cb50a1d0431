"""How a partner's request comes in.

The gateway authenticates: own server with the partner's CA and names, for one exact host, so that the SNI of one
partner with the Host of another finds nothing (404, measured). The application's sidecar authorises
(`inbound_authorization.py`). Everything of an entry is its own; no object is shared between partners.
"""

from typing import Any

from partner_mesh.config.partner import Inbound, InboundRoute, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING, gateway_namespace
from partner_mesh.specs import network_policy
from partner_mesh.specs.entry import dns_label, entry_name
from partner_mesh.specs.external_secret import external_secret
from partner_mesh.specs.inbound_authorization import (
    application_policies,
    edge_policy,
    operation_methods,
    own_port,
    reached_applications,
)
from partner_mesh.specs.network_set import admit_network_sets, partner_addresses
from partner_mesh.specs.routing import FORGED_HEADERS, request_headers, retries
from partner_mesh.specs.shards import Shard, Shards
from partner_mesh.specs.stack import GATEWAY_SERVICE_PORT, application_host, application_port, owned
from partner_mesh.specs.virtual_service import destination, methods, rewrite, uri, weighted


def partner_gateway_objects(stack: Stack, shard: Shard) -> tuple[Manifest, ...]:
    """What a partner gateway has before any partner: the ALLOW for its own port, and who may reach that port.

    A gateway that authorises itself has no ALLOW of its own: beside it the partners' would say nothing.
    """
    allow = (own_port(shard.name),) if shard.enforce_at == "sidecar" else ()
    addresses = (admit_network_sets(shard.name),) if stack.platform.calico.present else ()
    return (*allow, *addresses)


def inbound(stack: Stack, partner: Partner, formed: Shards) -> tuple[Manifest, ...]:
    """All objects of a partner's inbound entries, in the order in which they are of use."""
    served = [(entry, formed.serving(stack, partner, entry)) for entry in partner.inbound]
    found: list[Manifest] = []
    for entry, shard in served:
        found += credential(stack, partner, entry, shard)
        found.append(gateway(partner, entry, shard))
        found.append(virtual_service(stack, partner, entry, shard))
        found += edge_policy(partner, entry, shard)
    found += application_policies(stack, partner, served)
    for name in dict.fromkeys(shard.name for _, shard in served):
        entries = [entry for entry, shard in served if shard.name == name]
        found.append(
            partner_addresses(
                stack,
                partner.name,
                name,
                tuple(dict.fromkeys(cidr for entry in entries for cidr in entry.source_ranges)),
                any_source=any(entry.any_source for entry in entries),
            )
        )
        for application, ports in reached_applications(stack, entries):
            found += network_policy.edge(
                stack, name, application, ports, labels=owned(partner=partner.name), prefix=f"{partner.name}."
            )
    return tuple(found)


def gateway(partner: Partner, entry: Inbound, shard: Shard) -> Manifest:
    """The server for one exact host. Its port's name tells its routes from those of other servers on the port."""
    certificate, name = entry.client_certificate, entry_name(partner.name, entry.label)
    tls: dict[str, Any] = {
        "mode": "MUTUAL",
        "minProtocolVersion": {"1.2": "TLSV1_2", "1.3": "TLSV1_3"}[entry.tls.min_version],
        "credentialName": name,
        "subjectAltNames": list(certificate.subject_alt_names),
    }
    if entry.tls.cipher_suites:
        tls["cipherSuites"] = list(entry.tls.cipher_suites)
    if certificate.fingerprints:
        tls["verifyCertificateHash"] = list(certificate.fingerprints)
    protocol = "TLS" if entry.protocol == "tcp" else "HTTPS"
    namespace = gateway_namespace(shard.name)
    server = {
        "port": {
            "number": GATEWAY_SERVICE_PORT,
            "name": dns_label(f"{protocol.lower()}-{name}"),
            "protocol": protocol,
        },
        "hosts": [f"{namespace}/{entry.host}"],
        "tls": tls,
    }
    spec = {"selector": {"istio": shard.name}, "servers": [server]}
    return Manifest(NETWORKING, "Gateway", name, namespace, owned(partner=partner.name), body={"spec": spec})


def credential(stack: Stack, partner: Partner, entry: Inbound, shard: Shard) -> tuple[Manifest, ...]:
    """The Secret of the server: our certificate for its host, and the CA that signs the partner's clients."""
    declared = stack.platform.gateways[shard.declared]
    server = entry.certificate or declared.certificate or f"{shard.declared}-server"
    ca = entry.client_certificate.ca
    keys = {"tls.crt": (server, "tls.crt"), "tls.key": (server, "tls.key"), "ca.crt": (ca, "ca.crt")}
    if entry.client_certificate.crl:
        keys["ca.crl"] = (ca, "ca.crl")
    name, namespace = entry_name(partner.name, entry.label), gateway_namespace(shard.name)
    return external_secret(stack, name, namespace, owned(partner=partner.name), keys)


def virtual_service(stack: Stack, partner: Partner, entry: Inbound, shard: Shard) -> Manifest:
    """From the gateway to the applications. Nobody but the gateway sees it."""
    name, namespace = entry_name(partner.name, entry.label), gateway_namespace(shard.name)
    spec: dict[str, Any] = {"hosts": [entry.host], "gateways": [f"{namespace}/{name}"], "exportTo": ["."]}
    if entry.protocol == "tcp":
        spec["tcp"] = [tcp_route(stack, entry)]
    else:
        # A route's name is the `partner` of metrics and of the access log (telemetry.of_gateway).
        spec["http"] = [{"name": partner.name, **http_route(stack, entry, route)} for route in entry.routes]
    return Manifest(NETWORKING, "VirtualService", name, namespace, owned(partner=partner.name), body={"spec": spec})


def tcp_route(stack: Stack, entry: Inbound) -> dict[str, Any]:
    """Bytes of one SNI go to one application. Raises ValueError for several routes: nothing would tell them apart."""
    if len(entry.routes) != 1:
        raise ValueError(f"{entry.host}: a tcp host leads to one application, not {len(entry.routes)}")
    return {"match": [{"port": GATEWAY_SERVICE_PORT}], "route": destinations(stack, entry.routes[0])}


def http_route(stack: Stack, entry: Inbound, route: InboundRoute) -> dict[str, Any]:
    """One route: it takes what the application's policy admits and nothing else.

    Istio's `rewrite` and the policy's path after it are made from the same template.
    """
    if route.path is None:
        raise ValueError(f"route to {route.to}: a route of requests has a path")
    match: dict[str, Any] = {"uri": uri(route.path)}
    if admitted := operation_methods(entry, route):
        match["method"] = methods(admitted)
    if route.headers:
        match["headers"] = {header: {"exact": value} for header, value in route.headers.items()}
    found: dict[str, Any] = {"match": [match]}
    if route.rewrite is not None:
        found["rewrite"] = rewrite(route.path, route.rewrite)
    found["headers"] = {"request": request_headers(route.set_headers, FORGED_HEADERS)}
    if route.timeout is not None:
        found["timeout"] = route.timeout
    found["retries"] = retries(route.retries)
    found["route"] = destinations(stack, route)
    return found


def destinations(stack: Stack, route: InboundRoute) -> list[dict[str, Any]]:
    """Where requests of a route go: the version that it is pinned to, or the versions by their shares."""
    host = application_host(stack, route.application)
    port = application_port(stack, route.application, route.port).port
    if route.version is not None:
        return [destination(host, route.version, port)]
    return weighted(host, stack.applications[route.application], port)

"""What TLS rests on: the Secrets it names, the versions it takes, the names it expects, and TLS being there at all."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.gateways import GatewayProxy
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.invariants.plaintext import tls_settings
from partner_mesh.analysis.mesh_config import NETWORKING, SECURITY
from partner_mesh.analysis.resources import Resource

EXTERNAL_SECRETS: Final = "external-secrets.io"
_PAIR: Final = frozenset({"tls.crt", "tls.key"})
_OLD: Final = ("TLSV1_0", "TLSV1_1")
_PLAIN: Final = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")
_TLS: Final = ("SIMPLE", "MUTUAL", "ISTIO_MUTUAL")


def delivered(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A server whose Secret is missing does not listen, and a client certificate that is missing is not shown.

    Judged only where the objects say how Secrets come to be: in a namespace with a Secret, or beside ExternalSecrets.
    """
    secrets = _secrets(facts)
    for resource, home, tls, wanted in _named(facts):
        name = str(tls.get("credentialName") or "")
        if not name:
            if tls.get("mode") == "MUTUAL" and not (tls.get("clientCertificate") or tls.get("serverCertificate")):
                yield invariant.at(resource, "tls.mode MUTUAL names no certificate", "set credentialName")
            continue
        if home not in secrets and not facts.world.of(EXTERNAL_SECRETS, "ExternalSecret"):
            continue
        keys = secrets.get(home, {}).get(name, frozenset())
        if keys is None:
            continue
        missing = sorted(wanted - keys)
        if missing:
            yield invariant.at(
                resource,
                f"nothing delivers {', '.join(missing)} of Secret {home}/{name}",
                f"an ExternalSecret in {home} with target.name {name} and these keys",
            )


def _named(facts: Facts) -> Iterator[tuple[Resource, str, Mapping[str, Any], frozenset[str]]]:
    """(object, the namespace of its Secret, its tls, the keys that it needs)."""
    homes: dict[int, str] = {}
    for proxy in facts.gateways:
        for server in proxy.servers:
            homes[id(server.resource)] = proxy.pods.namespace
    for resource in facts.world.of(NETWORKING, "Gateway"):
        for server in resource.spec.get("servers") or ():
            tls = server.get("tls") if isinstance(server, Mapping) else None
            if isinstance(tls, Mapping) and tls.get("mode") in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"):
                asks = tls.get("mode") != "SIMPLE"
                wanted = _PAIR | {"ca.crt"} if asks else _PAIR
                yield resource, homes.get(id(resource), resource.namespace), tls, wanted
    for resource in facts.world.of(NETWORKING, "DestinationRule"):
        for tls in tls_settings(resource):
            if tls.get("mode") == "MUTUAL":
                wanted = _PAIR if tls.get("caCertificates") else _PAIR | {"ca.crt"}
                yield resource, resource.namespace, tls, wanted


def _secrets(facts: Facts) -> dict[str, dict[str, frozenset[str] | None]]:
    """Namespace → Secret → its keys; None for a Secret whose keys the objects do not say."""
    found: dict[str, dict[str, frozenset[str] | None]] = {}
    for resource in facts.world.of(EXTERNAL_SECRETS, "ExternalSecret"):
        spec = resource.spec
        target = _mapping(spec.get("target"))
        name = str(target.get("name") or resource.name)
        said = [each for each in spec.get("data") or () if isinstance(each, Mapping)]
        # Without a remote key there is nothing to fetch, and the store refuses the whole object.
        keys = frozenset(
            str(each.get("secretKey")) for each in said
            if isinstance(each.get("remoteRef"), Mapping) and each["remoteRef"].get("key")
        )  # fmt: skip
        unsaid = bool(spec.get("dataFrom") or target.get("template"))
        usable = _mapping(spec.get("secretStoreRef")).get("name")
        found.setdefault(resource.namespace, {})[name] = None if unsaid else keys if usable else frozenset()
    for resource in facts.world.of("", "Secret"):
        held = {**(resource.body.get("data") or {}), **(resource.body.get("stringData") or {})}
        found.setdefault(resource.namespace, {})[resource.name] = frozenset(map(str, held)) or None
    for resource in facts.world.of("cert-manager.io", "Certificate"):
        found.setdefault(resource.namespace, {})[str(resource.spec.get("secretName") or "")] = None
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def versions(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """TLS 1.0 and 1.1 are broken (RFC 8996); Istio's own default is 1.2."""
    for resource, _, tls, _ in _named(facts):
        if tls.get("minProtocolVersion") in _OLD:
            yield invariant.at(resource, f"takes {tls['minProtocolVersion']}", "minProtocolVersion: TLSV1_2")


def expected_names(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A CA that signs for a whole company, or for the public, vouches for more clients than the one that is meant."""
    for proxy in facts.gateways:
        for server in proxy.servers:
            if server.tls in ("MUTUAL", "OPTIONAL_MUTUAL") and not server.names:
                yield invariant.at(
                    server.resource,
                    f"server {server.index} takes every client certificate of its CA",
                    "list the client's names in tls.subjectAltNames",
                )


def originated(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Connections that an egress gateway passes on unread need TLS of its own; requests are PM007's."""
    for proxy in facts.gateways:
        if facts.leads_out(proxy.pods):
            for resource in facts.world.of(NETWORKING, "VirtualService"):
                if resource.namespace == proxy.pods.namespace and any(each != "mesh" for each in _gateways(resource)):
                    yield from _plain_routes(facts, invariant, proxy, resource)


def _gateways(resource: Resource) -> list[str]:
    return [str(each) for each in resource.spec.get("gateways") or ()]


def _plain_routes(facts: Facts, invariant: Invariant, proxy: GatewayProxy, resource: Resource) -> Iterator[Finding]:
    mesh, pods = facts.mesh, proxy.pods
    for route in resource.spec.get("tcp") or ():
        for each in route.get("route") or () if isinstance(route, Mapping) else ():
            destination = each.get("destination") if isinstance(each, Mapping) else None
            if not isinstance(destination, Mapping):
                continue
            name, number = str(destination.get("host") or ""), (destination.get("port") or {}).get("number")
            host = mesh.registry.lookup(name, pods.namespace)
            port = host.port(number) if host is not None else None
            if host is None or port is None or not host.external or port.protocol.upper() in ("TLS", "HTTPS"):
                continue
            rules = mesh.destination_rules.of(host, name, pods.namespace, pods.labels)
            said = mesh.destination_rules.tls(rules, str(destination.get("subset") or ""), number)
            if said is None or said[0].get("mode") not in _TLS:
                yield invariant.at(
                    resource,
                    f"hands connections to {name}:{number} on as they are, and no DestinationRule adds TLS",
                    "a DestinationRule with tls for this host and port, seen in the gateway's namespace",
                )


def audiences(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """Without `audiences` Istio takes a token that the issuer made out to somebody else's service."""
    for resource in facts.world.of(SECURITY, "RequestAuthentication"):
        for rule in resource.spec.get("jwtRules") or ():
            if isinstance(rule, Mapping) and not rule.get("audiences"):
                yield invariant.at(
                    resource,
                    f"takes every token of {rule.get('issuer')}, whoever it was made out to",
                    "list this service's own names in audiences",
                )


def served_in_tls(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A server that reads plaintext and does not send its clients to TLS, or that has no certificate to show."""
    for proxy in facts.gateways:
        for server in proxy.servers:
            if not server.redirects and (not server.tls or server.protocol in _PLAIN):
                yield invariant.at(
                    server.resource,
                    f"server {server.index} (port {server.number}, {server.protocol}) takes plaintext",
                    "protocol HTTPS and tls with a mode and a credentialName, or tls.httpsRedirect",
                )
            written = _mapping(_mapping(server.resource.spec["servers"][server.index]).get("tls"))
            if server.tls in ("SIMPLE", "MUTUAL") and not (server.credential or written.get("serverCertificate")):
                yield invariant.at(
                    server.resource,
                    f"server {server.index} (port {server.number}) has no certificate to show",
                    "set tls.credentialName",
                )


INVARIANTS: Final = (
    Invariant("PM032-credential-delivered", Severity.ERROR, "Every certificate that TLS names is delivered", delivered),
    Invariant("PM033-tls-version", Severity.ERROR, "Nobody is served below TLS 1.2", versions),
    Invariant("PM034-client-names", Severity.WARNING, "Servers say whose certificates they expect", expected_names),
    Invariant("PM035-tls-origination", Severity.ERROR, "Connections leave the mesh in TLS", originated),
    Invariant("PM039-token-audience", Severity.WARNING, "Tokens are made out to those who take them", audiences),
    Invariant("PM050-served-in-tls", Severity.ERROR, "Gateways are entered in TLS", served_in_tls),
)

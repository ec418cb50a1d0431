"""TLS and tokens: certificates where they are presented, exceptions with an end, credentials by name."""

from collections.abc import Iterator
from typing import Final

from partner_mesh.config.mesh import MutualTlsException
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.traffic import HeaderChanges
from partner_mesh.config.translation import Finding

CREDENTIAL_HEADERS: Final = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
    )
)


def certificate_with_mutual(world: World) -> Iterator[Finding]:
    """`mode: mutual` presents our client certificate, so it names one; `simple` presents none."""
    for path, _, entry in world.outbound():
        place = (*path, "tls")
        if entry.tls.mode == "mutual" and entry.tls.certificate is None:
            yield Finding((*place, "certificate"), "is missing", "name the Secret with our client certificate")
        if entry.tls.mode == "simple" and entry.tls.certificate is not None:
            reason = "no client certificate is presented in mode simple"
            yield Finding((*place, "certificate"), reason, "set mode: mutual, or take the certificate away")


def server_names(world: World) -> Iterator[Finding]:
    """Names to verify are exact: a wildcard would admit servers and clients that the partner does not own."""
    for path, _, entry in world.outbound():
        for number, name in enumerate(entry.tls.subject_alt_names):
            if "*" in name:
                place = (*path, "tls", "subjectAltNames", number)
                yield Finding(place, "has a wildcard", "name the exact name in the partner's certificate")
    for path, _, inbound in world.inbound():
        for number, name in enumerate(inbound.client_certificate.subject_alt_names):
            if "*" in name:
                place = (*path, "clientCertificate", "subjectAltNames", number)
                yield Finding(
                    place, "has a wildcard, and names are compared exactly", "name the certificate's exact name"
                )


def dated_exceptions(world: World) -> Iterator[Finding]:
    """An exception from mutual TLS has a day on which it ends. (Whether that day has passed is for the gate.)"""
    for name, application in world.applications.items():
        if application.mutual_tls is not None:
            yield from _dated(("applications", name, "mutualTls"), application.mutual_tls)
    if world.platform is not None:
        for name, settings in world.platform.mesh.namespaces.items():
            if settings.mutual_tls is not None:
                yield from _dated(("platform", "mesh", "namespaces", name, "mutualTls"), settings.mutual_tls)


def _dated(place: Path, exception: MutualTlsException) -> Iterator[Finding]:
    weak = exception.mode != "STRICT" or any(mode != "STRICT" for mode in exception.ports.values())
    if weak and exception.until is None:
        yield Finding((*place, "until"), "is missing: an exception needs an end", "add until: with the day it ends")


def credentials_by_name(world: World) -> Iterator[Finding]:
    """Headers that carry credentials are not written here: a token is the name of a Secret (`token`)."""
    for path, _, entry in world.outbound():
        yield from _credentials((*path, "setHeaders"), entry.set_headers)
    for path, _, inbound in world.inbound():
        for number, route in enumerate(inbound.routes):
            yield from _credentials((*path, "routes", number, "setHeaders"), route.set_headers)
            for header in route.headers:
                if header in CREDENTIAL_HEADERS:
                    place = (*path, "routes", number, "headers", header)
                    yield Finding(
                        place, "a credential would stand here in clear", "let the application judge this header"
                    )
    for name, application in world.applications.items():
        for number, own in enumerate(application.routes):
            yield from _credentials(("applications", name, "routes", number, "headers"), own.headers)
            for header in own.match.headers:
                if header in CREDENTIAL_HEADERS:
                    place = ("applications", name, "routes", number, "match", "headers", header)
                    yield Finding(
                        place, "a credential would stand here in clear", "let the application judge this header"
                    )


def _credentials(place: Path, changes: HeaderChanges | None) -> Iterator[Finding]:
    for header in changes.set if changes is not None else ():
        if header in CREDENTIAL_HEADERS:
            reason = f"{header} carries a credential, which never stands in configuration"
            yield Finding((*place, "set", header), reason, "use token: {secret: …} with the name of its Secret")


def tokens(world: World) -> Iterator[Finding]:
    """A token's header is set by the token alone; its egress gateway reads the Secret, so it is deployed here."""
    for path, _, entry in world.outbound():
        if entry.token is None:
            continue
        platform = world.platform
        if platform is not None and (not platform.mesh.managed or platform.shared is not None):
            reason = "the egress gateway reads the token's Secret when it starts, and is not deployed by this stack"
            yield Finding((*path, "token"), reason, "keep the partner in the platform's stack, with mesh.managed: true")
        if entry.set_headers is None:
            continue
        header = entry.token.header
        if header in entry.set_headers.set or header in entry.set_headers.remove:
            yield Finding((*path, "setHeaders"), f"{header} is the token's header", "leave it to the token")


RULES: Final = {
    "client-certificate": certificate_with_mutual,
    "server-name": server_names,
    "mutual-tls-exception": dated_exceptions,
    "credential-header": credentials_by_name,
    "token-header": tokens,
}

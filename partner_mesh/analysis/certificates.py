"""Certificates against what they are used for: days left, names, chain, purpose, and the key by its fingerprint.

Everything here is public but the private key, of which only the public half is ever computed: no message holds key
material.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from partner_mesh.analysis.invariants.finding import Finding, Severity
from partner_mesh.analysis.registry import host_matches
from partner_mesh.model.record import dataclass

EXPIRY: Final = "PM040-certificate-expiry"
HOST: Final = "PM041-certificate-host"
CHAIN: Final = "PM042-certificate-chain"
PURPOSE: Final = "PM043-certificate-purpose"
KEY: Final = "PM044-certificate-key"
UNREADABLE: Final = "PM045-certificate-unreadable"
WARN_DAYS: Final = 30
FAIL_DAYS: Final = 7
TITLES: Final = {
    EXPIRY: "Certificates do not end unnoticed",
    HOST: "A certificate names the host that it is shown for",
    CHAIN: "A certificate's chain leads to its authority",
    PURPOSE: "Certificates of servers, clients and authorities are where each belongs",
    KEY: "A key belongs to its certificate",
    UNREADABLE: "Certificates can be read",
}

Key = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Declared:
    """A certificate of which only public facts are written down."""

    name: str
    not_after: date
    fingerprint: str = ""  # SHA-256, lower case hex


@dataclass(frozen=True, slots=True)
class Use:
    """What the objects do with a secret: the hosts that it is shown for, and the names its peers must have."""

    name: str
    role: str = ""  # "server" or "client"; "" where no object uses it
    hosts: tuple[str, ...] = ()  # a server's own hosts; a client's are not judged
    peers: tuple[str, ...] = ()  # subjectAltNames of those whom `ca` should have signed


@dataclass(frozen=True, slots=True)
class Bundle:
    """One secret: a chain with the leaf first, its key, and the authority of the peers. Each may be absent."""

    name: str
    chain: bytes = b""
    key: bytes = b""
    authority: bytes = b""


def declared(facts: Iterable[Declared], today: date) -> Iterator[Finding]:
    """Days left of certificates that are only written about."""
    for fact in facts:
        yield from _days(f"certificate {fact.name}", (fact.not_after - today).days, str(fact.not_after), "as declared")


def bundle(found: Bundle, use: Use, known: Sequence[Declared], now: datetime) -> Iterator[Finding]:
    """Everything about one secret."""
    where = f"certificate {found.name}"
    chain = list(_read(found.chain)) if found.chain else []
    authority = list(_read(found.authority)) if found.authority else []
    for part, text, read in (("tls.crt", found.chain, chain), ("ca.crt", found.authority, authority)):
        if text and not read:
            yield Finding(UNREADABLE, Severity.ERROR, where, f"{part} holds no PEM certificate", "deliver it as PEM")
    if chain:
        yield from _leaf(where, chain[0], use, now)
        yield from _linked(where, chain, now)
        yield from _declared(where, chain[0], [each for each in known if each.name == found.name])
    for index, each in enumerate(authority):
        yield from _authority(where, each, index, now)
    if authority and chain and use.role == "server":
        yield from _mixed_up(where, chain, authority, use)
    if found.key:
        yield from _matches(where, chain, found.key)


def _read(pem: bytes) -> Iterator[x509.Certificate]:
    try:
        yield from x509.load_pem_x509_certificates(pem)
    except ValueError:
        return


def _days(where: str, left: int, until: str, how: str) -> Iterator[Finding]:
    remedy = "renew it, deliver it to the secret and tell the partner"
    if left < 0:
        yield Finding(EXPIRY, Severity.ERROR, where, f"ended on {until} ({how})", remedy)
    elif left < FAIL_DAYS:
        yield Finding(EXPIRY, Severity.ERROR, where, f"ends on {until}, in {left} days ({how})", remedy)
    elif left < WARN_DAYS:
        yield Finding(EXPIRY, Severity.WARNING, where, f"ends on {until}, in {left} days ({how})", remedy)


def _lifetime(where: str, certificate: x509.Certificate, what: str, now: datetime) -> Iterator[Finding]:
    ends = certificate.not_valid_after_utc
    yield from _days(where, (ends - now).days, ends.date().isoformat(), what)
    if certificate.not_valid_before_utc > now:
        begins = certificate.not_valid_before_utc.date().isoformat()
        yield Finding(EXPIRY, Severity.ERROR, where, f"is not valid before {begins} ({what})", "wait, or reissue it")


def _leaf(where: str, leaf: x509.Certificate, use: Use, now: datetime) -> Iterator[Finding]:
    yield from _lifetime(where, leaf, "its certificate", now)
    if is_authority(leaf):
        yield Finding(PURPOSE, Severity.ERROR, where, "tls.crt is an authority's certificate, no server's or client's",
                      "put the authority into ca.crt and the leaf certificate into tls.crt")  # fmt: skip
    wanted = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}.get(use.role)
    usage = _usage(leaf)
    if wanted is not None and usage is not None and wanted not in usage:
        has = "clients" if ExtendedKeyUsageOID.CLIENT_AUTH in usage else "servers"
        yield Finding(PURPOSE, Severity.ERROR, where, f"is shown as a {use.role}'s and was issued for {has} only",
                      f"issue it with extendedKeyUsage {use.role}Auth")  # fmt: skip
    names = _names(leaf)
    for host in use.hosts if use.role == "server" else ():
        if not any(host_matches(name, host) and _one_label(name, host) for name in names):
            has = ", ".join(names) or "no name at all"
            yield Finding(HOST, Severity.ERROR, where, f"is served for {host} and names {has}",
                          f"issue it with the subject alternative name {host}")  # fmt: skip


def _one_label(name: str, host: str) -> bool:
    """A wildcard stands for one label (RFC 6125)."""
    return not name.startswith("*.") or name.count(".") == host.count(".")


def _linked(where: str, chain: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    """Each certificate is signed by the next."""
    for index, (lower, upper) in enumerate(pairwise(chain)):
        if not signed_by(lower, upper):
            yield Finding(CHAIN, Severity.ERROR, where, f"certificate {index + 1} of tls.crt is not signed by the next",
                          "put the leaf first, then each issuer after what it signed")  # fmt: skip
        yield from _lifetime(where, upper, f"certificate {index + 2} of its chain", now)


def _authority(where: str, certificate: x509.Certificate, index: int, now: datetime) -> Iterator[Finding]:
    yield from _lifetime(where, certificate, f"certificate {index + 1} of ca.crt", now)
    if not is_authority(certificate):
        yield Finding(PURPOSE, Severity.ERROR, where, "ca.crt holds a certificate that may not sign others (CA:FALSE)",
                      "put the authority's certificate there, not the partner's own")  # fmt: skip


def _mixed_up(
    where: str, chain: Sequence[x509.Certificate], authority: Sequence[x509.Certificate], use: Use
) -> Iterator[Finding]:
    """The CA that signed our server's certificate in the place of the one that signs partners' clients."""
    if any(each.subject == chain[0].issuer and signed_by(chain[0], each) for each in authority):
        whom = f" ({', '.join(use.peers)})" if use.peers else ""
        yield Finding(PURPOSE, Severity.WARNING, where,
                      f"ca.crt is the authority of our own server's certificate; is it also that of its clients{whom}?",
                      "put the authority of the partner's client certificates into ca.crt")  # fmt: skip


def _matches(where: str, chain: Sequence[x509.Certificate], key: bytes) -> Iterator[Finding]:
    """Compared by the fingerprint of the public halves; neither a key nor a part of one is ever shown."""
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        yield Finding(
            UNREADABLE,
            Severity.ERROR,
            where,
            "tls.key is no PEM key, or is encrypted",
            "deliver an unencrypted PEM key through the secret store",
        )
        return
    if not chain:
        return
    mine = _fingerprint(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    its = _fingerprint(chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if mine != its:
        reason = f"tls.key ({mine[:16]}…) is not the certificate's key ({its[:16]}…), by their public halves"
        yield Finding(KEY, Severity.ERROR, where, reason, "deliver the key that the certificate was issued for")


def _declared(where: str, leaf: x509.Certificate, known: Sequence[Declared]) -> Iterator[Finding]:
    shown = leaf.fingerprint(SHA256()).hex()
    for each in known:
        if each.fingerprint and each.fingerprint != shown:
            reason = f"has fingerprint {shown[:16]}…; {each.fingerprint[:16]}… is declared"
            remedy = "correct the partner's file, or deliver the certificate that was agreed on"
            yield Finding(KEY, Severity.WARNING, where, reason, remedy)
        if each.not_after != leaf.not_valid_after_utc.date():
            yield Finding(EXPIRY, Severity.WARNING, where,
                          f"ends on {leaf.not_valid_after_utc.date()}, and {each.not_after} is declared",
                          "correct notAfter in the partner's file")  # fmt: skip


def _fingerprint(data: bytes) -> str:
    digest = Hash(SHA256())
    digest.update(data)
    return digest.finalize().hex()


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others; a certificate without the extension may not."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def signed_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Whether `upper`'s key signed `lower`."""
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _usage(certificate: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))


def as_pem(certificates: Iterable[bytes]) -> bytes:
    """DER certificates, as a handshake shows them, as one PEM text."""
    return b"".join(x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM) for each in certificates)


def moment(today: date) -> datetime:
    """A day as a moment: its beginning in UTC."""
    return datetime(today.year, today.month, today.day, tzinfo=UTC)

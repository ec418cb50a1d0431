"""Certificates made on the spot, each with one fault: what is said of it, and that no key is ever shown."""

from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from partner_mesh.analysis import certificates
from partner_mesh.analysis.certificate_uses import uses
from partner_mesh.analysis.certificates import Bundle, Declared, Use, bundle, declared
from partner_mesh.analysis.invariants import Finding, Severity
from partner_mesh.analysis.resources import of_documents
from tests.analysis.partner_stack import documents

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
HOST = "acme.partners.example.com"


class Issuer:
    """An authority, and what it signs."""

    def __init__(self, name: str, days: int = 3650) -> None:
        self.key = generate_private_key(SECP256R1())
        self.certificate = self._made(name, self.key, name, self.key, days=days, authority=True)

    def leaf(
        self, key: EllipticCurvePrivateKey, *names: str, days: int = 365, usage: x509.ObjectIdentifier | None = SERVER
    ) -> bytes:
        made = self._made("leaf", key, "", self.key, names=names, days=days, usage=usage)
        return made.public_bytes(Encoding.PEM)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def _made(
        self,
        name: str,
        key: EllipticCurvePrivateKey,
        issuer: str,
        signer: EllipticCurvePrivateKey,
        *,
        names: tuple[str, ...] = (),
        days: int,
        authority: bool = False,
        usage: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = self.certificate.subject if not authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=4000))
            .not_valid_after(NOW + timedelta(days=days, hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
            )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(signer, SHA256())


OURS, THEIRS = Issuer("our CA"), Issuer("their CA")
KEY, OTHER_KEY = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
USE = Use("acme", "server", (HOST,), ("calls.acme.example",))


def pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def judged(found: Bundle, use: Use = USE, known: tuple[Declared, ...] = ()) -> list[Finding]:
    return list(bundle(found, use, known, NOW))


def test_a_good_secret_has_no_finding() -> None:
    chain = OURS.leaf(KEY, HOST) + OURS.pem
    assert judged(Bundle("acme", chain, pem(KEY), THEIRS.pem)) == []


@pytest.mark.parametrize(
    ("days", "severity"),
    [
        (-1, Severity.ERROR),
        (0, Severity.ERROR),
        (6, Severity.ERROR),
        (7, Severity.WARNING),
        (29, Severity.WARNING),
        (30, None),
    ],
)
def test_thirty_days_warn_and_seven_fail(days: int, severity: Severity | None) -> None:
    said = judged(Bundle("acme", OURS.leaf(KEY, HOST, days=days)))
    assert [each.severity for each in said] == ([] if severity is None else [severity])
    assert all(each.identifier == certificates.EXPIRY for each in said)
    facts = [Declared("acme", NOW.date() + timedelta(days=days))]
    assert [each.severity for each in declared(facts, NOW.date())] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("found", "use", "identifier", "words"),
    [
        (
            Bundle("acme", OURS.leaf(KEY, "other.example")),
            USE,
            certificates.HOST,
            f"is served for {HOST} and names other",
        ),
        (Bundle("acme", OURS.leaf(KEY, "*.example.com")), USE, certificates.HOST, "names *.example.com"),
        (Bundle("acme", OURS.leaf(KEY)), USE, certificates.HOST, "names no name at all"),
        (Bundle("acme", OURS.leaf(KEY, HOST) + THEIRS.pem), USE, certificates.CHAIN, "not signed by the next"),
        (Bundle("acme", OURS.leaf(KEY, HOST, usage=CLIENT)), USE, certificates.PURPOSE, "issued for clients only"),
        (
            Bundle("acme", OURS.leaf(KEY, usage=SERVER)),
            Use("acme", "client"),
            certificates.PURPOSE,
            "issued for servers only",
        ),
        (Bundle("acme", OURS.pem), USE, certificates.PURPOSE, "an authority's certificate"),
        (Bundle("acme", authority=OURS.leaf(KEY, HOST)), USE, certificates.PURPOSE, "may not sign others"),
        (Bundle("acme", OURS.leaf(KEY, HOST), authority=OURS.pem), USE, certificates.PURPOSE, "our own server's"),
        (Bundle("acme", OURS.leaf(KEY, HOST), pem(OTHER_KEY)), USE, certificates.KEY, "is not the certificate's key"),
        (Bundle("acme", OURS.leaf(KEY, HOST), b"nothing"), USE, certificates.UNREADABLE, "tls.key is no PEM key"),
        (Bundle("acme", b"nothing"), USE, certificates.UNREADABLE, "tls.crt holds no PEM certificate"),
    ],
)
def test_each_fault_is_named(found: Bundle, use: Use, identifier: str, words: str) -> None:
    said = [each for each in judged(found, use) if each.identifier == identifier and words in each.reason]
    assert said, judged(found, use)
    assert all(each.remedy for each in said)


def test_no_message_holds_a_part_of_a_key() -> None:
    secret = pem(OTHER_KEY).decode().splitlines()[1:-1]
    for each in judged(Bundle("acme", OURS.leaf(KEY, HOST), pem(OTHER_KEY))):
        assert not any(line in f"{each}" for line in secret)


def test_what_a_partners_file_declares_is_compared() -> None:
    leaf = OURS.leaf(KEY, HOST)
    said = judged(Bundle("acme", leaf), known=(Declared("acme", date(2030, 1, 1), "0" * 64),))
    assert {each.identifier for each in said} == {certificates.KEY, certificates.EXPIRY}
    shown = x509.load_pem_x509_certificate(leaf)
    right = Declared("acme", shown.not_valid_after_utc.date(), shown.fingerprint(SHA256()).hex())
    assert judged(Bundle("acme", leaf), known=(right,)) == []


def test_the_objects_say_what_a_secret_is_used_for() -> None:
    found = uses(of_documents(documents(1)))
    assert found["p0-server"] == Use("p0-server", "server", ("p0.partners.example.com",), ("calls.p0.example",))
    assert found["p0-client"].role == "client"

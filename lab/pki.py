"""Certificate authorities of the lab: the cluster's, the partners', the public ones, and those of intruders.

Everything is made afresh in memory for one lab and lives a day; nothing here is a secret of anybody.
"""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY: Final = datetime.timedelta(days=1)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key, and the chain up to but without the root, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """`name.crt` and `name.key` in a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        key.chmod(0o600)
        return certificate, key

    def load(self, context: ssl.SSLContext) -> None:
        """Into a TLS context; the ssl module reads files only."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.certificate + self.key)
            file.flush()
            context.load_cert_chain(file.name)


@dataclass(frozen=True, slots=True)
class Authority:
    """A root that signs."""

    name: str
    certificate: bytes = field(repr=False)
    _certificate: x509.Certificate = field(repr=False)
    _key: Key = field(repr=False)

    @classmethod
    def create(cls, name: str) -> "Authority":
        """A new self-signed root with that common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name, None)
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            _unsigned(subject, subject, key, now - DAY, now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(name, certificate.public_bytes(serialization.Encoding.PEM), certificate, key)

    @classmethod
    def of(cls, name: str, certificate: bytes, key: bytes) -> "Authority":
        """One that exists, from PEM."""
        loaded = serialization.load_pem_private_key(key, None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError(f"{name}: a key of a kind that signs no certificates")
        return cls(name, certificate, x509.load_pem_x509_certificate(certificate), loaded)

    def issue(
        self,
        common_name: str,
        names: Sequence[str] = (),
        *,
        organization: str | None = None,
        ends: datetime.timedelta = DAY,
    ) -> Pair:
        """A certificate for client and server use. `names`: DNS names, addresses or URIs. Negative `ends`: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        draft = (
            _unsigned(_subject(common_name, organization), self._certificate.subject, key, now - 3 * DAY, now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(self._identifier(), critical=False)
        )
        if names:
            draft = draft.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        signed = draft.sign(self._key, hashes.SHA256())
        return Pair(signed.public_bytes(serialization.Encoding.PEM), _pem(key))

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        """As the root writes it: Go makes its own from another hash than RFC 5280's first method."""
        found = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def signing_key() -> tuple[bytes, bytes]:
    """An RSA key pair as PEM, private and public: what signs service account tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _pem(key), public


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: Key, begins: datetime.datetime, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

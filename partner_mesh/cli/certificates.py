"""Certificates from a folder, as secrets hold them, or from a live endpoint."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from partner_mesh.analysis.certificates import Bundle, Use, as_pem
from partner_mesh.cli.options import Refusal

TIMEOUT: Final = 10.0  # seconds
_PARTS: Final = {"tls.crt": "chain", "tls.key": "key", "ca.crt": "authority"}
_ENDINGS: Final = {".crt": "chain", ".pem": "chain", ".cer": "chain", ".key": "key"}


class CertificateError(Refusal):
    """Certificates cannot be had; the text says from where and why."""


def of_folder(folder: Path) -> Iterator[Bundle]:
    """One bundle a folder `NAME/` with tls.crt, tls.key, ca.crt, as a Secret NAME holds them.

    Files NAME.crt, NAME.key and NAME-ca.crt side by side will do too. Raises CertificateError where there is none.
    """
    if not folder.is_dir():
        raise CertificateError(f"{folder}: no such folder")
    parts: dict[str, dict[str, bytes]] = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        if file.name in _PARTS:
            name = file.parent.name if file.parent != folder else folder.name
            parts.setdefault(name, {})[_PARTS[file.name]] = file.read_bytes()
        elif file.suffix in _ENDINGS:
            authority = file.stem.endswith(("-ca", "-cacert")) and file.suffix != ".key"
            name = file.stem.removesuffix("-cacert").removesuffix("-ca") if authority else file.stem
            parts.setdefault(name, {})["authority" if authority else _ENDINGS[file.suffix]] = file.read_bytes()
    if not parts:
        raise CertificateError(f"{folder}: no certificate: NAME/tls.crt, NAME/tls.key, NAME/ca.crt, or NAME.crt")
    for name, found in parts.items():
        yield Bundle(name, found.get("chain", b""), found.get("key", b""), found.get("authority", b""))


def of_endpoint(endpoint: str) -> tuple[Bundle, Use]:
    """What a server shows on `HOST[:PORT]`, taken without trusting it. Raises CertificateError."""
    host, _, written = endpoint.rpartition(":") if ":" in endpoint.strip("[]") else (endpoint, "", "443")
    host = host.strip("[]")
    if not host or not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise CertificateError(f"--live {endpoint}: write HOST or HOST:PORT")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is to be judged here, and nothing is sent
    try:
        with (
            socket.create_connection((host, int(written)), timeout=TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            chain = _shown(secured)
    except (OSError, ValueError) as error:
        raise CertificateError(f"--live {endpoint}: {error}") from None
    return Bundle(endpoint, as_pem(chain)), Use(endpoint, "server", (host,))


def _shown(secured: ssl.SSLSocket) -> list[bytes]:
    """The chain as DER, leaf first. Only Python 3.13 has it in public; before, the inner object does."""
    inner: Any = getattr(secured, "_sslobj", None)
    with contextlib.suppress(AttributeError, TypeError):
        found = [each if isinstance(each, bytes) else each.public_bytes(2) for each in inner.get_unverified_chain()]
        if found:
            return found
    leaf = secured.getpeercert(binary_form=True)
    return [leaf] if leaf else []

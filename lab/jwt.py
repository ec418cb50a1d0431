"""End users' tokens (RFC 7519, RS256) and the key sets (RFC 7517) by which they are checked."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody who signs tokens, with a key made for one lab."""

    _key: rsa.RSAPrivateKey

    @classmethod
    def create(cls) -> "Issuer":
        """With a new key."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def signed(self, issuer: str, audiences: Sequence[str], claims: Mapping[str, Any], seconds: int) -> str:
        """A token that ends in so many seconds; negative: that ended."""
        now = int(time.time())
        body = {"iss": issuer, "sub": "lab", "aud": list(audiences), "iat": now - 3600, "exp": now + seconds, **claims}
        parts = b".".join(_encoded(json.dumps(each).encode()) for each in ({"alg": "RS256", "kid": "lab"}, body))
        signature = self._key.sign(parts, padding.PKCS1v15(), hashes.SHA256())
        return (parts + b"." + _encoded(signature)).decode()

    def jwks(self) -> bytes:
        """The key set to publish."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": "lab",
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }
        return json.dumps({"keys": [key]}).encode()


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()

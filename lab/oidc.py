"""An issuer that signs users in: as much of OpenID Connect as a relying party needs (authorization code with PKCE).

Whom it signs in the request says (`login_hint`): the person and the password are not what is tried here. A code is good
once, for the client, the address and the verifier that it was asked with (RFC 6749, RFC 7636).
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from lab import http
from lab.jwt import Issuer
from lab.servers import Answer

SECONDS: Final = 300  # that a token is good


@dataclass(slots=True)
class Provider:
    """One issuer with one client; `users` have claims by name."""

    issuer: str
    key: Issuer
    client: str
    secret: str
    users: Mapping[str, Mapping[str, Any]]
    _codes: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)  # code -> user, what was asked

    @property
    def host(self) -> str:
        """Where it is reached."""
        return urlsplit(self.issuer).hostname or self.issuer

    def __call__(self, request: http.Message) -> Answer | None:
        """Its pages; None for others."""
        method, target, _ = request.start
        url = urlsplit(target)
        match method, url.path:
            case "GET", "/.well-known/openid-configuration":
                return _json(200, self._discovery())
            case "GET", "/authorize":
                return self._authorized(dict(parse_qsl(url.query)))
            case "POST", "/token":
                return self._token(dict(parse_qsl(request.body.decode())), request.headers.get("authorization", ""))
        return None

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorized(self, asked: Mapping[str, str]) -> Answer:
        user = asked.get("login_hint", "")
        if asked.get("client_id") != self.client or user not in self.users:
            return _json(400, {"error": "unauthorized_client"})
        code = secrets.token_urlsafe(16)
        self._codes[code] = user, asked
        back = urlencode({"code": code, "state": asked.get("state", "")})
        return 302, [("location", f"{asked.get('redirect_uri', '')}?{back}")], b""

    def _token(self, form: Mapping[str, str], authorization: str) -> Answer:
        user, asked = self._codes.pop(form.get("code", ""), ("", {}))
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        right = (asked.get("code_challenge"), asked.get("redirect_uri")) == (challenge, form.get("redirect_uri"))
        if not user or not right or self._shown(form, authorization) != (self.client, self.secret):
            return _json(400, {"error": "invalid_grant"})
        claims = {"sub": user, "email": f"{user}@example.com", "email_verified": True, **self.users[user]}
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        token = self.key.signed(self.issuer, [self.client], claims, SECONDS)
        answer = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": SECONDS}
        return _json(200, answer | {"id_token": token})

    @staticmethod
    def _shown(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
        """The client's name and secret, in either of the two places where it may write them."""
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic":
            name, _, secret = base64.b64decode(value).decode().partition(":")
            return unquote(name), unquote(secret)
        return form.get("client_id", ""), form.get("client_secret", "")


def _json(status: int, value: Mapping[str, Any]) -> Answer:
    return status, [("content-type", "application/json")], json.dumps(value).encode()

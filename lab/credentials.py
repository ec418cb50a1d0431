"""The Secrets that an external store would deliver, and the certificates of everybody who takes part in the lab.

For each credential that a Gateway server names: our server certificate and, for MUTUAL, the partner's root that signs
client certificates. For each that a DestinationRule names: our client certificate and the partner's server root. Hosts
with TLS but no credential of their own are signed by the public root, which stands in for the system's bundle.
"""

import base64
import datetime
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lab import client
from lab.jwt import Issuer
from lab.pki import Authority, Pair
from lab.probe import ClientCertificate, Token
from lab.servers import record_server_name
from lab.world import Remote, Server, World

PUBLIC: Final = "public"
OURS: Final = "our-clients"
FORGER: Final = "nobody's issuer"
WEEK: Final = datetime.timedelta(days=2)


@dataclass(slots=True)
class Credentials:
    """Authorities by name, made when first asked for; a credential's authority is `<namespace>/<secret>`."""

    authorities: dict[str, Authority] = field(default_factory=dict)
    _contexts: dict[tuple[ClientCertificate | None, client.Alpn], ssl.SSLContext] = field(default_factory=dict)
    _issuers: dict[str, Issuer] = field(default_factory=dict)

    def authority(self, name: str) -> Authority:
        """The one of that name."""
        if name not in self.authorities:
            self.authorities[name] = Authority.create(f"Lab {name}")
        return self.authorities[name]

    def issuer(self, name: str) -> Issuer:
        """Who signs end users' tokens under that name."""
        if name not in self._issuers:
            self._issuers[name] = Issuer.create()
        return self._issuers[name]

    def signed(self, token: Token) -> str:
        """A token as a request carries it."""
        signer = self.issuer(FORGER if token.forged else token.issuer)
        return signer.signed(token.issuer, token.audiences, token.claims, -600 if token.expired else 3600)

    def client_context(self, certificate: ClientCertificate | None, alpn: client.Alpn) -> ssl.SSLContext:
        """A client's TLS context with that certificate."""
        if (certificate, alpn) not in self._contexts:
            pair = None if certificate is None else self.pair(certificate)
            self._contexts[certificate, alpn] = client.context(pair, alpn)
        return self._contexts[certificate, alpn]

    def pair(self, certificate: ClientCertificate) -> Pair:
        """A certificate as described."""
        ends = -datetime.timedelta(days=1) if certificate.expired else WEEK
        return self.authority(certificate.authority).issue("lab client", certificate.names, ends=ends)

    def client_secret(self, namespace: str, name: str, certificate: ClientCertificate) -> dict[str, Any]:
        """A Secret by which a proxy shows that certificate, to servers that the public root has signed."""
        return _secret(namespace, name, self.pair(certificate), self.authority(PUBLIC))

    def secrets(self, world: World) -> Iterator[dict[str, Any]]:
        """Every Secret that the world's gateways need, one each."""
        sharing: dict[tuple[str, str], list[Server]] = {}
        for server in world.servers:
            if server.credential is not None:
                sharing.setdefault((server.namespace, server.credential), []).append(server)
        for (place, credential), servers in sharing.items():
            names = list(dict.fromkeys(h for s in servers for h in s.hosts if h != "*")) or sorted(world.hosts)
            pair = self.authority(PUBLIC).issue(names[0] if names else "lab", names or ["lab.invalid"])
            root = self.authority(f"{place}/{credential}") if servers[0].mode in MUTUAL else None
            yield _secret(place, credential, pair, root)
        done = set(sharing)
        for remote in world.remotes.values():
            for settings in remote.tls.values():
                name, namespace = settings.get("credentialName"), remote.credential_namespace
                if name is None or namespace is None or (namespace, name) in done:
                    continue
                done.add((namespace, name))
                pair = self.authority(OURS).issue(name, [f"{name}.clients.invalid"])
                yield _secret(namespace, name, pair, self.authority(f"{namespace}/{name}"))

        for (namespace, name), keys in _asked(world).items():
            values = {key: base64.b64encode(token(name).encode()).decode() for key in keys}
            metadata = {"name": name, "namespace": namespace}
            yield {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": values}

    def remote_context(self, remote: Remote, port: int) -> ssl.SSLContext:
        """What a partner's server shows and asks for: our client certificate where our rule says MUTUAL."""
        settings = remote.tls.get(port, {})
        credential = settings.get("credentialName")
        root = self.authority(f"{remote.credential_namespace}/{credential}" if credential else PUBLIC)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2", "http/1.1"])
        root.issue(remote.host, list(settings.get("subjectAltNames", ())) or [remote.host]).load(context)
        if settings.get("mode") == "MUTUAL":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.authority(OURS).certificate.decode())
        record_server_name(context)
        return context


def token(secret: str) -> str:
    """What the Secret of a partner's token holds in the lab."""
    return f"lab-value-of-{secret}"


def _asked(world: World) -> dict[tuple[str, str], dict[str, None]]:
    """Secrets that pods take into their environment: namespace and name → keys."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for workload in world.workloads.values():
        for container in workload.template["spec"].get("containers", ()):
            for variable in container.get("env") or ():
                if (reference := variable.get("valueFrom", {}).get("secretKeyRef")) is not None:
                    found.setdefault((workload.namespace, reference["name"]), {})[reference["key"]] = None
    return found


MUTUAL: Final = frozenset({"MUTUAL", "OPTIONAL_MUTUAL"})


def _secret(namespace: str, name: str, pair: Pair, root: Authority | None) -> dict[str, Any]:
    data = {"tls.crt": pair.certificate, "tls.key": pair.key}
    if root is not None:
        data["ca.crt"] = root.certificate
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }

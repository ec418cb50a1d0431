"""ExternalSecrets: certificates and tokens come from AWS Secrets Manager straight into a gateway's namespace.

One Secret an entry, named as the entry's other objects, put together of the named parts: our server certificate
belongs to a gateway and the client CA to a partner, but Istio reads both from one Secret (`GetCaCert`,
pilot/pkg/credentials/kube/secrets.go). A part in the store is one entry `<prefix><name>` whose value is a JSON object
with the keys `tls.crt`, `tls.key`, `ca.crt`, `ca.crl` as far as it has them. With `secrets.store: none` the Secret of
that name and with those keys is there already:

| Secret | namespace | keys |
|---|---|---|
| `<partner>-<label>` of an inbound entry | `istio-<gateway>` | tls.crt, tls.key, ca.crt; ca.crl when `crl` |
| `<partner>-<label>` of a mutual outbound entry | `istio-<egress>` | tls.crt, tls.key, ca.crt |
| `<partner>-<label>` of a simple outbound entry with `tls.ca` | `istio-<egress>` | ca.crt |
| `<partner>-<label>.token` | `istio-<egress>` | the token's `key` |
"""

from collections.abc import Mapping
from typing import Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest

API: Final = "external-secrets.io/v1"
STORE: Final = "aws-secrets-manager"  # a ClusterSecretStore


def external_secret(
    stack: Stack, name: str, namespace: str, labels: Mapping[str, str], keys: Mapping[str, tuple[str, str]]
) -> tuple[Manifest, ...]:
    """The Secret of an entry; nothing where the store is somebody else's.

    `keys` maps a key of the Secret to a name in the store and the property of its value.
    """
    secrets = stack.platform.secrets
    if secrets.store == "none":
        return ()
    prefix = secrets.prefix or f"{stack.platform.name}/"
    spec = {
        "refreshInterval": secrets.refresh,
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
        "target": {"name": name, "creationPolicy": "Owner"},
        "data": [
            {"secretKey": key, "remoteRef": {"key": f"{prefix}{remote}", "property": part}}
            for key, (remote, part) in keys.items()
        ],
    }
    return (Manifest(API, "ExternalSecret", name, namespace, dict(labels), body={"spec": spec}),)

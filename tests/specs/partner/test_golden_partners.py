"""Whole scenarios, one golden file each: what a person's few lines become."""

from collections.abc import Iterable
from typing import Any

import pytest

from partner_mesh.model import Manifest
from partner_mesh.model.serialize import dump_all
from partner_mesh.specs.alias import alias_objects
from partner_mesh.specs.inbound import partner_gateway_objects
from partner_mesh.specs.outbound import egress_gateway_objects
from partner_mesh.specs.partner import partner_objects
from partner_mesh.specs.shards import shards
from tests.golden import Golden
from tests.specs.partner.strategies import APPLICATIONS
from tests.specs.stacks import foreign, stack

CERTIFICATE = {"ca": "acme-ca", "subjectAltNames": ["client.acme.example"]}
ACME = {"name": "acme", "owner": "integrations@example.com"}
INBOUND = {"host": "acme.partners.example.com", "clientCertificate": CERTIFICATE, "sourceRanges": ["198.51.100.0/28"]}

SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "inbound-http": (
        {
            "inbound": INBOUND
            | {
                "routes": [
                    {"methods": ["POST"], "path": "/v1/callbacks/{*}", "to": "charging:http", "timeout": "5s"},
                    {"methods": ["POST"], "path": "/v1/refunds/{*}", "to": "charging:http", "retries": 0},
                    {
                        "path": "/v1/status/{**}",
                        "headers": {"x-api-version": "2"},
                        "to": "charging:http",
                        "version": "v2",
                        "rewrite": "/status/{**}",
                        "setHeaders": {"set": {"x-partner": "acme"}, "remove": ["x-debug"]},
                    },
                    {"methods": ["GET", "HEAD"], "path": "/catalogue", "to": "checkout:http"},
                ]
            }
        },
        {},
    ),
    "inbound-edge-without-calico": (
        {
            "inbound": INBOUND
            | {
                "enforceAt": "edge",
                "certificate": "acme-facing",
                "clientCertificate": CERTIFICATE | {"fingerprints": ["0" * 64], "crl": True},
                "tls": {"minVersion": "1.3", "cipherSuites": ["ECDHE-RSA-AES256-GCM-SHA384"]},
                "routes": [{"path": "/old/{*}", "rewrite": "/new/{*}", "to": "charging:http"}],
            }
        },
        {"calico": {"managed": False}},
    ),
    "inbound-grpc-from-anywhere": (
        {
            "inbound": {
                "host": "acme.partners.example.com",
                "protocol": "grpc",
                "clientCertificate": CERTIFICATE,
                "anySource": True,
                "routes": [{"path": "/acme.v1.Events/{*}", "to": "messaging:grpc"}],
            }
        },
        {},
    ),
    "limits": (
        {
            "inbound": INBOUND
            | {
                "rateLimit": {"requests": 100, "per": "1m", "burst": 150},
                "routes": [
                    {"path": "/v1/{*}", "to": "charging:http"},
                    {
                        "methods": ["POST"],
                        "path": "/bulk",
                        "rewrite": "/v1/bulk",
                        "headers": {"x-v": "2"},
                        "to": "charging:http",
                        "rateLimit": {"requests": 1},
                    },
                ],
            },
            "outbound": [
                {
                    "host": "api.acme.example",
                    "from": ["charging"],
                    "alias": {"host": "partners.internal", "port": 7090, "prefix": "/acme/"},
                    "rateLimit": {"requests": 5},
                }
            ],
        },
        {},
    ),
    "inbound-tcp": ({"inbound": INBOUND | {"protocol": "tcp", "routes": [{"to": "messaging:smpp"}]}}, {}),
    "outbound-mutual-with-alias": (
        {
            "outbound": [
                {
                    "host": "api.acme.example",
                    "from": ["charging", "messaging"],
                    "methods": ["POST"],
                    "paths": ["/gateway/{**}"],
                    "rewrite": "/api/v3/{**}",
                    "alias": {"host": "partners.internal", "port": 7090, "prefix": "/acme/"},
                    "tls": {"mode": "mutual", "certificate": "acme-client"},
                    "timeout": "8s",
                    "retries": {"attempts": 2, "on": ["connect-failure"]},
                    "circuitBreaker": {"maxConnections": 50, "consecutiveErrors": 3, "ejectFor": "10s"},
                    "setHeaders": {"set": {"x-client": "billing"}},
                    "token": {"secret": "acme-token"},
                }
            ]
        },
        {},
    ),
    "outbound-simple-secrets-elsewhere": (
        {"outbound": [{"host": "oauth2.googleapis.com", "from": ["checkout"], "paths": ["/token"]}]},
        foreign(),
    ),
    "outbound-grpc-private-ca": (
        {
            "outbound": [
                {
                    "host": "scoring.acme.example",
                    "from": ["charging"],
                    "protocol": "grpc",
                    "port": 8443,
                    "paths": ["/bureau.v2.Scoring/Lookup"],
                    "tls": {"mode": "mutual", "certificate": "acme-client", "ca": "acme-server-ca"},
                }
            ]
        },
        {},
    ),
    "outbound-tcp": (
        {
            "outbound": [
                {
                    "host": "smpp.acme.example",
                    "from": ["messaging"],
                    "protocol": "tcp",
                    "port": 3550,
                    "tls": {"mode": "mutual", "certificate": "acme-client"},
                }
            ]
        },
        {},
    ),
}


def text(manifests: Iterable[Manifest]) -> str:
    return dump_all(manifest.document() for manifest in manifests)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_partner_compiles_to(scenario: str, golden: Golden) -> None:
    partner, changes = SCENARIOS[scenario]
    configured = stack(applications=APPLICATIONS, partners=[ACME | partner], **changes)
    [only] = configured.partners
    golden(f"partner/{scenario}", text(partner_objects(configured, only, shards(configured))))


def test_gateways_before_any_partner(golden: Golden) -> None:
    """A partner gateway with and without policies of its own, and the egress gateway."""
    edge = ACME | {"inbound": INBOUND | {"enforceAt": "edge", "routes": [{"path": "/v1", "to": "charging:http"}]}}
    configured = stack(applications=APPLICATIONS, partners=[edge])
    found = [m for shard in shards(configured).gateways.values() for m in partner_gateway_objects(configured, shard)]
    golden("partner/gateways", text([*found, *egress_gateway_objects(configured, "egress")]))


def test_an_alias_in_a_namespace_names_no_partner(golden: Golden) -> None:
    partner, _ = SCENARIOS["outbound-mutual-with-alias"]
    configured = stack(applications=APPLICATIONS, partners=[ACME | partner])
    found = text(alias_objects(configured, "charging"))
    assert "acme" not in found
    golden("partner/alias", found)

"""A stack with N partners of the mix that a carrier-billing company has, for benchmarks and scale tests."""

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is measured of the analyser loads no configuration
    from partner_mesh.config.stack import Stack

PLATFORM: dict[str, Any] = {
    "name": "bench",
    "network": {"cidr": "10.40.0.0/16"},
    "cluster": {
        "kind": "eks",
        "version": "1.36",
        "nodeGroups": {
            "system": {"instances": ["m6i.large"], "size": {"min": 2, "max": 4}},
            "partners": {"instances": ["m6i.large"], "size": {"min": 2, "max": 6}, "dedicated": "partners"},
            "egress": {"instances": ["m6i.large"], "size": {"min": 2, "max": 4}, "dedicated": "egress"},
            "billing": {"instances": ["m6i.2xlarge"], "size": {"min": 2, "max": 12}, "dedicated": "billing"},
        },
    },
    "mesh": {"revision": "1-31-1"},
    "gateways": {
        "partners": {"direction": "ingress", "exposure": "partner", "certificate": "partners-server"},
        "egress": {"direction": "egress"},
    },
}
APPLICATIONS: dict[str, Any] = {
    "charging": {
        "namespace": "charging",
        "nodeGroup": "billing",
        "ports": {"http": 8080},
        "versions": {"v1": 90, "v2": 10},
    },
    "messaging": {"namespace": "messaging", "nodeGroup": "billing", "ports": {"http": 8080}, "callers": ["charging"]},
}


def two_way_partner(name: str, source_range: str) -> dict[str, Any]:
    """One carrier in both directions: what a partner file holds. Everything that differs comes from the arguments."""
    return {
        "name": name,
        "owner": "carriers@example.com",
        "inbound": {
            "host": f"{name}.partners.example.com",
            "name": "api",
            "clientCertificate": {"ca": f"{name}-ca", "subjectAltNames": [f"callbacks.{name}.example"]},
            "sourceRanges": [source_range],
            "routes": [
                {
                    "methods": ["POST"],
                    "path": "/v1/callbacks/{*}",
                    "to": "charging:http",
                    "timeout": "5s",
                    "retries": 2,
                },
                {
                    "methods": ["GET"],
                    "path": "/v1/status",
                    "headers": {"x-api-version": "2"},
                    "to": "charging:http",
                    "version": "v2",
                    "rewrite": "/status",
                },
            ],
        },
        "outbound": {
            "host": f"api.{name}.example",
            "from": ["charging"],
            "methods": ["POST"],
            "paths": ["/direct-billing/{**}"],
            "tls": {"mode": "mutual", "certificate": f"{name}-client"},
            "timeout": "10s",
            "retries": {"attempts": 2, "on": ["connect-failure"]},
            "circuitBreaker": {"maxConnections": 100, "consecutiveErrors": 5, "ejectFor": "30s"},
        },
    }


def names_and_ranges(count: int) -> Iterator[tuple[str, str]]:
    """Partner names and source ranges: one /29 each, none overlapping another."""
    blocks = ipaddress.ip_network("100.64.0.0/10").subnets(new_prefix=29)
    for number, block in zip(range(count), blocks, strict=False):
        yield f"carrier-{number:05d}", str(block)


def stack_of(partners: list[dict[str, Any]]) -> "Stack":
    """A stack with these partner files' contents."""
    from partner_mesh.config.stack import Stack

    return Stack.model_validate(
        {
            "name": "bench",
            "region": "eu-central-1",
            "platform": PLATFORM,
            "applications": APPLICATIONS,
            "partners": partners,
        }
    )


def stack(count: int) -> "Stack":
    """A stack of `count` two-way partners."""
    return stack_of([two_way_partner(name, source) for name, source in names_and_ranges(count)])

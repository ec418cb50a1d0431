"""Who can be played in a stack's lab, read off its documents: each partner at each of its hosts, with what it needs."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.probe import OUTSIDE, ClientCertificate, Probe
from lab.world import PARTNER_LABEL, World

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Player:
    """A partner's client, ready to call one host of ours."""

    partner: str
    host: str
    port: int
    certificate: ClientCertificate
    blocks: tuple[str, ...]  # where it calls from; empty: from anywhere
    raw: bool  # a TCP entry: no HTTP inside the TLS

    @property
    def gateway(self) -> str:
        """The namespace of the gateway that serves the host."""
        return self.certificate.authority.partition("/")[0]

    def address(self, stranger: str) -> str:
        """The first address it may call from; the stranger's where any may."""
        if not self.blocks:
            return stranger
        block = ipaddress.ip_network(self.blocks[0])
        return str(block.network_address if block.num_addresses == 1 else block[1])

    def probe(self, stranger: str, method: str = "GET", path: str = "/") -> Probe:
        """A request as this partner sends it."""
        return Probe(
            OUTSIDE, self.host, self.port, self.host, method, path, address=self.address(stranger),
            server_name=self.host, certificate=self.certificate, protocol="tcp" if self.raw else "http",
        )  # fmt: skip


def players(documents: Iterable[Document], world: World) -> list[Player]:
    """Every partner at every host that it calls, in the documents' order."""
    blocks = _blocks(documents)
    return [
        Player(
            server.partner, host, server.port,
            ClientCertificate(f"{server.namespace}/{server.credential}", server.names[:1]),
            blocks.get(server.partner, ()), raw=server.protocol in {"TLS", "TCP"},
        )
        for server in world.servers if server.mode == "MUTUAL"
        for host in server.hosts
    ]  # fmt: skip


def _blocks(documents: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """A partner's addresses: of its NetworkSets, else of its AuthorizationPolicies."""
    sets: dict[str, list[str]] = {}
    policies: dict[str, list[str]] = {}
    for document in documents:
        partner = document["metadata"].get("labels", {}).get(PARTNER_LABEL)
        if partner is None:
            continue
        if document["kind"] in {"NetworkSet", "GlobalNetworkSet"}:
            sets.setdefault(partner, []).extend(document.get("spec", {}).get("nets", ()))
        elif document["kind"] == "AuthorizationPolicy":
            policies.setdefault(partner, []).extend(_remote(document))
    return {name: tuple(dict.fromkeys(found)) for name, found in {**policies, **sets}.items()}


def _remote(policy: Document) -> Iterator[str]:
    for rule in policy.get("spec", {}).get("rules", ()):
        for each in rule.get("from", ()):
            yield from each.get("source", {}).get("remoteIpBlocks", ())

"""Who stands at the door of a gateway's server: its partner, another partner, an anonymous client, a web user."""

from collections.abc import Iterable

from partner_mesh.analysis.clients import Partners
from partner_mesh.analysis.gateways import GatewayProxy, Server
from partner_mesh.analysis.layers import MUTUAL_TLS, ROUTE, Because, Client, Opinion, Partner, Verdict
from partner_mesh.analysis.mesh import Mesh
from partner_mesh.analysis.peers import Peer, Token
from partner_mesh.analysis.rules import TCP
from partner_mesh.analysis.sets import AddressSet, atoms
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A client at the door of one server."""

    endpoint: Partner | Client
    peer: Peer
    handshake: Opinion | None = None  # what the server's TLS says of it; None where it asks for nothing


class Callers:
    """The clients of each server, and what its handshake says of them."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.partners = Partners(mesh.world)
        self._credentials: dict[int, dict[str, list[Server]]] = {}
        self._wild: dict[tuple[int, int], list[Server]] = {}
        self._stranger = self._stranger_addresses()

    def _stranger_addresses(self) -> AddressSet:
        """Addresses of somebody whom nothing names: outside every block that policies or partners write."""
        named = [each for each in self.mesh.authorizations.addresses if not each >= AddressSet.V4]
        left = AddressSet.ALL - AddressSet.union(named) - self.partners.all_addresses()
        # Where every IPv4 address is named (a partner from any source), a stranger comes from any of them: of the two
        # families it is the one that load balancers surely have.
        return left if left & AddressSet.V4 else left | AddressSet.V4

    def at(self, proxy: GatewayProxy, server: Server, host: str, cuts: list[AddressSet]) -> Iterable[Caller]:
        """Everybody who may knock for a host; partners in parts where one of the `cuts` tells addresses apart."""
        if server.tls in ("MUTUAL", "OPTIONAL_MUTUAL"):
            partner = self.partners.of(server)
            for part in atoms(cuts, partner.addresses):
                yield Caller(Partner(partner.name, part), Peer(None, part, part, foreign_certificate=True))
            for part in atoms(cuts, AddressSet.ALL - partner.addresses):
                elsewhere = Client("elsewhere", part, partner.name)
                yield Caller(elsewhere, Peer(None, part, part, foreign_certificate=True))
            yield self._other(proxy, server, host, partner)
        if server.tls == "MUTUAL":
            refusal = Opinion(
                MUTUAL_TLS, Verdict.DENIED, TCP, (server.because(MUTUAL_TLS, "asks for a client certificate"),)
            )
            yield Caller(Client("anonymous", self._stranger), self._outsider("none"), refusal)
            return
        yield Caller(Client("anonymous", self._stranger), self._outsider("none"))
        yield Caller(Client("user without token", self._stranger), self._outsider("none"))
        yield Caller(Client("user with token", self._stranger), self._outsider("valid"))

    def _outsider(self, token: Token) -> Peer:
        return Peer(None, self._stranger, self._stranger, token)

    def _other(self, proxy: GatewayProxy, server: Server, host: str, partner: Partner) -> Caller:
        """Another partner at this partner's host: by this server with its own certificate, or by the servers of
        others with this Host. One row stands for all of them.
        """
        addresses = AddressSet.ALL - partner.addresses or AddressSet.ALL
        client = Client("another partner", addresses, partner.name)
        peer = Peer(None, addresses, addresses, foreign_certificate=True)
        sharing = self._sharing(proxy, server)
        crossing = [each for each in self._wild_servers(proxy, server) if each.serves(host)]
        if sharing:
            names = ", ".join(sharing)
            reason = Because.of(
                MUTUAL_TLS, server.resource, f"trusts the same CA as {names}, and no name tells them apart"
            )
            return Caller(client, peer, Opinion(MUTUAL_TLS, Verdict.ALLOWED, TCP, (reason,)))
        if crossing:
            reason = crossing[0].because(ROUTE, f"also serves {host}: a request with another server's SNI gets in")
            return Caller(client, peer, Opinion(ROUTE, Verdict.ALLOWED, TCP, (reason,)))
        trusted = f"trusts only the CA in secret {server.credential}" if server.credential else "trusts only its own CA"
        refusals = (server.because(MUTUAL_TLS, trusted), Because(ROUTE, "no server of another host serves this one"))
        return Caller(client, peer, Opinion(MUTUAL_TLS, Verdict.DENIED, TCP, refusals))

    def _sharing(self, proxy: GatewayProxy, server: Server) -> list[str]:
        """Other partners whose certificates this server's CA may have signed, and whose names it does not exclude."""
        if not server.credential:
            return []
        found = []
        for each in self._by_credential(proxy).get(server.credential, ()):
            if each is server or self.partners.of(each).name == self.partners.of(server).name:
                continue
            if not server.names or not each.names or set(server.names) & set(each.names):
                found.append(self.partners.of(each).name)
        return found[:3]

    def _by_credential(self, proxy: GatewayProxy) -> dict[str, list[Server]]:
        index = self._credentials.get(id(proxy))
        if index is None:
            index = {}
            for each in proxy.servers:
                if each.tls in ("MUTUAL", "OPTIONAL_MUTUAL"):
                    index.setdefault(each.credential, []).append(each)
            self._credentials[id(proxy)] = index
        return index

    def _wild_servers(self, proxy: GatewayProxy, server: Server) -> list[Server]:
        """Servers on the same port that serve more than one exact host: those could serve a stranger's Host."""
        index = self._wild.get((id(proxy), server.port))
        if index is None:
            index = [
                each
                for each in proxy.on(server.port)
                if each.is_http and (len(each.hosts) > 1 or any("*" in host for _, host in each.hosts))
            ]
            self._wild[id(proxy), server.port] = index
        return [each for each in index if each is not server]

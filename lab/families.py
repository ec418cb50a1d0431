"""The four families of questions: partners, web users, workloads among themselves, and calls that leave."""

import ipaddress
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lab import inside, inward, outward, paths, traffic
from lab.inside import Balancer
from lab.players import Player, players
from lab.probe import ClientCertificate, Probe, Protocol
from lab.questions import Family
from lab.world import Remote, World, world
from partner_mesh.config.stack import Stack

Document = Mapping[str, Any]
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH")
VARIANTS: Final = (
    "{}/", "/{}", "{}?x=1", "{};x=1", "{}/..", "{}/%2e%2e/lab", "{}%20", "{}%2Flab", "{}/a/b", "{}x", "/lab{}", "{}//",
)  # fmt: skip
VERSIONS: Final[tuple[Mapping[str, str], ...]] = (
    {}, {"x-api-version": "1"}, {"x-api-version": "2"}, {"x-api-version": "3"},
)  # fmt: skip
NOBODY: Final = "nobody.example"


def families(stack: Stack, documents: Iterable[Document]) -> list[Family]:
    """Of a stack, with addresses and names as the lab hands them out."""
    listed = list(documents)
    cast = world(listed)
    return [
        Partners(stack, players(listed, cast), cast),
        Users(stack, traffic.balancers(listed, cast), cast),
        Workloads(stack, cast),
        Calls(stack, cast),
    ]


class _Changing(Family):
    """A family whose changes are a table: each takes a probe and returns another."""

    changes: Sequence[Callable[[Probe, random.Random], Probe]] = ()

    def changed(self, probe: Probe, chance: random.Random) -> Probe:
        """One of them."""
        return chance.choice(self.changes)(probe, chance)


class Partners(_Changing):
    """Server name × Host × certificate × address × method × path × headers."""

    name = "partner"

    def __init__(self, stack: Stack, callers: Sequence[Player], cast: World) -> None:
        self.raw = {player.host for player in callers if player.raw}
        self.right = [s.probe for s in inward.scenarios(stack, callers, cast.stranger) if s.kind == "inward"]
        web = [host for server in cast.servers if server.mode == "SIMPLE" for host in server.hosts]
        names = [*(player.host for player in callers), NOBODY, ""]
        hosts = [*(p.host for p in callers if not p.raw), *web[:1], NOBODY]
        certificates = _certificates(callers)
        addresses = [*_addresses(callers), cast.stranger]
        known = _paths(route.path for p in stack.partners for i in p.inbound for route in i.routes)
        headers = [*VERSIONS, {"x-forwarded-for": addresses[0]}]
        self.dimensions = (names, hosts, certificates, addresses, METHODS, known, headers)
        self.changes = (
            lambda probe, chance: self._named(probe, chance.choice(names)),
            lambda probe, chance: replace(probe, host=chance.choice(hosts)),
            lambda probe, chance: replace(probe, certificate=chance.choice(certificates)),
            lambda probe, chance: replace(probe, address=chance.choice(addresses)),
            lambda probe, chance: replace(probe, method=chance.choice(METHODS)),
            lambda probe, chance: replace(probe, path=chance.choice(VARIANTS).format(probe.path)),
            lambda probe, chance: replace(probe, headers=chance.choice(headers)),
        )

    def probe(self, row: Sequence[Any]) -> Probe:
        """Any row means something."""
        name, host, certificate, address, method, path, headers = row
        base = replace(self.right[0], certificate=certificate, address=address, method=method, path=path)
        return self._named(replace(base, host=host, headers=headers), name)

    def _named(self, probe: Probe, name: str) -> Probe:
        protocol: Protocol = "tcp" if name in self.raw else "http"
        to = name if name and name != NOBODY else self.right[0].to
        return replace(probe, server_name=name, to=to, protocol=protocol)


class Users(_Changing):
    """Host × token × method × path × who connects."""

    name = "web"

    def __init__(self, stack: Stack, balancers: Mapping[str, Balancer], cast: World) -> None:
        found = [s.probe for s in inside.web(stack, balancers, cast.stranger) if s.kind in {"web", "web token"}]
        self.right = found
        tokens = list({repr(probe.token): probe.token for probe in found}.values())
        hosts = [*dict.fromkeys(probe.host for probe in found), NOBODY]
        addresses = [*dict.fromkeys(probe.address for probe in found), cast.stranger]
        known = _paths(route.path for a in stack.applications.values() for route in a.web)
        self.dimensions = (hosts, tokens, METHODS, known, addresses) if found else ()
        self.changes = (
            lambda probe, chance: replace(probe, host=chance.choice(hosts)),
            lambda probe, chance: replace(probe, token=chance.choice(tokens)),
            lambda probe, chance: replace(probe, method=chance.choice(METHODS)),
            lambda probe, chance: replace(probe, path=chance.choice(VARIANTS).format(probe.path)),
            lambda probe, chance: replace(probe, address=chance.choice(addresses)),
        )

    def probe(self, row: Sequence[Any]) -> Probe:
        """Any row means something."""
        host, token, method, path, address = row
        return replace(self.right[0], host=host, token=token, method=method, path=path, address=address)


class Workloads(_Changing):
    """Workload × destination and port × method × path; a destination is a Service or a pod's own address."""

    name = "mesh"

    def __init__(self, stack: Stack, cast: World) -> None:
        self.right = [s.probe for s in inside.callers(stack, None) if s.kind == "mesh callers"]
        sources = [pod for name in stack.applications for pod in inward.versions(stack, name)]
        sources += [
            key for key, pod in cast.workloads.items() if pod.labels.get("app.kubernetes.io/name") == "prometheus"
        ]
        targets = list(_destinations(stack))
        known = _paths(path for a in stack.applications.values() for caller in a.callers for path in caller.paths)
        self.dimensions = (sources, targets, METHODS, known)
        self.changes = (
            lambda probe, chance: replace(probe, source=chance.choice(sources)),
            lambda probe, chance: replace(probe, method=chance.choice(METHODS)),
            lambda probe, chance: replace(probe, path=chance.choice([*known, probe.path + "/x"])),
            lambda probe, chance: _towards(probe, chance.choice(targets)),
        )

    def probe(self, row: Sequence[Any]) -> Probe | None:
        """A workload does not call itself."""
        source, target, method, path = row
        probe = _towards(Probe(source, "", 0, "", method, path), target)
        return None if _to_itself(probe) else probe

    def changed(self, probe: Probe, chance: random.Random) -> Probe:
        """One of them that does not make it call itself."""
        while _to_itself(changed := super().changed(probe, chance)):
            pass
        return changed


class Calls(_Changing):
    """Workload × host outside × method × path, by its own name or by the alias."""

    name = "outward"

    def __init__(self, stack: Stack, cast: World) -> None:
        kinds = {"outward", "alias"}
        self.right = [s.probe for s in outward.scenarios(stack, cast.remotes) if s.kind in kinds]
        sources = [inward.versions(stack, name)[0] for name in stack.applications]
        known = _paths(path for p in stack.partners for o in p.outbound for path in o.paths)
        straight = [_straight(p) for p in self.right if p.port == outward.CAPTURED_PORT and _open(cast.remotes[p.to])]
        self.dimensions = (sources, [*self.right, *straight], METHODS, known)
        self.changes = (
            lambda probe, chance: replace(probe, source=chance.choice(sources)),
            lambda probe, chance: replace(probe, method=chance.choice(METHODS)),
            lambda probe, chance: replace(probe, path=chance.choice(known)),
            lambda probe, chance: replace(probe, path=chance.choice(VARIANTS).format(probe.path)),
        )

    def probe(self, row: Sequence[Any]) -> Probe:
        """A right call by another workload, with another method and path."""
        source, right, method, path = row
        call: Probe = right
        return replace(call, source=source, method=method, path=path)


def _to_itself(probe: Probe) -> bool:
    """Whether a pod calls itself, or the Service that it stands behind."""
    name, service = probe.source.rpartition("/")[2], probe.to.partition(".")[0]
    return probe.source == probe.to or name == service or name.startswith(f"{service}-")


def _open(remote: Remote) -> bool:
    """Whether a partner's host takes callers without a client certificate: else it would refuse what we let out."""
    return all(settings.get("mode") != "MUTUAL" for settings in remote.tls.values())


def _straight(probe: Probe) -> Probe:
    """The same call in the application's own TLS, around the egress gateway."""
    return replace(probe, port=443, server_name=probe.host)


def _certificates(callers: Sequence[Player]) -> list[ClientCertificate | None]:
    """Each partner's, and of the first all that is wrong with one."""
    own = [player.certificate for player in callers]
    bad = [
        wrong
        for each in own[:1]
        for wrong in (
            ClientCertificate("a stranger", each.names),
            replace(each, expired=True),
            replace(each, names=("someone.else.example",)),
        )
    ]
    return [*own, None, *bad]


def _addresses(callers: Sequence[Player]) -> list[str]:
    """The edges of every block, and the first address beyond each."""
    found = []
    for block in dict.fromkeys(block for player in callers for block in player.blocks):
        net = ipaddress.IPv4Network(block)
        found += [str(net[0]), str(net[-1]), str(net[-1] + 1)]
    return list(dict.fromkeys(found))


def _paths(templates: Iterable[str | None]) -> list[str]:
    """One that each template matches, and some that none does."""
    known = list(dict.fromkeys(template for template in templates if template is not None))
    return [*dict.fromkeys([*(paths.sample(t) for t in known), *paths.strange(known)[:8], "/"])]


def _destinations(stack: Stack) -> Iterable[tuple[str, str, int, Protocol]]:
    """Where to, what the request calls it, port, protocol; by a pod's own address the Host is still its Service's."""
    protocols: Mapping[str, Protocol] = {"tcp": "tcp", "tls": "tcp", "grpc": "h2", "http2": "h2"}
    for name, application in stack.applications.items():
        for port in application.ports.values():
            protocol = protocols.get(port.protocol, "http")
            service = f"{name}.{application.namespace}"
            yield service, service, port.port, protocol
            yield inward.versions(stack, name)[0], service, port.target, protocol


def _towards(probe: Probe, target: tuple[str, str, int, Protocol]) -> Probe:
    to, host, port, protocol = target
    headers = {"content-type": "application/grpc"} if protocol == "h2" else {}
    return replace(probe, to=to, port=port, host=host, protocol=protocol, headers=headers)

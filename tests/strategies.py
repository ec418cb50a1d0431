"""Hypothesis strategies for whole stacks, valid by construction: both directions, several applications, web routes.

`configurations()` gives the sections as a person would write them; `stacks()` the Stack that the loader makes of them,
so that whoever tests with it also tests that the rules refuse nothing that is right.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from partner_mesh.config.loader import load_values
from partner_mesh.config.stack import Stack

Section = dict[str, Any]

APPLICATIONS: Final = ("charging", "checkout", "fraud", "ledger", "messaging")
PARTNERS: Final = ("acme-mobile", "globex", "initech", "payline", "stark-wireless")
METHODS: Final = ("GET", "POST", "PUT", "DELETE")
PATHS: Final = ("/v1/status", "/v1/callbacks/{*}", "/v2/{**}", "/a/{*}/b", "/a/{*}/b/{**}", "/x/")
REWRITES: Final[Mapping[str, tuple[str | None, ...]]] = {
    "/v1/status": (None, "/status"),
    "/v1/callbacks/{*}": (None, "/hooks/{*}", "/hooks"),
    "/v2/{**}": (None, "/{**}", "/inner/v2/{**}"),
    "/a/{*}/b": (None, "/b/{*}"),
    "/a/{*}/b/{**}": (None, "/c/{*}/{**}"),
    "/x/": (None,),
}
BLOCKS: Final = ("198.51.100.0/28", "198.51.100.64/27", "203.0.113.7/32", "192.0.2.0/25", "2001:db8:1::/48")
HEADERS: Final[tuple[tuple[Section, ...], ...]] = (
    ({},),
    ({"x-api-version": "2"},),
    ({"x-api-version": "2"}, {}),
    ({"x-api-version": "1"}, {"x-api-version": "2"}),
)
DURATIONS: Final = ("500ms", "5s", "1m30s")

_PORTS: Final[tuple[Section, ...]] = (
    {"http": 8080},
    {"http": {"port": 80, "targetPort": 8080}},
    {"grpc": {"port": 9090, "protocol": "grpc"}, "http": 8080},
    {"http": 8080, "smpp": {"port": 2775, "protocol": "tcp"}},
)

methods = st.lists(st.sampled_from(METHODS), unique=True, max_size=2)
paths = st.sampled_from(PATHS)
retries: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 3), st.fixed_dictionaries({"attempts": st.integers(1, 3), "on": st.just(["connect-failure", "5xx"])})
)


def _without_empty(section: Section) -> Section:
    """A section without the keys that were drawn as nothing: as a person leaves them away."""
    return {key: value for key, value in section.items() if value is not None and value not in ([], {})}


def protocol(ports: Section, port: str) -> str:
    """What a declared port speaks."""
    declared = ports[port]
    return str(declared.get("protocol", "http")) if isinstance(declared, dict) else "http"


@st.composite
def callers(draw: st.DrawFn, name: str, names: tuple[str, ...], ports: Section) -> list[Any]:
    """Some of the other applications, whole or narrowed to ports, methods and paths."""
    others = [other for other in names if other != name]
    chosen = draw(st.lists(st.sampled_from(others), unique=True, max_size=3)) if others else []
    found: list[Any] = []
    for other in chosen:
        port = draw(st.sampled_from([None, *ports]))
        narrowed: Section = {"application": other, "ports": [port] if port else []}
        if port is not None and protocol(ports, port) != "tcp":
            narrowed |= {"methods": draw(methods), "paths": draw(st.lists(paths, unique=True, max_size=2))}
        narrowed = _without_empty(narrowed)
        found.append(narrowed if len(narrowed) > 1 else other)
    return found


@st.composite
def web_routes(draw: st.DrawFn, name: str, *, guarded: bool) -> list[Section]:
    """Routes below a path of the application's own, so that no two applications serve one path."""
    tails = draw(st.lists(st.sampled_from(("", "/{*}", "/static/{**}")), unique=True, max_size=3))
    return [
        _without_empty(
            {
                "path": f"/{name}{tail}",
                "port": "http",
                "methods": draw(methods),
                "public": True if guarded and draw(st.booleans()) else None,
            }
        )
        for tail in tails
    ]


@st.composite
def application(draw: st.DrawFn, name: str, names: tuple[str, ...]) -> Section:
    """One application; `names` are all that exist."""
    ports = dict(draw(st.sampled_from(_PORTS)))
    users = {"issuer": "https://login.example.com", "audiences": ["pay"], "require": {"group": ["buyers"]}}
    guarded = draw(st.booleans())
    return _without_empty(
        {
            "namespace": draw(st.sampled_from((name, "shared"))),
            "nodeGroup": "billing",
            "ports": ports,
            "callers": draw(callers(name, names, ports)),
            "versions": draw(st.sampled_from((None, {"v1": 100}, {"v1": 90, "v2": 10}))),
            "timeout": draw(st.sampled_from((None, *DURATIONS))),
            "retries": draw(st.none() | retries),
            "circuitBreaker": draw(st.sampled_from((None, {"maxConnections": 10, "ejectFor": "30s"}))),
            "web": draw(web_routes(name, guarded=guarded)),
            "endUsers": users if guarded else None,
        }
    )


@st.composite
def applications(draw: st.DrawFn) -> dict[str, Section]:
    """One to four applications by name."""
    names = tuple(draw(st.lists(st.sampled_from(APPLICATIONS), unique=True, min_size=1, max_size=4)))
    return {name: draw(application(name, names)) for name in names}


@st.composite
def inbound(draw: st.DrawFn, partner: str, number: int, apps: dict[str, Section]) -> Section:
    """An inbound entry: requests to HTTP ports or, where an application has one, connections to a TCP port."""
    targets = [(name, port, protocol(app["ports"], port)) for name, app in apps.items() for port in app["ports"]]
    tcp = [target for target in targets if target[2] == "tcp"]
    connections = bool(tcp) and draw(st.booleans())
    anyone = draw(st.booleans())
    return _without_empty(
        {
            "host": f"in{number}.{partner}.partners.example.com",
            "protocol": "tcp" if connections else None,
            "clientCertificate": {"ca": f"{partner}-ca", "subjectAltNames": [f"client.{partner}.example"]},
            "anySource": True if anyone else None,
            "sourceRanges": []
            if anyone
            else draw(st.lists(st.sampled_from(BLOCKS), unique=True, min_size=1, max_size=2)),
            "routes": [{"to": "{}:{}".format(*draw(st.sampled_from(tcp)))}]
            if connections
            else draw(inbound_routes([target for target in targets if target[2] != "tcp"], apps)),
        }
    )


@st.composite
def inbound_routes(draw: st.DrawFn, targets: list[tuple[str, str, str]], apps: dict[str, Section]) -> list[Section]:
    """Routes with different paths or headers, to any port that speaks HTTP."""
    found = []
    for path in draw(st.lists(paths, unique=True, min_size=1, max_size=3)):
        # A route for one value of a header, and perhaps another one behind it for every other request of the path.
        for headers in draw(st.sampled_from(HEADERS)):
            name, port, _ = draw(st.sampled_from(targets))
            versions = list(apps[name].get("versions", ()))
            found.append(
                _without_empty(
                    {
                        "methods": draw(methods),
                        "path": path,
                        "headers": headers,
                        "to": f"{name}:{port}",
                        "version": draw(st.sampled_from([None, *versions])),
                        "rewrite": draw(st.sampled_from(REWRITES[path])),
                        "timeout": draw(st.sampled_from((None, *DURATIONS))),
                        "retries": draw(st.none() | retries),
                    }
                )
            )
    return found


@st.composite
def outbound(draw: st.DrawFn, partner: str, number: int, apps: dict[str, Section]) -> Section:
    """An outbound entry: HTTP with or without alias, rewrite and client certificate, or connections."""
    connections = draw(st.booleans()) and draw(st.booleans())
    mutual = {
        "mode": "mutual",
        "certificate": f"{partner}-client",
        "subjectAltNames": [f"api{number}.{partner}.example"],
    }
    entry: Section = {
        "host": f"api{number}.{partner}.example",
        "from": draw(st.lists(st.sampled_from(list(apps)), unique=True, min_size=1, max_size=2)),
        "tls": draw(st.sampled_from(({"mode": "simple"}, mutual))),
        "circuitBreaker": draw(st.sampled_from((None, {"maxConnections": 100}))),
    }
    if connections:
        return _without_empty({**entry, "protocol": "tcp", "port": 3550})
    wanted = draw(st.lists(paths, unique=True, max_size=2))
    alias = {"host": "partners.internal", "port": 7090, "prefix": f"/{partner}-{number}/"}
    return _without_empty(
        {
            **entry,
            "methods": draw(methods),
            "paths": wanted,
            "rewrite": draw(st.sampled_from(REWRITES[wanted[0]])) if len(wanted) == 1 else None,
            "alias": draw(st.sampled_from((None, alias))),
            "timeout": draw(st.sampled_from((None, *DURATIONS))),
            "retries": draw(st.none() | retries),
            "token": draw(st.sampled_from((None, {"secret": f"{partner}-token"}))),
        }
    )


@st.composite
def partner(draw: st.DrawFn, name: str, apps: dict[str, Section]) -> Section:
    """One partner with an entry at least."""
    numbers = st.sampled_from(((1, 1), (1, 0), (0, 1), (2, 1), (1, 2)))
    inward, outward = draw(numbers)
    return _without_empty(
        {
            "name": name,
            "owner": "integrations@example.com",
            "enforceAt": draw(st.sampled_from((None, None, "edge", "sidecar"))),
            "inbound": [draw(inbound(name, number, apps)) for number in range(inward)],
            "outbound": [draw(outbound(name, number, apps)) for number in range(outward)],
        }
    )


def platform(cluster: Section, *, calico: bool, edge: bool) -> Section:
    """A platform with one gateway of each kind, each on nodes of its own."""
    size = {"min": 2, "max": 6}
    groups = {
        name: {"instances": ["m6i.large"], "size": size, "dedicated": name} for name in ("web", "partners", "egress")
    }
    groups |= {"system": {"instances": ["m6i.large"], "size": size}}
    groups |= {"billing": {"instances": ["m6i.xlarge"], "size": size, "dedicated": "billing"}}
    partners: Section = {"direction": "ingress", "exposure": "partner", "certificate": "partners-server"}
    return {
        "name": "billing-test",
        "network": {"cidr": "10.40.0.0/16"},
        "cluster": {**cluster, "nodeGroups": groups},
        "mesh": {"revision": "1-31-1"},
        "gateways": {
            "web": {"direction": "ingress", "exposure": "web", "host": "pay.example.com", "certificate": "web-server"},
            "partners": {**partners, "enforceAt": "edge"} if edge else partners,
            "egress": {"direction": "egress"},
        },
        "calico": {"managed": calico},
    }


@st.composite
def configurations(draw: st.DrawFn) -> Section:
    """The sections `region`, `platform`, `applications`, `partners`, as a person would write them."""
    cluster = draw(st.sampled_from(({"kind": "eks", "version": "1.36"}, {"kind": "existing"})))
    apps = draw(applications())
    names = draw(st.lists(st.sampled_from(PARTNERS), unique=True, max_size=3))
    return {
        "region": "eu-central-1",
        "platform": platform(dict(cluster), calico=draw(st.booleans()), edge=draw(st.booleans())),
        "applications": apps,
        "partners": [draw(partner(name, apps)) for name in names],
    }


def stack(configuration: Section) -> Stack:
    """The Stack that the loader makes of sections; raises ConfigurationError if a rule refuses them."""
    return load_values("test", configuration, Path("/nonexistent"))


def stacks() -> st.SearchStrategy[Stack]:
    """Valid stacks."""
    return configurations().map(stack)

"""For any configuration the analyser's table says what was configured: nothing more, nothing less.

Both are asked the same concrete requests. The oracle below reads the configuration alone, and shares no code with the
compiler or the analyser.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings

from partner_mesh.analysis.layers import Client, ExternalHost, Partner, Verdict, Workload
from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.results import Connection
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.analysis.table import Table
from partner_mesh.config.partner import Inbound
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack
from tests.strategies import APPLICATIONS, METHODS, PARTNERS, platform, stacks
from tests.strategies import stack as stack_of

PATHS = (
    "/v1/status",
    "/v1/callbacks/7",
    "/v2/a/b",
    "/a/1/b",
    "/a/1/b/c/d",
    "/other",
    "/v1/status/more",
    "/v1/callbacks",
)
WEB_PATHS = tuple(f"/{name}{tail}" for name in APPLICATIONS for tail in ("", "/7", "/static/a/b", "/7/8"))
VERSIONS = ("", "1", "2")  # of the header x-api-version; "" for a request without it
ALIAS = "partners.internal"
Fact = tuple[str, ...]  # who, whom, and what: ("acme-mobile", "charging", "in0.acme…", "POST", "/v1/status")


def matches(pattern: str, path: str) -> bool:
    text = re.escape(pattern).replace(r"\{\*\*\}", ".*").replace(r"\{\*\}", "[^/]+")
    return re.fullmatch(text, path) is not None


def some(methods: Iterable[str], paths: Iterable[str], asked: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The requests that some methods (none: all) and path patterns (none: all) mean, of those asked."""
    methods, paths = tuple(methods), tuple(paths)
    for path in asked:
        for method in METHODS:
            if (not methods or method in methods) and (not paths or any(matches(each, path) for each in paths)):
                yield method, path


def configured(stack: Stack) -> set[Fact]:
    """What the configuration says, request by request."""
    return {*_inbound(stack), *_outbound(stack), *_web(stack), *_callers(stack)}


def _requests(entry: Inbound) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each asked request with the application that the first route which takes it leads to."""
    for version in VERSIONS:
        sent = {"x-api-version": version} if version else {}
        taken: set[tuple[str, str]] = set()
        for route in entry.routes:
            if all(sent.get(header) == value for header, value in route.headers.items()):
                asked = set(some(route.methods, [route.path or "/{**}"], PATHS)) - taken
                taken |= asked
                for request in asked:
                    yield str(route.to).partition(":")[0], (version, *request)


def _inbound(stack: Stack) -> Iterator[Fact]:
    ours = stack.platform.cluster.kind == "eks"  # our load balancers have IPv4 addresses only
    for partner in stack.partners:
        for entry in partner.inbound:
            if ours and not entry.any_source and all(":" in str(each) for each in entry.source_ranges):
                continue
            if entry.protocol == "tcp":
                yield from (("partner", partner.name, str(each.to).partition(":")[0], "tcp") for each in entry.routes)
                continue
            for target, request in _requests(entry):
                yield "partner", partner.name, target, entry.host, *request


def _outbound(stack: Stack) -> Iterator[Fact]:
    for partner in stack.partners:
        for entry in partner.outbound:
            for caller in entry.callers:
                if entry.protocol == "tcp":
                    yield "out", caller, entry.host, "tcp"
                    continue
                for request in some(entry.methods, entry.paths, PATHS):
                    yield "out", caller, entry.host, *request
                    if entry.alias is not None:
                        yield "out", caller, entry.host, entry.alias.prefix, *request


def _web(stack: Stack) -> Iterator[Fact]:
    for name, application in stack.applications.items():
        for route in application.web:
            everybody = route.public or application.end_users is None
            for who in ("anonymous", "user without token", "user with token"):
                if everybody or who == "user with token":
                    for request in some(route.methods, [route.path], WEB_PATHS):
                        yield "web", who, name, *request


def _callers(stack: Stack) -> Iterator[Fact]:
    for name, application in stack.applications.items():
        for caller in application.callers:
            for port_name, port in application.ports.items():
                if caller.ports and port_name not in caller.ports:
                    continue
                number = str(port.target_port or port.port)
                if port.protocol == "tcp":
                    yield "inside", caller.application, name, number, "tcp"
                    continue
                for request in some(caller.methods, caller.paths, PATHS):
                    yield "inside", caller.application, name, number, *request


def documents_of(stack: Stack) -> list[dict[str, Any]]:
    """All that the analyser is given of a stack."""
    compiled = compile_stack(stack)
    manifests = (each.document() for each in compiled.manifests)
    return [*manifests, *map(dict, compiled.inventory), *map(dict, compiled.security_groups)]


def found(stack: Stack, documents: Iterable[dict[str, Any]] | None = None) -> set[Fact]:
    """What the table says, of the same requests; of other documents than the stack's own if they are given."""
    table = Table(of_documents(list(documents_of(stack) if documents is None else documents)))
    owners = {endpoint: pods.labels.get("app", "") for endpoint, pods in table.world.workloads.items()}
    facts: set[Fact] = set()
    for each in table.results().connections():
        if each.verdict is Verdict.ALLOWED:
            facts |= set(_facts(each, owners, stack))
    return facts


def _facts(each: Connection, owners: dict[Workload, str], stack: Stack) -> Iterator[Fact]:
    source, destination = each.source, each.destination
    target = owners.get(destination, "") if isinstance(destination, Workload) else ""
    hosts = {entry.host: entry.protocol for partner in stack.partners for entry in partner.inbound}
    if isinstance(source, Partner | Client) and target in APPLICATIONS:
        http: Any = each.http
        if http is None:
            yield *_caller(source, stack, "tcp"), target, "tcp"
            return
        for host, version in itertools.product(hosts, VERSIONS):
            for method, path in some((), (), PATHS):
                if accepts(http, host, method, path, version):
                    yield *_caller(source, stack, host), target, host, version, method, path
        for method, path in some((), (), WEB_PATHS):
            if http.accepts("pay.example.com", method, path):
                yield "web", source.name, target, method, path
    elif isinstance(source, Workload) and owners.get(source) in APPLICATIONS:
        caller = owners[source]
        if isinstance(destination, ExternalHost):
            if each.http is None:
                yield "out", caller, destination.name, "tcp"
                return
            for method, path in some((), (), PATHS):
                if each.http.accepts(destination.name, method, path):  # type: ignore[attr-defined] # mesh brings HttpSet
                    yield "out", caller, destination.name, method, path
                for prefix in _prefixes(stack):
                    if each.http.accepts(ALIAS, method, f"{prefix}{path[1:]}"):  # type: ignore[attr-defined] # as above
                        yield "out", caller, destination.name, prefix, method, path
        elif target in APPLICATIONS and target != caller:
            yield from _inside(each, caller, target, stack)


def _prefixes(stack: Stack) -> list[str]:
    """Where any partner's alias begins; one that leads to another partner's host is a fact too many."""
    entries = (entry for partner in stack.partners for entry in partner.outbound)
    return [entry.alias.prefix for entry in entries if entry.alias is not None]


def accepts(http: Any, host: str, method: str, path: str, version: str) -> bool:
    """Whether a request with this header (none where it is empty) belongs to a set."""
    return any(
        host in box.hosts
        and method in box.methods
        and path in box.paths
        and all(
            (each.value == version) is each.holds
            for each in box.conditions
            if each.subject == "request.headers[x-api-version]"
        )
        for box in http.boxes
    )


def _caller(source: Partner | Client, stack: Stack, wanted: str) -> tuple[str, str]:
    """A partner's certificate from another address is the partner's where its file says that any address will do."""
    if isinstance(source, Partner):
        return "partner", source.name
    entries = (entry for partner in stack.partners if partner.name == source.beside for entry in partner.inbound)
    if source.name == "elsewhere" and any(_from(e, source) for e in entries if wanted in (e.host, e.protocol)):
        return "partner", source.beside
    return "stranger", source.name


def _from(entry: Inbound, source: Client) -> bool:
    """Whether an entry lets these addresses in that are none of the partner's: of the family that no file names."""
    return entry.any_source and not source.addresses & AddressSet.V4


def _inside(each: Connection, caller: str, target: str, stack: Stack) -> Iterator[Fact]:
    """Every allowed port counts, declared or not: one that no configuration names is a fact too many."""
    allowed = dict(each.ports.by_protocol())
    raw = {
        port.target_port or port.port for port in stack.applications[target].ports.values() if port.protocol == "tcp"
    }
    for protocol, ports in allowed.items():
        for low, high in ports:
            if protocol != "TCP" or low != high:
                yield "inside", caller, target, f"{protocol} {low}-{high}"
                continue
            if low in raw:
                yield "inside", caller, target, str(low), "tcp"
                continue
            http: Any = each.http
            for method, path in some((), (), PATHS):
                if http is None or http.accepts("any.example", method, path):
                    yield "inside", caller, target, str(low), method, path


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(stacks())
def test_the_table_is_the_configuration(stack: Stack) -> None:
    said, meant = found(stack), configured(stack)
    assert said - meant == set()
    assert meant - said == set()


def test_the_oracle_tells_patterns_apart() -> None:
    assert matches("/a/{*}/b", "/a/1/b")
    assert not matches("/a/{*}/b", "/a/1/2/b")
    assert matches("/a/{*}/b/{**}", "/a/1/b/c/d")
    assert set(PARTNERS).isdisjoint(APPLICATIONS)


def test_headers_and_aliases_are_asked_about() -> None:
    """What the property compares is there to be compared."""
    routes = [
        {"path": "/v1/status", "headers": {"x-api-version": "2"}, "to": "fraud:http"},
        {"path": "/v1/status", "to": "ledger:http"},
    ]
    inward = {"host": "in.acme-mobile.example", "anySource": True, "routes": routes,
              "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["a.acme.example"]}}  # fmt: skip
    outward = {"host": "api.acme.example", "from": ["fraud"], "methods": ["GET"], "paths": ["/v1/status"],
               "alias": {"host": ALIAS, "port": 7090, "prefix": "/acme/"}}  # fmt: skip
    section = {"nodeGroup": "billing", "ports": {"http": 8080}}
    small = stack_of({
        "region": "eu-central-1",
        "platform": platform({"kind": "eks", "version": "1.36"}, calico=False, edge=False),
        "applications": {name: {"namespace": name, **section} for name in ("fraud", "ledger")},
        "partners": [{"name": "acme-mobile", "owner": "a@example.com", "inbound": [inward], "outbound": [outward]}],
    })  # fmt: skip
    said = found(small)
    assert said == configured(small)
    host = "in.acme-mobile.example"
    assert ("partner", "acme-mobile", "fraud", host, "2", "GET", "/v1/status") in said
    assert ("partner", "acme-mobile", "ledger", host, "", "GET", "/v1/status") in said
    assert ("partner", "acme-mobile", "fraud", host, "1", "GET", "/v1/status") not in said
    assert ("out", "fraud", "api.acme.example", "/acme/", "GET", "/v1/status") in said

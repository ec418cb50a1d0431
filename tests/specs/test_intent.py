"""For any configuration the analyser's table says what was configured: nothing more, nothing less.

Both are asked the same concrete requests. The oracle below reads the configuration alone, and shares no code with the
compiler or the analyser.
"""

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
from tests.strategies import APPLICATIONS, METHODS, PARTNERS, stacks

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


def _inbound(stack: Stack) -> Iterator[Fact]:
    ours = stack.platform.cluster.kind == "eks"  # our load balancers have IPv4 addresses only
    for partner in stack.partners:
        for entry in partner.inbound:
            if ours and not entry.any_source and all(":" in str(each) for each in entry.source_ranges):
                continue
            for route in entry.routes:
                target = str(route.to).partition(":")[0]
                if entry.protocol == "tcp":
                    yield "partner", partner.name, target, "tcp"
                    continue
                for request in some(route.methods, [route.path or "/{**}"], PATHS):
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


def found(stack: Stack) -> set[Fact]:
    """What the table says, of the same requests."""
    compiled = compile_stack(stack)
    documents = [*(each.document() for each in compiled.manifests), *map(dict, compiled.inventory)]
    table = Table(of_documents([*documents, *map(dict, compiled.security_groups)]))
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
        for host in hosts:
            for method, path in some((), (), PATHS):
                if http.accepts(host, method, path):
                    yield *_caller(source, stack, host), target, host, method, path
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
        elif target in APPLICATIONS and target != caller:
            yield from _inside(each, caller, target, stack)


def _caller(source: Partner | Client, stack: Stack, wanted: str) -> tuple[str, str]:
    """A partner's certificate from another address is the partner's where its file says that any address will do."""
    if isinstance(source, Partner):
        return "partner", source.name
    entries = (entry for partner in stack.partners if partner.name == source.beside for entry in partner.inbound)
    if source.name == "elsewhere" and any(_from(e, source) for e in entries if wanted in (e.host, e.protocol)):
        return "partner", source.beside
    return "stranger", source.name


def _from(entry: Inbound, source: Client) -> bool:
    """Whether an entry's own file lets these addresses in; another entry of the partner may name others."""
    ranges = AddressSet.union(AddressSet.of(str(each)) for each in entry.source_ranges)
    return entry.any_source or source.addresses <= ranges


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

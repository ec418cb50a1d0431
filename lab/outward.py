"""Scenarios of calls that leave: what applications may call outside, and every way around what was declared."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from lab import paths
from lab.credentials import token
from lab.expect import Expect
from lab.inward import versions
from lab.probe import Probe, Protocol
from lab.scenarios import Scenario
from lab.world import Remote
from partner_mesh.config.partner import Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.specs.entry import entry_name

CAPTURED_PORT: Final = 80  # applications call a partner's host in plain HTTP; TLS is the egress gateway's business
INTERNAL: Final = (
    "x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-envoy-original-path",
    "x-envoy-peer-metadata", "x-envoy-peer-metadata-id", "x-envoy-attempt-count", "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled",
)  # fmt: skip
REFUSED: Final = Expect(
    outcomes=("answered", "filtered", "refused", "reset", "silent", "unresolved"), statuses=(403, 404, 502, 503)
)
UNKNOWN_HOST: Final = replace(REFUSED, statuses=(502,))  # the sidecar's answer to what it was not told of
METADATA: Final = "169.254.169.254"


def scenarios(stack: Stack, remotes: Mapping[str, Remote]) -> Iterator[Scenario]:
    """Of every entry of every partner and each application that may call it, in order."""
    for partner in stack.partners:
        for outbound in partner.outbound:
            for caller in outbound.callers:
                right = _call(stack, outbound, caller)
                names = _our_names(remotes.get(outbound.host))
                yield Scenario(
                    "outward", f"{caller} to {outbound.host}", right, _arrival(partner, outbound, right, names)
                )
                yield from _alias(stack, partner, outbound, caller, names)
                if outbound.protocol != "tcp":
                    yield from _requests(outbound, right, caller)
            yield from _others(stack, outbound, remotes)


def _call(stack: Stack, outbound: Outbound, caller: str) -> Probe:
    """A declared call as the application sends it."""
    source = versions(stack, caller)[0]
    if outbound.protocol == "tcp":
        return Probe(source, outbound.host, outbound.port, outbound.host, protocol="tcp")
    grpc = outbound.protocol in {"grpc", "http2"}
    protocol: Protocol = "h2" if grpc else "http"
    method = (outbound.methods or (("POST",) if grpc else ("GET",)))[0]
    path = paths.sample(outbound.paths[0]) if outbound.paths else "/lab"
    headers = {"content-type": "application/grpc"} if outbound.protocol == "grpc" else {}
    return Probe(source, outbound.host, CAPTURED_PORT, outbound.host, method, path, headers=headers, protocol=protocol)


def _arrival(partner: Partner, outbound: Outbound, probe: Probe, names: tuple[str, ...]) -> Expect:
    if outbound.protocol == "tcp":
        return Expect((outbound.host,), client_names=names)
    path = paths.rewritten(outbound.paths[0], outbound.rewrite) if outbound.paths else probe.path
    headers: tuple[tuple[str, str], ...] = ()
    if (wanted := outbound.token) is not None:
        value = token(f"{entry_name(partner.name, outbound.label)}.token")
        headers = ((wanted.header.lower(), f"{wanted.scheme} {value}".strip()),)
    return Expect((outbound.host,), (), (200,), path, names, INTERNAL, headers)


def _our_names(remote: Remote | None) -> tuple[str, ...]:
    """The names in our client certificates that a partner's host asks for: as the lab makes them."""
    if remote is None:
        return ()
    return tuple(
        f"{settings['credentialName']}.clients.invalid"
        for settings in remote.tls.values()
        if settings.get("mode") == "MUTUAL" and "credentialName" in settings
    )


def _alias(
    stack: Stack, partner: Partner, outbound: Outbound, caller: str, names: tuple[str, ...]
) -> Iterator[Scenario]:
    """The older way to write the same call: an internal name, a prefix for each partner."""
    if outbound.alias is None or outbound.protocol == "tcp":
        return
    right, alias = _call(stack, outbound, caller), outbound.alias
    path = f"{alias.prefix.rstrip('/')}{right.path}"
    probe = replace(right, to=alias.host, host=alias.host, port=alias.port, path=path)
    yield Scenario("alias", f"{caller} to {alias.host}{path}", probe, _arrival(partner, outbound, right, names))


def _requests(outbound: Outbound, right: Probe, caller: str) -> Iterator[Scenario]:
    if outbound.paths:
        for path in paths.strange(outbound.paths)[:3]:
            yield Scenario("outward path", f"{caller} to {outbound.host}{path}", replace(right, path=path), REFUSED)
    for method in [m for m in ("DELETE", "GET", "POST") if outbound.methods and m not in outbound.methods][:2]:
        about = f"{caller} {method} {outbound.host}"
        yield Scenario("outward path", about, replace(right, method=method), REFUSED)


def _others(stack: Stack, outbound: Outbound, remotes: Mapping[str, Remote]) -> Iterator[Scenario]:
    """Applications that the entry does not name, and the declared one around the gateway."""
    right = _call(stack, outbound, outbound.callers[0])
    for name in [name for name in stack.applications if name not in outbound.callers][:3]:
        probe = replace(right, source=versions(stack, name)[0])
        # Who shares a namespace with a caller knows the host and is refused by policy; others do not even know it.
        told = any(stack.applications[c].namespace == stack.applications[name].namespace for c in outbound.callers)
        yield Scenario("outward caller", f"{name} to {outbound.host}", probe, REFUSED if told else UNKNOWN_HOST)
    if (remote := remotes.get(outbound.host)) is None:
        return
    for name in [outbound.callers[0], *(n for n in stack.applications if n not in outbound.callers)][:2]:
        source = versions(stack, name)[0]
        port, host = outbound.port, outbound.host
        around = Probe(source, remote.address, port, host, server_name=host, path=right.path, protocol=right.protocol)
        about = f"{name} straight to {host}:{port} by its address"
        # The sidecar answers the connection before it tries its own: the application sees it cut.
        yield Scenario("around the egress gateway", about, around, Expect(hidden=True))
        yield Scenario("mesh: around the egress gateway", about, around, Expect(hidden=True))


def closed(stack: Stack, somewhere: str) -> Iterator[Scenario]:
    """What no application reaches: the metadata service, and an address of the Internet."""
    for name in stack.applications:
        source = versions(stack, name)[0]
        metadata = Probe(source, METADATA, 80, METADATA, path="/latest/meta-data/")
        yield Scenario("metadata", name, metadata, Expect())
        for port in (80, 443):
            yield Scenario(
                "internet", f"{name} to {somewhere}:{port}", Probe(source, somewhere, port, somewhere), Expect()
            )

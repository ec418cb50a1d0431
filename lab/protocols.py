"""Scenarios of protocols beside plain requests, made from those of plain requests: WebSocket, gRPC, lines of TCP.

What is let in, out or across as a GET must be so as a WebSocket, and what is refused must not; gRPC must arrive as
HTTP/2 and its trailers come back; a TCP connection must stay the same one for as long as both talk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from lab.inward import versions
from lab.scenarios import Scenario
from partner_mesh.config.stack import Stack

LET: Final = frozenset({"inward", "web", "outward", "alias", "mesh callers"})
REFUSED: Final = frozenset({"other path", "other method", "web token", "web host", "outward path", "mesh strangers"})
LINES: Final = ("first", "second", "third")


def scenarios(stack: Stack, plain: Iterable[Scenario]) -> Iterator[Scenario]:
    """One for each plain request that has such a counterpart."""
    # A bound on a body holds a request until it is whole, so that no upgrade gets through: nothing is promised there.
    bounded = {pod for name, a in stack.applications.items() if a.max_request_bytes for pod in versions(stack, name)}
    for each in plain:
        protocol, upgradable = each.probe.protocol, each.probe.protocol == "http" and each.probe.method == "GET"
        if each.kind in LET and protocol == "tcp":
            yield _lines(each)
        elif each.kind in LET and each.probe.headers.get("content-type") == "application/grpc":
            yield _grpc(each)
        elif each.kind in LET and upgradable and not bounded & set(each.expect.reached):
            yield replace(_upgraded(each, "WebSocket"), expect=replace(each.expect, statuses=(101,)))
        elif each.kind in REFUSED and upgradable:
            yield _upgraded(each, "WebSocket refused")


def _upgraded(plain: Scenario, kind: str) -> Scenario:
    return replace(plain, kind=kind, probe=replace(plain.probe, protocol="websocket", body="lab"))


def _grpc(plain: Scenario) -> Scenario:
    expect = replace(plain.expect, version="HTTP/2", returned=(("grpc-status", "0"),))
    return replace(plain, kind="gRPC", expect=expect)


def _lines(plain: Scenario) -> Scenario:
    expect = replace(plain.expect, text=LINES[-1])
    return replace(plain, kind="TCP", probe=replace(plain.probe, body="\n".join(LINES)), expect=expect)

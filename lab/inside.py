"""Scenarios of the mesh itself and of web users: who calls whom inside, and who comes through the web gateway."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from lab import paths
from lab.expect import CUT, Expect
from lab.inward import versions
from lab.mutual_tls import mode, without_identity
from lab.probe import MESH, OUTSIDE, ClientCertificate, Probe, Protocol, Token
from lab.scenarios import Scenario
from partner_mesh.config.application import Application, ApplicationPort, EndUsers, WebRoute
from partner_mesh.config.stack import Stack
from partner_mesh.model.path import PathTemplate

REFUSED: Final = Expect(outcomes=("answered", "filtered", "refused", "reset", "silent"), statuses=(403, 404, 502, 503))


def callers(stack: Stack, outsider: str | None) -> Iterator[Scenario]:
    """Every pair of applications; `outsider` is a pod without a sidecar, if the stack has one."""
    for name, application in stack.applications.items():
        for port_name, port in application.ports.items():
            declared = {c.application: c for c in application.callers if not c.ports or port_name in c.ports}
            for other in [o for o in stack.applications if o != name]:
                right = _call(stack, other, name, application, port)
                if (caller := declared.get(other)) is not None:
                    method = (caller.methods or (right.method,))[0]
                    path = paths.sample(caller.paths[0]) if caller.paths else right.path
                    allowed = replace(right, method=method, path=path)
                    about = f"{other} to {name}:{port_name}"
                    # A fault that the stack itself injects answers in the callee's place, now and then.
                    expect = Expect(versions(stack, name), instead=_injected(application))
                    yield Scenario("mesh callers", about, allowed, expect)
                    pod = versions(stack, name)[0]
                    around = _around_its_sidecar(stack, other, replace(allowed, to=pod, port=port.target))
                    if mode(stack, name, port) != "DISABLE":
                        yield Scenario("mesh: right principal", about, around, Expect((pod,)))
                    if caller.paths and port.protocol != "tcp":
                        strange = replace(allowed, path=paths.strange(caller.paths)[0])
                        yield Scenario("mesh strangers", f"{about}{strange.path}", strange, REFUSED)
                else:
                    yield from _strangers(stack, other, name, right, port)
            if outsider is not None:
                pod = versions(stack, name)[0]
                plain = replace(_call(stack, name, name, application, port), source=outsider, to=pod, port=port.target)
                about = f"{outsider} to {pod}:{port.target}"
                yield Scenario("mesh strangers", about, plain, Expect(outcomes=("filtered",)))
                yield Scenario("mesh: plain text", about, plain, without_identity(stack, name, port))


def _injected(application: Application) -> tuple[int, ...]:
    fault = application.fault
    return () if fault is None or fault.abort is None else (fault.abort.status,)


def _strangers(stack: Stack, other: str, name: str, right: Probe, port: ApplicationPort) -> Iterator[Scenario]:
    pod = versions(stack, name)[0]
    by_address = replace(right, to=pod, port=port.target)
    refused = replace(REFUSED, statuses=(*REFUSED.statuses, *_injected(stack.applications[name])))
    yield Scenario("mesh strangers", f"{other} to {right.to}:{right.port}", right, refused)
    yield Scenario("mesh strangers", f"{other} to {pod}:{port.target}", by_address, REFUSED)
    if mode(stack, name, port) == "DISABLE":
        return
    around = _around_its_sidecar(stack, other, by_address)
    refused = (
        Expect(outcomes=CUT) if port.protocol in {"tcp", "tls"} else Expect(outcomes=("answered",), statuses=(403,))
    )
    yield Scenario("mesh: wrong principal", f"{other} to {pod}:{port.target}", around, refused)


def _around_its_sidecar(stack: Stack, application: str, probe: Probe) -> Probe:
    """The call of a program that has got around its sidecar and holds its workload's own certificate."""
    namespace, mesh = stack.applications[application].namespace, stack.platform.mesh
    identity = f"spiffe://{mesh.trust_domain}/ns/{namespace}/sa/{application}"
    return replace(
        probe, unproxied=True, sidecar=True, server_name="", certificate=ClientCertificate(MESH, (identity,))
    )  # fmt: skip


def _call(stack: Stack, source: str, name: str, application: Application, port: ApplicationPort) -> Probe:
    to = f"{name}.{application.namespace}"
    protocols: Mapping[str, Protocol] = {"tcp": "tcp", "tls": "tcp", "grpc": "h2", "http2": "h2"}
    protocol = protocols.get(port.protocol, "http")
    headers = {"content-type": "application/grpc"} if port.protocol == "grpc" else {}
    method = "POST" if port.protocol == "grpc" else "GET"
    return Probe(versions(stack, source)[0], to, port.port, to, method, "/lab", headers=headers, protocol=protocol)


@dataclass(frozen=True, slots=True)
class Balancer:
    """The load balancer in front of a web gateway, played by a client at one of its addresses.

    It ends the users' TLS and opens its own without a server name, and appends the user's address to X-Forwarded-For.
    """

    gateway: str  # where it connects to: the gateway's own pod
    port: int
    address: str
    hosts: tuple[str, ...] = ()  # whose requests it carries

    def carries(self, host: str, method: str, path: str, user: str, token: Token | None = None) -> Probe:
        """A user's request as the gateway gets it."""
        headers = {"x-forwarded-for": user, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
        return Probe(
            OUTSIDE, self.gateway, self.port, host, method, path, address=self.address, server_name="",
            headers=headers, token=token,
        )  # fmt: skip


def web(stack: Stack, balancers: Mapping[str, Balancer], stranger: str) -> Iterator[Scenario]:
    """Users at every web route; `balancers` by gateway name."""
    for name, application in stack.applications.items():
        for route in application.web:
            gateway = route.gateway or stack.gateways("ingress", "web")[0][0]
            host = route.host or stack.platform.gateways[gateway].host
            if (balancer := balancers.get(gateway)) is not None and host is not None:
                yield from _route(stack, name, route, balancer, host, stranger)


def _route(  # noqa: PLR0917  # who, where and by whom
    stack: Stack, name: str, route: WebRoute, balancer: Balancer, host: str, stranger: str
) -> Iterator[Scenario]:
    application, path = stack.applications[name], paths.sample(route.path)
    method = (route.methods or ("GET",))[0]
    right = balancer.carries(host, method, path, stranger)
    arrives = Expect(versions(stack, name), path=paths.rewritten(route.path, route.rewrite), statuses=(200,))
    users = application.end_users
    if users is None or route.public:
        yield Scenario("web", f"{method} {host}{path}", right, arrives)
    else:
        good = _token(users)
        yield Scenario("web", f"{method} {host}{path} with a token", replace(right, token=good), arrives)
        yield from _tokens(users, right, good, f"{method} {host}{path}")
    refused = Expect(statuses=(403, 404), outcomes=("answered",))
    yield Scenario("web host", f"nobody.example{path}", replace(right, host="nobody.example"), refused)
    if not _serves(stack, host, path, "DELETE"):
        wrong = replace(right, method="DELETE", token=_token(users) if users else None)
        yield Scenario("web host", f"DELETE {host}{path}", wrong, refused)
    around = replace(right, to=balancer.gateway, address=stranger)
    yield Scenario(
        "web around the balancer", f"{stranger} to {balancer.gateway}", around, Expect(outcomes=("filtered",))
    )


def _serves(stack: Stack, host: str, path: str, method: str) -> bool:
    """Whether some web route takes a request: another route may allow what this one does not."""
    return any(
        PathTemplate(route.path).matches(path) and (not route.methods or method in route.methods)
        for application in stack.applications.values()
        for route in application.web
        if route.host in {None, host}
    )


def _token(users: EndUsers) -> Token:
    return Token(users.issuer, users.audiences[:1], {claim: values[0] for claim, values in users.require.items()})


def _tokens(users: EndUsers, right: Probe, good: Token, about: str) -> Iterator[Scenario]:
    bad: list[tuple[str, Token | None]] = [
        ("without a token", None),
        ("expired", replace(good, expired=True)),
        ("forged", replace(good, forged=True)),
        ("for another audience", replace(good, audiences=("somebody.else",))),
        ("of another issuer", replace(good, issuer="https://nobody.example")),
    ]
    if users.require:
        bad.append(("with other claims", replace(good, claims=dict.fromkeys(users.require, "nobody"))))
    refused = Expect(statuses=(401, 403), outcomes=("answered",))
    for how, token in bad:
        yield Scenario("web token", f"{about} {how}", replace(right, token=token), refused)

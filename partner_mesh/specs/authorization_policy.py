"""AuthorizationPolicies: who may ask what of an application.

A namespace begins with allow-nothing. Each application then has one ALLOW for its callers and one for its web routes,
beside those that partners bring. No rule is ever empty: `rules: [{}]` would admit everybody.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from partner_mesh.config.application import ApplicationPort, Caller, EndUsers, Policy, PolicyRule, WebRoute
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import SECURITY
from partner_mesh.specs import waypoint
from partner_mesh.specs.routing import image
from partner_mesh.specs.stack import (
    application_principal,
    gateway_principal,
    owned,
    web_gateway,
    web_host,
    web_port,
)

Action = Literal["ALLOW", "DENY", "CUSTOM"]


def allow_nothing(namespace: str, labels: Mapping[str, str]) -> Manifest:
    """An ALLOW without rules: it matches no request, so nothing is admitted that another ALLOW does not admit."""
    return Manifest(SECURITY, "AuthorizationPolicy", "allow-nothing", namespace, dict(labels), body={"spec": {}})


def authorization_policies(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """The ALLOW policies of an application for its callers and its web routes, and the policies written by hand."""
    declared = stack.applications[application]
    found = []
    if declared.callers:
        rules = [caller_rule(stack, application, caller) for caller in declared.callers]
        found.append(_policy(stack, application, f"{application}-callers", "ALLOW", rules))
    if declared.web:
        rules = [web_rule(stack, application, route) for route in declared.web]
        found.append(_policy(stack, application, f"{application}-web", "ALLOW", rules))
    by_hand = (handwritten(stack, application, policy) for policy in declared.policies)
    return (*found, *by_hand, *waypoint.only_waypoint(stack, application))


def caller_rule(stack: Stack, application: str, caller: Caller) -> dict[str, Any]:
    """What one caller may ask. Ports are the pod's: that is what the sidecar's listener sees."""
    ports = _ports(stack, application, caller.ports)
    operation = _operation(ports=ports, methods=caller.methods, paths=caller.paths)
    return {
        "from": [{"source": {"principals": [application_principal(stack, caller.application)]}}],
        "to": [{"operation": operation}],
    }


def web_rule(stack: Stack, application: str, route: WebRoute) -> dict[str, Any]:
    """What a web gateway may pass on for one route: paths as they are after the gateway's rewrite.

    RequestAuthentication alone admits requests without a token, so the token and its claims are asked for here.
    """
    declared = stack.applications[application]
    host = web_host(stack, route)
    source: dict[str, Any] = {"principals": [gateway_principal(stack, web_gateway(stack, route))]}
    needs_user = declared.end_users is not None and not route.public
    if needs_user and declared.end_users is not None:
        source["requestPrincipals"] = [f"{declared.end_users.issuer}/*"]
    rule: dict[str, Any] = {
        "from": [{"source": source}],
        "to": [
            {
                "operation": _operation(
                    hosts=(host, f"{host}:*"),
                    ports=(_port(stack, application, web_port(declared, route)),),
                    methods=route.methods,
                    paths=(image(route.path, route.rewrite),),
                )
            }
        ],
    }
    if needs_user and declared.end_users is not None and declared.end_users.require:
        rule["when"] = claims(declared.end_users)
    return rule


def _ports(stack: Stack, application: str, names: Sequence[str]) -> tuple[int, ...]:
    """The ports that policies see: the pod's at its sidecar or ztunnel, the Service's at a waypoint."""
    declared = stack.applications[application]
    chosen = [_port(stack, application, port) for name, port in declared.ports.items() if not names or name in names]
    return tuple(dict.fromkeys(chosen))


def _port(stack: Stack, application: str, port: ApplicationPort) -> int:
    return port.port if waypoint.needed(stack, application) else port.target


def claims(end_users: EndUsers) -> list[dict[str, Any]]:
    """Conditions on a token's claims; a dot in the configured name descends into a nested claim."""
    return [
        {"key": f"request.auth.claims{''.join(f'[{part}]' for part in claim.split('.'))}", "values": list(values)}
        for claim, values in end_users.require.items()
    ]


def handwritten(stack: Stack, application: str, policy: Policy) -> Manifest:
    """A policy from the configuration, in Istio's terms."""
    return _policy(
        stack,
        application,
        f"{application}-{policy.name}",
        policy.action,
        [_rule(rule) for rule in policy.rules],
        provider=policy.provider,
        dry_run=policy.dry_run,
    )


def _rule(rule: PolicyRule) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rule.source:
        found["from"] = [{"source": _given(source)} for source in rule.source]
    if rule.operation:
        found["to"] = [{"operation": _given(operation)} for operation in rule.operation]
    if rule.when:
        found["when"] = [_given(condition) for condition in rule.when]
    return found


def _given(part: Any) -> dict[str, Any]:
    """The fields of a configuration model that were given, under Istio's names; ports are strings to Istio."""
    fields = part.model_dump(by_alias=True, mode="json")
    given = {name: value for name, value in fields.items() if value not in ([], None, "")}
    return {name: [str(v) for v in value] if isinstance(value, list) else value for name, value in given.items()}


def _operation(
    *,
    hosts: Sequence[str] = (),
    ports: Sequence[int] = (),
    methods: Sequence[str] = (),
    paths: Sequence[str] = (),
) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "hosts": list(hosts),
        "ports": [str(port) for port in ports],
        "methods": list(methods),
        "paths": list(paths),
    }
    return {name: value for name, value in parts.items() if value}


def _policy(
    stack: Stack,
    application: str,
    name: str,
    action: Action,
    rules: Sequence[Mapping[str, Any]],
    *,
    provider: str | None = None,
    dry_run: bool = False,
) -> Manifest:
    spec: dict[str, Any] = {**waypoint.target(stack, application), "action": action}
    if provider is not None:
        spec["provider"] = {"name": provider}
    spec["rules"] = [dict(rule) for rule in rules]
    return Manifest(
        SECURITY,
        "AuthorizationPolicy",
        name,
        stack.applications[application].namespace,
        owned(application=application),
        {"istio.io/dry-run": "true"} if dry_run else {},
        {"spec": spec},
    )

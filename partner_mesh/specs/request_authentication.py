"""RequestAuthentication: whose tokens of end users are checked. That one is needed, AuthorizationPolicy says."""

from typing import Any

from partner_mesh.config.application import EndUsers
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import SECURITY, gateway_namespace
from partner_mesh.specs import waypoint
from partner_mesh.specs.stack import owned, web_gateway


def of_application(stack: Stack, application: str) -> tuple[Manifest, ...]:
    """The check at the application's sidecar, where the ALLOW that requires the token stands too."""
    declared = stack.applications[application]
    if declared.end_users is None:
        return ()
    spec = {
        **waypoint.target(stack, application),
        "jwtRules": [_jwt_rule(declared.end_users, forward=declared.end_users.forward_token)],
    }
    labels = owned(application=application)
    name = f"{application}-end-users"
    return (Manifest(SECURITY, "RequestAuthentication", name, declared.namespace, labels, body={"spec": spec}),)


def of_gateway(stack: Stack, gateway: str) -> tuple[Manifest, ...]:
    """The same check already at a web gateway, so that a forged token is refused before it crosses the mesh.

    Only where every application behind the gateway has end users: the check covers all of the gateway's requests and
    refuses tokens of issuers that it does not know, which an application with tokens of its own could not bear.
    """
    behind = [
        application
        for application in stack.applications.values()
        if any(web_gateway(stack, route) == gateway for route in application.web)
    ]
    users = [application.end_users for application in behind if application.end_users is not None]
    if not users or len(users) < len(behind):
        return ()
    rules = [_jwt_rule(end_users, forward=True) for end_users in users]
    spec = {
        "selector": {"matchLabels": {"istio": gateway}},
        "jwtRules": [rule for index, rule in enumerate(rules) if rule not in rules[:index]],
    }
    labels = owned(gateway=gateway)
    return (
        Manifest(
            SECURITY, "RequestAuthentication", "end-users", gateway_namespace(gateway), labels, body={"spec": spec}
        ),
    )


def _jwt_rule(end_users: EndUsers, *, forward: bool) -> dict[str, Any]:
    """Without `jwksUri` istiod discovers it at the issuer (OpenID Connect discovery)."""
    rule: dict[str, Any] = {"issuer": end_users.issuer, "audiences": list(end_users.audiences)}
    if end_users.jwks_uri is not None:
        rule["jwksUri"] = end_users.jwks_uri
    if forward:
        rule["forwardOriginalToken"] = True
    if end_users.claim_to_headers:
        rule["outputClaimToHeaders"] = [
            {"header": header, "claim": claim} for header, claim in end_users.claim_to_headers.items()
        ]
    return rule

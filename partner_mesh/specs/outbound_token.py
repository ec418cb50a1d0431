"""A token that goes with each request to a partner: from its Secret into the header, and into no object of ours.

Istio's API has no field for it, and its SDS serves certificates only. So the egress gateway's container has the
Secret's key in its environment, and the exit route says where: `%ENVIRONMENT(…)%` in a header's value (envoyproxy.io,
"Access logging: command operators"; tried on Envoy 1.40: the value replaces what the application sent, and a missing
one reads `-`). The Secret is optional to the pod: where it is missing, that partner refuses, and nobody else waits.

Envoy reads its environment when it starts. So the first token of an entry rolls the gateway, once, and so does
`rotated`, a day that a person writes when the content of the Secret has changed.
"""

from typing import Any, Final

from partner_mesh.config.partner import Outbound, Partner, Token
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import GROUP
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.virtual_service import literal

ROTATED: Final = f"{GROUP}/tokens-rotated"


def header(partner: Partner, entry: Outbound) -> dict[str, str]:
    """The header and its value as the exit route sets it; nothing without a token."""
    token = entry.token
    if token is None:
        return {}
    value = f"%ENVIRONMENT({_variable(partner, entry)})%"
    return {token.header: f"{literal(token.scheme)} {value}" if token.scheme else value}


def environment(stack: Stack, gateway: str) -> list[dict[str, Any]]:
    """`envVarFrom` of an egress gateway's container."""
    return [
        {
            "name": _variable(partner, entry),
            "valueFrom": {"secretKeyRef": {"name": secret_name(partner, entry), "key": token.key, "optional": True}},
        }
        for partner, entry, token in _tokens(stack, gateway)
    ]


def rotations(stack: Stack, gateway: str) -> dict[str, str]:
    """An annotation of the gateway's pods that changes when somebody says that a token has."""
    days = [
        f"{entry_name(partner.name, entry.label)}={token.rotated.isoformat()}"
        for partner, entry, token in _tokens(stack, gateway)
        if token.rotated is not None
    ]
    return {ROTATED: ",".join(days)} if days else {}


def secret_name(partner: Partner, entry: Outbound) -> str:
    """The Secret in the gateway's namespace, as `external_secret.py` lists them."""
    return f"{entry_name(partner.name, entry.label)}.token"


def _tokens(stack: Stack, gateway: str) -> list[tuple[Partner, Outbound, Token]]:
    return [
        (partner, entry, entry.token)
        for partner in stack.partners
        for entry in partner.outbound
        if entry.token is not None and stack.outbound_gateway(entry) == gateway
    ]


def _variable(partner: Partner, entry: Outbound) -> str:
    """Names of entries hold no underscore, so no two of them meet."""
    return f"TOKEN_{entry_name(partner.name, entry.label).upper().replace('-', '_')}"

"""Which web UIs have a login, and the providers that the mesh config names for them (`login.py` has the rest)."""

from collections.abc import Iterator
from typing import Any, Final

from partner_mesh.config.application import EndUsers, Login
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import gateway_namespace, service_host
from partner_mesh.specs.stack import web_gateway, web_host

PORT: Final = 4180  # the container's; the Service says 80
SERVICE_PORT: Final = 80
_TIMEOUT: Final = "5s"


def logins(stack: Stack, gateway: str | None = None) -> Iterator[tuple[str, EndUsers, Login]]:
    """Applications with a login, of one web gateway or of all, in declared order."""
    for name, application in stack.applications.items():
        users = application.end_users
        if users is None or users.login is None or not application.web:
            continue
        if gateway is None or web_gateway(stack, application.web[0]) == gateway:
            yield name, users, users.login


def login_name(application: str) -> str:
    """The name of an application's login: release, Deployment, Service, ServiceAccount, provider, `app` label."""
    return f"login-{application}"


def place(stack: Stack, application: str) -> tuple[str, str]:
    """The gateway and the host of a login; the loader has refused a second of either."""
    route = stack.applications[application].web[0]
    return web_gateway(stack, route), web_host(stack, route)


def login_providers(stack: Stack) -> list[dict[str, Any]]:
    """Extension providers of the mesh config. A provider that does not answer refuses (`failOpen` is false)."""
    return [
        {
            "name": login_name(name),
            "envoyExtAuthzHttp": {
                "service": service_host(login_name(name), gateway_namespace(place(stack, name)[0])),
                "port": SERVICE_PORT,
                "timeout": _TIMEOUT,
                "includeRequestHeadersInCheck": ["authorization", "cookie", "x-forwarded-proto"],
                "headersToUpstreamOnAllow": ["authorization"],
                "headersToDownstreamOnAllow": ["set-cookie"],
                "headersToDownstreamOnDeny": ["content-type", "set-cookie"],
            },
        }
        for name, _, _ in logins(stack)
    ]


def several_at_one_gateway(stack: Stack) -> bool:
    """Whether a gateway asks more than one provider, which istiod allows only when told so."""
    found = [place(stack, name)[0] for name, _, _ in logins(stack)]
    return len(found) != len(set(found))

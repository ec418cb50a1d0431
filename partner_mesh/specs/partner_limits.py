"""How often a partner may ask, and how often it may be asked: local rate limits an entry and a route.

What comes in is counted at the application's sidecar, what goes out at the egress gateway, each proxy for itself. One
EnvoyFilter a partner and proxy, inserted behind authorisation: a limit bounds load and decides about nobody's rights,
so its absence opens nothing. On a partner gateway the same filters would stand in every partner's chain (design,
`lab.md` fault 4).
"""

from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.config.traffic import Match
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace
from partner_mesh.specs.entry import entry_name
from partner_mesh.specs.inbound_authorization import headers_at_the_application, operation_methods
from partner_mesh.specs.local_rate_limit import Limited, buckets, inserted, rate_limit_filter
from partner_mesh.specs.routing import below, image
from partner_mesh.specs.stack import owned


def inbound_limits(stack: Stack, partner: Partner) -> tuple[Manifest, ...]:
    """One filter for each application that has a limited entry or route of the partner."""
    limited: dict[str, list[Limited]] = {}
    for entry in partner.inbound:
        for application in dict.fromkeys(route.application for route in entry.routes):
            if found := _of_application(entry, application):
                limited.setdefault(application, []).extend(found)
    return tuple(
        rate_limit_filter(
            stack,
            application,
            f"{partner.name}.{application}",
            labels=owned(partner=partner.name, application=application),
            limited=found,
        )
        for application, found in limited.items()
    )


def _of_application(entry: Inbound, application: str) -> list[Limited]:
    """The entry's bucket counts what reaches this application; each limited route has one besides."""
    found = [Limited(entry.rate_limit, Match(), entry.host)] if entry.rate_limit is not None else []
    for route in entry.routes:
        if route.application == application and route.rate_limit is not None and route.path is not None:
            match = Match(
                methods=operation_methods(entry, route),
                path=image(route.path, route.rewrite),
                headers=dict(headers_at_the_application(route)),
            )
            found.append(Limited(route.rate_limit, match, entry.host))
    return found


def outbound_limit(stack: Stack, partner: Partner, entry: Outbound) -> tuple[Manifest, ...]:
    """One filter at the egress gateway for a limited entry: by host, and by alias below its prefix, a bucket each."""
    if entry.rate_limit is None:
        return ()
    limited = [Limited(entry.rate_limit, Match(), entry.host)]
    if entry.alias is not None:
        prefix = Match(path=below(entry.alias.prefix, "/{**}"))
        limited.append(Limited(entry.rate_limit, prefix, entry.alias.host))
    gateway, name = stack.outbound_gateway(entry), entry_name(partner.name, entry.label)
    value = {"name": f"{name}.local_ratelimit", "typed_config": buckets(name, limited=limited)}
    labels, pods = owned(partner=partner.name), {"istio": gateway}
    return (inserted("GATEWAY", gateway_namespace(gateway), pods, name=name, labels=labels, value=value),)

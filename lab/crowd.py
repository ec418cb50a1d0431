"""A stack with as many partners as one likes, all like one of its own, each with its own hosts, names and addresses."""

import ipaddress
from typing import Final

from lab import LabError
from partner_mesh.config.partner import EnforceAt, Inbound, Outbound, Partner
from partner_mesh.config.stack import Stack

RANGES: Final = "100.64.0.0/10"  # RFC 6598: no host of a lab lives there
RANGE_PREFIX: Final = 29


def crowd(stack: Stack, count: int, *, enforce_at: EnforceAt, per_gateway: int | None = None) -> Stack:
    """The stack with `count` partners like its first that goes both ways over HTTP.

    `per_gateway`: how many a gateway takes before it splits into shards; None: as the configuration's default.
    Raises LabError if no partner of the stack goes both ways.
    """
    model = next((p for p in stack.partners if _both_ways(p)), None)
    if model is None:
        raise LabError(f"lab scale: no partner of {stack.name} goes both ways over HTTP: there is none to copy")
    blocks = ipaddress.IPv4Network(RANGES).subnets(new_prefix=RANGE_PREFIX)
    partners = tuple(_copy(model, number, str(block)) for number, block in zip(range(count), blocks, strict=False))
    return enforced(stack, enforce_at, per_gateway).model_copy(update={"partners": partners})


def enforced(stack: Stack, enforce_at: EnforceAt, per_gateway: int | None = None) -> Stack:
    """The stack with its partner gateways' `enforceAt` and `maxPartners` set."""
    gateways = {
        name: gateway
        if (gateway.direction, gateway.exposure) != ("ingress", "partner")
        else gateway.model_copy(update={"enforce_at": enforce_at, "max_partners": per_gateway})
        for name, gateway in stack.platform.gateways.items()
    }
    return stack.model_copy(update={"platform": stack.platform.model_copy(update={"gateways": gateways})})


def _both_ways(partner: Partner) -> bool:
    return any(i.protocol == "http" for i in partner.inbound) and any(o.protocol == "http" for o in partner.outbound)


def _copy(model: Partner, number: int, block: str) -> Partner:
    name = f"{model.name[:40]}-{number:04d}"
    inbound = next(i for i in model.inbound if i.protocol == "http")
    outbound = next(o for o in model.outbound if o.protocol == "http")
    return model.model_copy(
        update={
            "name": name, "hairpin": False, "certificates": (), "enforce_at": None,
            "inbound": (_inbound(inbound, name, block),), "outbound": (_outbound(outbound, name),),
        }
    )  # fmt: skip


def _inbound(inbound: Inbound, name: str, block: str) -> Inbound:
    shown = inbound.client_certificate.model_copy(
        update={"ca": f"{name}-ca", "subject_alt_names": (f"callbacks.{name}.example",)}
    )
    return inbound.model_copy(
        update={
            "host": f"{name}.{inbound.host.partition('.')[2]}", "name": "api", "enforce_at": None,
            "client_certificate": shown, "source_ranges": (block,), "any_source": False,
        }
    )  # fmt: skip


def _outbound(outbound: Outbound, name: str) -> Outbound:
    tls = outbound.tls.model_copy(
        update={"certificate": outbound.tls.certificate and f"{name}-client", "subject_alt_names": (), "sni": None}
    )
    return outbound.model_copy(update={"host": f"api.{name}.example", "name": None, "alias": None, "tls": tls})

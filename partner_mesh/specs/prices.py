"""What AWS charges, dated and with its source; `partner-mesh cost` multiplies and marks what is not confirmed.

US dollars, list price, on demand, Linux, without tax. Taken on 2026-11-23. `confirmed` names a page that was read
when the table was made; the others are the author's knowledge of the public price pages and are shown with a `~`: put
them right here, in one place, when you have the page open.
"""

from dataclasses import dataclass
from typing import Final

AS_OF: Final = "2026-11-23"
HOURS: Final = 730  # an average month, as AWS's own calculator counts


@dataclass(frozen=True, slots=True)
class Price:
    """One unit's price and the unit it is for."""

    usd: float
    per: str
    confirmed: str | None = None  # the source that was read, or None


_PER_HOUR: Final = "hour"
_VCPU_HOUR: Final[dict[str, dict[str, Price]]] = {
    # Per `large` (2 vCPU); sizes are exact multiples within these families (EC2 on-demand price page).
    "us-east-1": {
        "m5": Price(0.096, _PER_HOUR),
        "m6i": Price(0.096, _PER_HOUR),
        "m6a": Price(0.0864, _PER_HOUR),
        "m6g": Price(0.077, _PER_HOUR),
        "m7i": Price(0.1008, _PER_HOUR),
        "m7g": Price(0.0816, _PER_HOUR, "factualminds.com: EC2 on-demand pricing, June 2026"),
        "c6i": Price(0.085, _PER_HOUR),
        "r6i": Price(0.126, _PER_HOUR),
    },
    "eu-central-1": {
        "m5": Price(0.115, _PER_HOUR),
        "m6i": Price(0.115, _PER_HOUR),
        "m6a": Price(0.1035, _PER_HOUR),
        "m6g": Price(0.092, _PER_HOUR),
        "m7i": Price(0.1208, _PER_HOUR),
        "m7g": Price(0.0979, _PER_HOUR),
        "c6i": Price(0.097, _PER_HOUR),
        "r6i": Price(0.152, _PER_HOUR),
    },
}
_SIZES: Final = {"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16, "12xlarge": 24, "16xlarge": 32}

SERVICES: Final[dict[str, dict[str, Price]]] = {
    "us-east-1": {
        "eks": Price(0.10, _PER_HOUR),
        "nat": Price(0.045, _PER_HOUR, "cloudburn.io: NAT Gateway pricing, February 2026"),
        "nat-gb": Price(0.045, "GB", "cloudburn.io: NAT Gateway pricing, February 2026"),
        "ipv4": Price(0.005, _PER_HOUR, "cloudburn.io: NAT Gateway pricing, February 2026"),
        "alb": Price(0.0225, _PER_HOUR),
        "nlb": Price(0.0225, _PER_HOUR),
        "endpoint": Price(0.01, _PER_HOUR),
        "gp3": Price(0.08, "GB-month"),
        "logs": Price(0.50, "GB"),
    },
    "eu-central-1": {
        "eks": Price(0.10, _PER_HOUR),
        "nat": Price(0.052, _PER_HOUR),
        "nat-gb": Price(0.052, "GB"),
        "ipv4": Price(0.005, _PER_HOUR, "cloudburn.io: NAT Gateway pricing, February 2026"),
        "alb": Price(0.027, _PER_HOUR),
        "nlb": Price(0.027, _PER_HOUR),
        "endpoint": Price(0.012, _PER_HOUR),
        "gp3": Price(0.0952, "GB-month"),
        "logs": Price(0.63, "GB"),
    },
}
EVERYWHERE: Final[dict[str, Price]] = {
    "waf": Price(5.0, "month"),
    "waf-rule": Price(1.0, "month"),
    "kms": Price(1.0, "month"),
    "secret": Price(0.40, "month"),
    "zone": Price(0.50, "month"),
    "shield": Price(3000.0, "month"),
}


def regions() -> tuple[str, ...]:
    """Regions that the table knows."""
    return tuple(SERVICES)


def instance(region: str, kind: str) -> Price | None:
    """An instance's price an hour, or None where the table does not know its family or size."""
    family, _, size = kind.partition(".")
    base = _VCPU_HOUR.get(region, {}).get(family)
    factor = _SIZES.get(size)
    if base is None or factor is None:
        return None
    return Price(base.usd * factor, base.per, base.confirmed)

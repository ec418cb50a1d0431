"""Facts about versions and service limits that rules judge by, each with its source.

They change outside of this project: a new minor of Istio, Kubernetes or EKS is one line here.
"""

from collections.abc import Mapping
from typing import Final

# Istio minor → the Kubernetes minors it supports (istio.io, "Support status of Istio releases").
# 1.31 as design/domain.md states it. 1.32 and 1.33 were not out when this was written: until their pages say more,
# they are held to the range of 1.31, the last one published.
ISTIO_SUPPORTS: Final[Mapping[int, tuple[int, int]]] = {
    28: (30, 34),
    29: (31, 35),
    30: (32, 36),
    31: (32, 36),
    32: (32, 36),
    33: (32, 36),
}

# Kubernetes minors that EKS offers, in standard or extended support (docs.aws.amazon.com, EKS "Kubernetes versions").
EKS_VERSIONS: Final = (32, 36)

# Quotas (docs.aws.amazon.com): rules a direction per security group, groups per interface; certificates per ALB
# without its default one.
RULES_PER_GROUP: Final = 60
GROUPS_PER_INTERFACE: Final = 5
CERTIFICATES_PER_ALB: Final = 25

# Capacity of a web ACL, and where its surcharge begins (AWS WAF developer guide, "Web ACL capacity units").
WEB_ACL_CAPACITY: Final = 5000
WEB_ACL_SURCHARGE: Final = 1500

# Capacity of AWS' managed rule groups (AWS WAF developer guide: "Baseline", "Use-case specific", "IP reputation" and
# "Bot Control" rule groups, "WCU:" of each).
MANAGED_RULES_CAPACITY: Final[Mapping[str, int]] = {
    "common": 700,
    "knownBadInputs": 200,
    "sqli": 200,
    "ipReputation": 25,
    "anonymousIp": 50,
    "linux": 200,
    "adminProtection": 100,
    "botControl": 50,
}
# Capacity of our own rules (same guide, "Match rule statements", "Rate-based rule statement"): an IP set 1, a
# geographic match 1, a rate 2, a "starts with" 2 and 10 for the normalisation of its path.
IP_SET_CAPACITY: Final = 1
GEOGRAPHIC_CAPACITY: Final = 1
RATE_CAPACITY: Final = 2
PATH_PREFIX_CAPACITY: Final = 12

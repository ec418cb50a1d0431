"""A partner's addresses at its gateway, before TLS: strangers get no handshake.

With Calico each partner brings a NetworkSet, and the gateway's one static policy admits whatever set carries a
partner's label, so that no shared object changes. Without Calico each brings a NetworkPolicy; those add up.
"""

from collections.abc import Sequence
from typing import Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import CALICO, PARTNER_LABEL, gateway_namespace
from partner_mesh.specs.network_policy import block, policy, rule
from partner_mesh.specs.stack import GATEWAY_TARGET_PORT, owned

# Everywhere, said in two: an ipset, which a NetworkSet becomes, cannot hold a block of length zero.
ANY_SOURCE_HALVES: Final = ("0.0.0.0/1", "128.0.0.0/1")
ANY_SOURCE: Final = "0.0.0.0/0"


def partner_addresses(stack: Stack, partner: str, gateway: str, ranges: Sequence[str], *, any_source: bool) -> Manifest:
    """What lets one partner's addresses reach a gateway. `any_source` is said in so many words, never by absence."""
    labels = owned(partner=partner, gateway=gateway)
    namespace = gateway_namespace(gateway)
    if stack.platform.calico.present:
        nets = list(ANY_SOURCE_HALVES) if any_source else list(ranges)
        return Manifest(CALICO, "NetworkSet", partner, namespace, labels, body={"spec": {"nets": nets}})
    blocks = [block(cidr) for cidr in ((ANY_SOURCE,) if any_source else ranges)]
    return policy(
        f"{partner}.addresses",
        namespace,
        labels,
        {"matchLabels": {"istio": gateway}},
        ingress=[rule("ingress", blocks, [GATEWAY_TARGET_PORT])],
    )


def admit_network_sets(gateway: str) -> Manifest:
    """The gateway's static Calico policy: every NetworkSet of its namespace that is some partner's.

    It only allows; what nobody allows the namespace's default-deny drops at the end of the tier.
    """
    spec = {
        "order": 500,
        "selector": f"istio == '{gateway}'",
        "types": ["Ingress"],
        "ingress": [
            {
                "action": "Allow",
                "protocol": "TCP",
                "source": {"selector": f"has({PARTNER_LABEL})"},
                "destination": {"ports": [GATEWAY_TARGET_PORT]},
            }
        ],
    }
    namespace, labels = gateway_namespace(gateway), owned(gateway=gateway)
    return Manifest(CALICO, "NetworkPolicy", "partner-addresses", namespace, labels, body={"spec": spec})

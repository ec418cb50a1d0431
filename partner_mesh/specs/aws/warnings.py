"""What a person would want to know before `up`. None is a mistake: those are refused when configuration is read."""

from collections.abc import Iterator

from partner_mesh.config.platform import EksCluster, Network
from partner_mesh.config.stack import Stack
from partner_mesh.config.support import RULES_PER_GROUP, WEB_ACL_SURCHARGE
from partner_mesh.specs.aws import firewall, group_rules
from partner_mesh.specs.aws.cluster import unpinned
from partner_mesh.specs.aws.subnets import NODE_ENDPOINTS, closed


def warnings(stack: Stack) -> Iterator[str]:
    """One sentence each; nothing where no AWS resource is made."""
    cluster, network = stack.platform.cluster, stack.platform.network
    if not isinstance(cluster, EksCluster) or network is None or stack.platform.shared is not None:
        return
    yield from _cluster(cluster)
    yield from _network(stack, network)
    yield from _edge(stack)


def _cluster(cluster: EksCluster) -> Iterator[str]:
    if not cluster.admins:
        yield "cluster.admins is empty: nobody, this program included, may use the cluster once it is made"
    if not cluster.deletion_protection:
        yield "deletion protection is off: `destroy` takes the cluster, its load balancers and the addresses with it"
    if cluster.endpoint.allowed_cidrs:
        yield f"the API server is reachable from {', '.join(cluster.endpoint.allowed_cidrs)}"
    if all(group.dedicated for group in cluster.node_groups.values()):
        yield "every node group is dedicated: CoreDNS, istiod and the controllers have no node to run on"
    if names := unpinned(cluster):
        yield f"add-ons without a version for Kubernetes {cluster.version}, EKS chooses: {', '.join(names)}"


def _network(stack: Stack, network: Network) -> Iterator[str]:
    if stack.platform.environment == "prod" and network.nat_gateways < network.zones:
        yield f"{network.nat_gateways} NAT gateway(s) for {network.zones} zones: a zone's failure may cut partners off"
    hub = stack.platform.mesh.hub
    if not closed(network.endpoints):
        missing = ", ".join(name for name in NODE_ENDPOINTS if name not in network.endpoints)
        yield f"private subnets have a route to the internet: network.endpoints lacks {missing}"
    elif ".dkr.ecr." not in hub and stack.platform.mesh.managed:
        yield f"private subnets have no route to the internet, so no node can pull from mesh.hub {hub}"


def _edge(stack: Stack) -> Iterator[str]:
    for group, direction, count in group_rules.over_limit(group_rules.groups(stack)):
        yield f"security group {group} has {count} {direction} rules; AWS takes {RULES_PER_GROUP}"
    units = firewall.capacity(firewall.rules(stack.platform.firewall))
    if stack.gateways("ingress", "web") and units > WEB_ACL_SURCHARGE:
        yield f"the web ACL needs {units} capacity units; above {WEB_ACL_SURCHARGE} each request costs more"
    unnamed = [name for name, gateway in stack.gateways("ingress") if gateway.zone_id is None]
    if unnamed:
        yield f"no zoneId on gateway {', '.join(unnamed)}: make their DNS records yourself, from the outputs"

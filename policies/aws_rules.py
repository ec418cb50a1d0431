"""Rules on AWS resources. Property names are those of pulumi-aws 7 (camelCase, as the engine sees them)."""

from collections.abc import Iterator, Sequence

from policies.rule import Props, Resource, Rule, StackRule, field, items

WORLD = ("0.0.0.0/0", "::/0")
LOGS = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
_LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
_WAF_ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"


def _public_endpoint(cluster: Props) -> Iterator[str]:
    if field(cluster, "vpcConfig", "endpointPublicAccess") is False:
        return
    ranges = list(items(cluster, "vpcConfig", "publicAccessCidrs"))
    if not ranges or any(block in WORLD for block in ranges):
        yield "the Kubernetes API is open to the internet: set endpoint.private, or name endpoint.allowedCidrs"


def _cluster_secrets(cluster: Props) -> Iterator[str]:
    if not field(cluster, "encryptionConfig", "provider", "keyArn") and "encryptionConfig" not in cluster:
        yield "Kubernetes Secrets are not encrypted with a key of ours: give encryptionConfig a KMS key"


def _cluster_logs(cluster: Props) -> Iterator[str]:
    missing = LOGS - set(items(cluster, "enabledClusterLogTypes"))
    if missing:
        yield f"control-plane logs are off: {', '.join(sorted(missing))}"


def _cluster_access(cluster: Props) -> Iterator[str]:
    if field(cluster, "accessConfig", "authenticationMode") != "API":
        yield "access is not by access entries alone: authenticationMode must be API"


def _open_ingress(rule: Props) -> Iterator[str]:
    ports = (field(rule, "fromPort"), field(rule, "toPort"))
    for key in ("cidrIpv4", "cidrIpv6"):
        if field(rule, key) in WORLD and ports not in ((443, 443), (80, 80)):  # 80: where browsers are sent on to 443
            yield "the internet may reach more than ports 443 and 80: name the addresses or the ports"


def _undescribed(rule: Props) -> Iterator[str]:
    if not field(rule, "description"):
        yield "a rule without a description: say which edge it is"


def _inline_rules(group: Props) -> Iterator[str]:
    if field(group, "ingress") or field(group, "egress"):
        yield "rules inside the group: one resource a rule, so that one rule's change previews as that"


def _volumes(template: Props) -> Iterator[str]:
    mappings = list(items(template, "blockDeviceMappings"))
    if not mappings:
        yield "no volume is named, so none is encrypted by us: give blockDeviceMappings with ebs.encrypted"
    for mapping in mappings:
        if str(field(mapping, "ebs", "encrypted")).lower() != "true":
            yield f"volume {field(mapping, 'deviceName')} is not encrypted"


def _metadata_service(template: Props) -> Iterator[str]:
    if field(template, "metadataOptions", "httpTokens") != "required":
        yield "the metadata service answers without a token (IMDSv1): set httpTokens to required"
    if field(template, "metadataOptions", "httpPutResponseHopLimit") != 1:
        yield "pods reach the metadata service: set httpPutResponseHopLimit to 1"


def _volume(volume: Props) -> Iterator[str]:
    if field(volume, "encrypted") is not True:
        yield "the volume is not encrypted"


def _key_rotation(key: Props) -> Iterator[str]:
    if field(key, "enableKeyRotation") is not True:
        yield "the key does not rotate: set enableKeyRotation"


def _listener_tls(listener: Props) -> Iterator[str]:
    protocol, policy = field(listener, "protocol"), str(field(listener, "sslPolicy") or "")
    if protocol == "HTTPS" and not policy.startswith("ELBSecurityPolicy-TLS13-1-"):
        yield f"sslPolicy {policy or 'of old'} may speak TLS below 1.2: use an ELBSecurityPolicy-TLS13-1-2 one"
    if protocol == "HTTP" and any(field(action, "type") != "redirect" for action in items(listener, "defaultActions")):
        yield "plain HTTP is served: a port-80 listener may only redirect"


def _load_balancer(balancer: Props) -> Iterator[str]:
    if not list(items(balancer, "securityGroups")) and "securityGroups" not in balancer:
        yield "no security group: a network load balancer takes one only when it is created"
    if field(balancer, "loadBalancerType") == "application" and field(balancer, "dropInvalidHeaderFields") is not True:
        yield "invalid header fields pass: set dropInvalidHeaderFields"


def _client_addresses(group: Props) -> Iterator[str]:
    tcp = field(group, "protocol") in ("TCP", "TLS")
    if tcp and str(field(group, "preserveClientIp")).lower() != "true":
        yield "client addresses are lost, so allow-lists judge the load balancer: set preserveClientIp"


def _wildcard_permissions(policy: Props) -> Iterator[str]:
    text = field(policy, "policy")
    if isinstance(text, str) and any(shape in text.replace(" ", "") for shape in ('"Action":"*"', '"Action":["*"]')):
        yield "a role may do everything: name the actions"


def _firewall_planes(resources: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    """WAF attaches to an application load balancer, never to a network one; each web load balancer has one."""
    balancers = [r for r in resources if r.type == _LOAD_BALANCER]
    guarded = sum(1 for r in resources if r.type == _WAF_ASSOCIATION)
    web = [r for r in balancers if field(r.props, "loadBalancerType") in (None, "application")]
    if len(web) > guarded:
        for balancer in web:
            yield balancer.name, "a web load balancer stands without a firewall: associate the WebACL"
    if guarded > len(web):
        network = [r for r in balancers if field(r.props, "loadBalancerType") == "network"]
        for balancer in network or balancers[:1]:
            yield balancer.name, "a firewall is associated with a network load balancer, which cannot hold one"


RULES: tuple[Rule, ...] = (
    Rule(
        "eks-public-endpoint",
        "The Kubernetes API is not open to the internet.",
        ("aws:eks/cluster:Cluster",),
        _public_endpoint,
    ),
    Rule(
        "eks-secrets-encrypted", "Secrets are encrypted with our key.", ("aws:eks/cluster:Cluster",), _cluster_secrets
    ),
    Rule("eks-control-plane-logs", "All control-plane logs are on.", ("aws:eks/cluster:Cluster",), _cluster_logs),
    Rule("eks-access-entries", "Access is by access entries alone.", ("aws:eks/cluster:Cluster",), _cluster_access),
    Rule(
        "open-group",
        "The internet reaches 443 and 80 at most.",
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",),
        _open_ingress,
    ),
    Rule("rule-described", "Each rule names its edge.", ("aws:vpc/securityGroup*",), _undescribed),
    Rule("inline-rules", "One resource a rule.", ("aws:ec2/securityGroup:SecurityGroup",), _inline_rules),
    Rule("node-volumes", "Node volumes are encrypted.", ("aws:ec2/launchTemplate:LaunchTemplate",), _volumes),
    Rule("imds", "IMDSv2 with hop limit 1.", ("aws:ec2/launchTemplate:LaunchTemplate",), _metadata_service),
    Rule("volume-encrypted", "Volumes are encrypted.", ("aws:ebs/volume:Volume",), _volume),
    Rule("key-rotation", "Keys rotate.", ("aws:kms/key:Key",), _key_rotation),
    Rule("listener-tls", "TLS 1.2 at least.", ("aws:lb/listener:Listener",), _listener_tls),
    Rule("load-balancer", "Load balancers have groups and drop invalid headers.", (_LOAD_BALANCER,), _load_balancer),
    Rule(
        "client-addresses",
        "Target groups keep client addresses.",
        ("aws:lb/targetGroup:TargetGroup",),
        _client_addresses,
    ),
    Rule(
        "wildcard-permissions",
        "No role may do everything.",
        ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"),
        _wildcard_permissions,
    ),
)
STACK_RULES: tuple[StackRule, ...] = (
    StackRule("firewall-planes", "WAF on every web load balancer, and only there.", _firewall_planes),
)

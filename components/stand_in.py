"""The cloud's side of a program that runs without a cloud: identifiers, addresses and ARNs in place of those AWS gives.

Pure data in the providers' own spelling (camelCase), so that the recorder (`recording.py`) and the echoing provider of
the engine tests answer alike. Every value is derived from the URN: two runs give the same answers. Nothing here is
reachable: names end in `.invalid` (RFC 2606) and public addresses lie in 192.0.2.0/24 and 198.51.100.0/24 (RFC 5737).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Properties = Mapping[str, Any]

# Prefixes of EC2's identifiers where they are not the type's own name.
_PREFIXES: Final[Mapping[str, str]] = {
    "defaultSecurityGroup": "sg",
    "eip": "eipalloc",
    "flowLog": "fl",
    "internetGateway": "igw",
    "launchTemplate": "lt",
    "natGateway": "nat",
    "networkAcl": "acl",
    "networkInterface": "eni",
    "routeTable": "rtb",
    "routeTableAssociation": "rtbassoc",
    "securityGroup": "sg",
    "securityGroupRule": "sgrule",
    "vpcEndpoint": "vpce",
}

# Types whose identifier is the name they carry, by the input that holds it.
_NAMED_BY: Final[Mapping[str, str]] = {
    "aws:cloudwatch/logGroup:LogGroup": "name",
    "aws:eks/cluster:Cluster": "name",
    "aws:iam/instanceProfile:InstanceProfile": "name",
    "aws:iam/role:Role": "name",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketV2:BucketV2": "bucket",
}


@dataclass(frozen=True, slots=True)
class StandIn:
    """An AWS account that exists only here. `eks_endpoint` and `eks_ca` (base64) may name a real API server instead."""

    region: str = "eu-central-1"
    account: str = "111122223333"
    eks_endpoint: str | None = None
    eks_ca: str = "c3RhbmQtaW4="
    exported: Mapping[str, Any] = field(default_factory=dict)  # what a StackReference to any other stack finds

    def created(self, urn: str, inputs: Properties) -> tuple[str, dict[str, Any]]:
        """The identifier of a resource and what its provider would add to `inputs`, top-level keys only."""
        token, name = urn.split("::")[2].rpartition("$")[2], urn.split("::", 3)[3]
        package = token.partition(":")[0]
        if token.endswith(":StackReference"):
            return str(inputs.get("name", name)), {"outputs": dict(self.exported), "secretOutputNames": []}
        if package == "pulumi":  # pulumi:providers:aws and the like: only their identifier is looked at
            return _digest(urn), {}
        if package == "kubernetes":
            return _kubernetes(token, name, inputs)
        return self._aws(token, name, urn, inputs) if package == "aws" else (name, {})

    def answer(self, token: str, args: Properties) -> dict[str, Any]:
        """What a data source answers. Raises LookupError for one that nobody has thought of yet."""
        function = token.rpartition(":")[2]
        known = _ANSWERS.get(function)
        if known is None:
            raise LookupError(
                f"no stand-in answers {token}: a program that runs without AWS needs one in components/stand_in.py"
            )
        return known(self, args)

    def _aws(self, token: str, name: str, urn: str, inputs: Properties) -> tuple[str, dict[str, Any]]:
        module, _, kind = token.split(":")[1].partition("/")
        if token in _NAMED_BY:
            identifier = str(inputs.get(_NAMED_BY[token]) or name)
        else:
            identifier = f"{_PREFIXES.get(kind, kind.lower())}-{_digest(urn)}"
        outputs: dict[str, Any] = {"arn": f"arn:aws:{module}:{self.region}:{self.account}:{kind}/{identifier}"}
        if "name" not in inputs:  # AWS, or Pulumi's autonaming, gives one
            outputs["name"] = name
        outputs |= _ADDITIONS[token](self, identifier, inputs) if token in _ADDITIONS else {}
        return (outputs["arn"] if token in _IDENTIFIED_BY_ARN else identifier), outputs


def unknown_additions(additions: Properties, inputs: Properties, unknown: object) -> dict[str, Any]:
    """`additions` as a provider gives them in a preview: what it would compute is `unknown`, what was asked for is not.

    A computed list is unknown as a whole, a computed field of a section that was given is unknown in its place.
    """
    return {
        key: value
        if key in inputs and inputs[key] == value
        else unknown_additions(value, given, unknown)
        if isinstance(value, Mapping) and isinstance(given := inputs.get(key) or {}, Mapping)
        else unknown
        for key, value in additions.items()
    }


def _digest(text: str) -> str:
    """17 hexadecimal digits, as EC2's identifiers have."""
    return hashlib.sha256(text.encode()).hexdigest()[:17]


def _octet(identifier: str) -> int:
    return int(hashlib.sha256(identifier.encode()).hexdigest(), 16) % 254 + 1


def _kubernetes(token: str, name: str, inputs: Properties) -> tuple[str, dict[str, Any]]:
    """Identifiers as pulumi-kubernetes gives them: `namespace/name`, or the name alone where there is no namespace."""
    if token.startswith("kubernetes:helm.sh/"):
        namespace, release = inputs.get("namespace", "default"), inputs.get("name", name)
        return f"{namespace}/{release}", {"status": {"name": release, "namespace": namespace, "status": "deployed"}}
    metadata = inputs.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    own, namespace = metadata.get("name", name), metadata.get("namespace")
    return (f"{namespace}/{own}" if namespace else str(own)), {}


def _cluster(account: StandIn, name: str, inputs: Properties) -> dict[str, Any]:
    certificate = {"data": account.eks_ca}
    issuer = f"https://oidc.eks.{account.region}.invalid/id/{_digest(name).upper()}"
    vpc_config = {"clusterSecurityGroupId": f"sg-{_digest('cluster' + name)}", "vpcId": f"vpc-{_digest('of' + name)}"}
    return {
        "arn": f"arn:aws:eks:{account.region}:{account.account}:cluster/{name}",
        "certificateAuthority": certificate,
        "certificateAuthorities": [certificate],
        "endpoint": account.eks_endpoint or f"https://{name}.eks.invalid",
        "identities": [{"oidcs": [{"issuer": issuer}]}],
        "platformVersion": "eks.1",
        "status": "ACTIVE",
        "vpcConfig": {**(inputs.get("vpcConfig") or {}), **vpc_config},
    }


def _node_group(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    name = inputs.get("nodeGroupName") or identifier
    return {"resources": [{"autoscalingGroups": [{"name": f"eks-{name}"}]}], "status": "ACTIVE"}


def _launch_template(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"defaultVersion": 1, "latestVersion": 1}


def _role(account: StandIn, name: str, inputs: Properties) -> dict[str, Any]:
    return {"arn": f"arn:aws:iam::{account.account}:role{inputs.get('path', '/')}{name}", "uniqueId": _digest(name)}


def _policy(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"arn": f"arn:aws:iam::{account.account}:policy/{inputs.get('name') or identifier}"}


def _open_id_provider(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    issuer = str(inputs.get("url", "")).removeprefix("https://")
    return {"arn": f"arn:aws:iam::{account.account}:oidc-provider/{issuer}"}


def _key(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"keyId": identifier}


def _vpc(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {
        "defaultNetworkAclId": f"acl-{_digest(identifier)}",
        "defaultRouteTableId": f"rtb-{_digest(identifier)}",
        "defaultSecurityGroupId": f"sg-{_digest(identifier)}",
        "mainRouteTableId": f"rtb-{_digest(identifier)}",
        "ownerId": account.account,
    }


def _eip(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"allocationId": identifier, "publicIp": f"192.0.2.{_octet(identifier)}"}


def _nat_gateway(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"publicIp": f"192.0.2.{_octet(str(inputs.get('allocationId', identifier)))}"}


def _load_balancer(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    kind = "net" if inputs.get("loadBalancerType") == "network" else "app"
    suffix = f"{kind}/{identifier}"
    return {
        "arn": f"arn:aws:elasticloadbalancing:{account.region}:{account.account}:loadbalancer/{suffix}",
        "arnSuffix": suffix,
        "dnsName": f"{identifier}.elb.{account.region}.invalid",
        "zoneId": f"Z{_digest(identifier).upper()}",
    }


def _target_group(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    arn = f"arn:aws:elasticloadbalancing:{account.region}:{account.account}:targetgroup/{identifier}"
    return {"arn": arn, "arnSuffix": f"targetgroup/{identifier}"}


def _certificate(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    names = (inputs.get("domainName"), *(inputs.get("subjectAlternativeNames") or ()))
    options = [
        {
            "domainName": name,
            "resourceRecordName": f"_{_digest(str(name))}.{name}.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": f"_{_digest(identifier)}.acm-validations.invalid.",
        }
        for name in dict.fromkeys(name for name in names if name)
    ]
    return {"domainValidationOptions": options}


def _record(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"fqdn": str(inputs.get("name", "")).rstrip(".")}


def _zone(account: StandIn, identifier: str, inputs: Properties) -> dict[str, Any]:
    return {"nameServers": [f"ns-{n}.dns.invalid" for n in range(4)], "zoneId": f"Z{_digest(identifier).upper()}"}


def _zones(account: StandIn, args: Properties) -> dict[str, Any]:
    letters = "abc"
    return {
        "groupNames": [account.region],
        "id": account.region,
        "names": [f"{account.region}{letter}" for letter in letters],
        "region": account.region,
        "zoneIds": [f"{_digest(account.region)[:4]}-az{n}" for n in range(1, len(letters) + 1)],
    }


def _caller(account: StandIn, args: Properties) -> dict[str, Any]:
    number = account.account
    return {"accountId": number, "arn": f"arn:aws:iam::{number}:user/stand-in", "id": number, "userId": "STANDIN"}


def _region(account: StandIn, args: Properties) -> dict[str, Any]:
    name = account.region
    return {"description": name, "endpoint": f"ec2.{name}.invalid", "id": name, "name": name, "region": name}


def _partition(account: StandIn, args: Properties) -> dict[str, Any]:
    return {"dnsSuffix": "amazonaws.com", "id": "aws", "partition": "aws", "reverseDnsPrefix": "com.amazonaws"}


def _policy_document(account: StandIn, args: Properties) -> dict[str, Any]:
    """An IAM policy in JSON; statements keep what the program gave, under IAM's own keys."""
    keys = {"actions": "Action", "effect": "Effect", "notActions": "NotAction", "resources": "Resource", "sid": "Sid"}
    statements = [
        {"Effect": "Allow", **{keys.get(key, key[:1].upper() + key[1:]): value for key, value in statement.items()}}
        for statement in args.get("statements") or ()
    ]
    text = json.dumps({"Statement": statements, "Version": "2012-10-17"}, sort_keys=True)
    return {"id": _digest(text), "json": text, "minifiedJson": text}


def _prefix_list(account: StandIn, args: Properties) -> dict[str, Any]:
    name = str(args.get("name", "prefix-list"))
    identifier = f"pl-{_digest(name)}"
    return {"entries": [{"cidr": "198.51.100.0/24"}], "id": identifier, "name": name, "ownerId": account.account}


def _addon_version(account: StandIn, args: Properties) -> dict[str, Any]:
    return {**args, "id": str(args.get("addonName")), "version": "v1.0.0-eksbuild.1"}


def _cluster_auth(account: StandIn, args: Properties) -> dict[str, Any]:
    return {"id": str(args.get("name")), "name": str(args.get("name")), "token": "stand-in"}


_ADDITIONS: Final[Mapping[str, Callable[[StandIn, str, Properties], dict[str, Any]]]] = {
    "aws:acm/certificate:Certificate": _certificate,
    "aws:ec2/eip:Eip": _eip,
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ec2/natGateway:NatGateway": _nat_gateway,
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _open_id_provider,
    "aws:iam/policy:Policy": _policy,
    "aws:iam/role:Role": _role,
    "aws:kms/key:Key": _key,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:lb/targetGroup:TargetGroup": _target_group,
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
}

_IDENTIFIED_BY_ARN: Final[frozenset[str]] = frozenset(
    {
        "aws:acm/certificate:Certificate",
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:iam/policy:Policy",
        "aws:lb/listener:Listener",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:lb/targetGroup:TargetGroup",
        "aws:wafv2/webAclAssociation:WebAclAssociation",
    }
)

_ANSWERS: Final[Mapping[str, Callable[[StandIn, Properties], dict[str, Any]]]] = {
    "getAddonVersion": _addon_version,
    "getAvailabilityZones": _zones,
    "getCallerIdentity": _caller,
    "getClusterAuth": _cluster_auth,
    "getManagedPrefixList": _prefix_list,
    "getPartition": _partition,
    "getPolicyDocument": _policy_document,
    "getPrefixList": _prefix_list,
    "getRegion": _region,
}

"""Each rule passes what is right and names what is wrong: one seeded violation a rule at least, and none without."""

from typing import Any

import pytest

from policies import aws_rules, kubernetes_rules
from policies.rule import Resource, Rule, StackRule

RULES: dict[str, Rule] = {rule.name: rule for rule in (*aws_rules.RULES, *kubernetes_rules.RULES)}
STACK_RULES: dict[str, StackRule] = {r.name: r for r in (*aws_rules.STACK_RULES, *kubernetes_rules.STACK_RULES)}

CLUSTER = {
    "vpcConfig": {"endpointPublicAccess": False},
    "encryptionConfig": {"provider": {"keyArn": "arn:aws:kms:x"}, "resources": ["secrets"]},
    "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
    "accessConfig": {"authenticationMode": "API"},
}
TEMPLATE = {
    "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}],
    "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
}
MUTUAL: dict[str, Any] = {
    "port": {"name": "https-acme", "number": 8443, "protocol": "HTTPS"},
    "hosts": ["istio-partners/acme.example.com"],
    "tls": {"mode": "MUTUAL", "subjectAltNames": ["c.acme.example"], "minProtocolVersion": "TLSV1_2"},
}
ENTRY = {"hosts": ["api.acme.example"], "resolution": "DNS", "exportTo": [".", "charging"]}
TLS = {"mode": "MUTUAL", "credentialName": "c", "sni": "api.acme.example", "subjectAltNames": ["api.acme.example"]}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def destination(tls: dict[str, Any], *export_to: str) -> dict[str, Any]:
    return spec(exportTo=list(export_to), trafficPolicy={"portLevelSettings": [{"port": {"number": 443}, "tls": tls}]})


# Rule → what it passes, and violations with a word of the sentence that must name each.
CASES: dict[str, tuple[list[dict[str, Any]], list[tuple[dict[str, Any], str]]]] = {
    "eks-public-endpoint": (
        [CLUSTER, {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/28"]}}],
        [
            ({"vpcConfig": {"endpointPublicAccess": True}}, "internet"),
            ({"vpcConfig": {"publicAccessCidrs": ["0.0.0.0/0"]}}, "internet"),
        ],
    ),
    "eks-secrets-encrypted": ([CLUSTER], [({}, "not encrypted")]),
    "eks-control-plane-logs": ([CLUSTER], [({"enabledClusterLogTypes": ["api"]}, "audit")]),
    "eks-access-entries": ([CLUSTER], [({"accessConfig": {"authenticationMode": "CONFIG_MAP"}}, "access entries")]),
    "open-group": (
        [
            {"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 443},
            {"cidrIpv4": "0.0.0.0/0", "fromPort": 80, "toPort": 80},
            {"cidrIpv4": "10.0.0.0/8", "fromPort": 22, "toPort": 22},
        ],
        [
            ({"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22}, "443"),
            ({"cidrIpv4": "0.0.0.0/0", "fromPort": 80, "toPort": 443}, "443"),
            ({"cidrIpv6": "::/0", "ipProtocol": "-1"}, "443"),
        ],
    ),
    "rule-described": ([{"description": "gateway to charging"}], [({}, "description")]),
    "inline-rules": ([{"description": "x"}], [({"ingress": [{}]}, "inside")]),
    "node-volumes": (
        [TEMPLATE],
        [({}, "no volume"), ({"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {}}]}, "/dev/xvda")],
    ),
    "imds": (
        [TEMPLATE],
        [({}, "IMDSv1"), ({"metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2}}, "HopLimit")],
    ),
    "volume-encrypted": ([{"encrypted": True}], [({"encrypted": False}, "not encrypted"), ({}, "not encrypted")]),
    "key-rotation": ([{"enableKeyRotation": True}], [({}, "rotate")]),
    "listener-tls": (
        [
            {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect"}]},
            {"protocol": "TCP"},
        ],
        [
            ({"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-2016-08"}, "2016-08"),
            ({"protocol": "HTTP", "defaultActions": [{"type": "forward"}]}, "redirect"),
        ],
    ),
    "load-balancer": (
        [
            {"loadBalancerType": "network", "securityGroups": ["sg-1"]},
            {"loadBalancerType": "application", "securityGroups": ["sg-1"], "dropInvalidHeaderFields": True},
        ],
        [
            ({"loadBalancerType": "network"}, "security group"),
            ({"loadBalancerType": "application", "securityGroups": ["sg-1"]}, "dropInvalidHeaderFields"),
        ],
    ),
    "client-addresses": (
        [{"protocol": "TCP", "preserveClientIp": "true"}, {"protocol": "HTTPS"}],
        [({"protocol": "TCP"}, "preserveClientIp")],
    ),
    "wildcard-permissions": (
        [{"policy": '{"Statement":[{"Action":["s3:GetObject"]}]}'}],
        [({"policy": '{"Statement":[{"Action": "*"}]}'}, "everything")],
    ),
    "plaintext-secret": ([{"metadata": {"name": "x"}}], [({"stringData": {"a": "b"}}, "ExternalSecret")]),
    "private-key": (
        [{"data": {"a": "-----BEGIN CERTIFICATE-----"}}],
        [({"data": {"k": "-----BEGIN RSA PRIVATE KEY-----"}}, "k holds")],
    ),
    "gateway-servers": (
        [
            spec(servers=[MUTUAL]),
            spec(servers=[{"hosts": ["*"], "tls": {"mode": "SIMPLE", "minProtocolVersion": "TLSV1_2"}}]),
            spec(servers=[{"hosts": ["istio-egress/*"], "tls": {"mode": "ISTIO_MUTUAL"}}]),
        ],
        [
            (spec(servers=[{**MUTUAL, "hosts": ["*.example.com"]}]), "wildcard"),
            (spec(servers=[{**MUTUAL, "tls": {**MUTUAL["tls"], "subjectAltNames": []}}]), "subjectAltNames"),
            (
                spec(servers=[{**MUTUAL, "tls": {**MUTUAL["tls"], "minProtocolVersion": "TLSV1_0"}}]),
                "minProtocolVersion",
            ),
            (spec(servers=[{**MUTUAL, "tls": {"mode": "OPTIONAL_MUTUAL"}}]), "OPTIONAL_MUTUAL"),
        ],
    ),
    "routes": (
        [spec(hosts=["a.example"], gateways=["mesh"], exportTo=["charging"])],
        [
            (spec(hosts=["*.example"]), "wildcard"),
            (spec(hosts=["a.example"], gateways=["mesh"], exportTo=["*"]), "exportTo"),
        ],
    ),
    "destination-tls": (
        [destination(TLS, "."), spec(exportTo=["*"], trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}})],
        [
            (destination({**TLS, "insecureSkipVerify": True}, "."), "insecureSkipVerify"),
            (destination({**TLS, "subjectAltNames": []}, "."), "subjectAltNames"),
            (destination(TLS, "*"), "plaintext"),
            (destination(TLS), "plaintext"),
            (spec(exportTo=["."], subsets=[{"trafficPolicy": {"tls": {"mode": "SIMPLE"}}}]), "subjectAltNames"),
        ],
    ),
    "service-entry": (
        [spec(**ENTRY), spec(**{**ENTRY, "resolution": "NONE", "addresses": ["10.40.64.0/20"]})],
        [
            (spec(**{**ENTRY, "hosts": ["*.acme.example"]}), "wildcard"),
            (spec(**{**ENTRY, "resolution": "NONE"}), "resolution"),
            (spec(**{**ENTRY, "exportTo": []}), "exportTo"),
        ],
    ),
    "authorization": (
        [{"spec": {}}, spec(rules=[{"to": [{"operation": {"methods": ["GET"]}}]}])],
        [
            (spec(rules=[{}]), "rule 0 is empty"),
            (spec(rules=[{"from": []}]), "from"),
            (spec(rules=[{"from": [{"source": {}}]}]), "source"),
            (spec(rules=[{"to": [{"operation": {}}]}]), "operation"),
        ],
    ),
    "network-policy": (
        [spec(podSelector={}, policyTypes=["Ingress"]), spec(ingress=[{"from": [{"podSelector": {}}]}])],
        [
            (spec(ingress=[{}]), "empty"),
            (spec(egress=[{"ports": [{"port": 53}]}]), "everybody"),
            (spec(egress=[{"to": [{}]}]), "everybody"),
        ],
    ),
    "mutual-tls": (
        [
            spec(mtls={"mode": "STRICT"}),
            {
                "metadata": {"annotations": {"partner-mesh.dev/until": "2027-01-01"}},
                "spec": {"mtls": {"mode": "PERMISSIVE"}},
            },
        ],
        [
            (spec(mtls={"mode": "PERMISSIVE"}), "PERMISSIVE"),
            (spec(portLevelMtls={"9090": {"mode": "DISABLE"}}), "DISABLE"),
        ],
    ),
    "envoy-filter": ([], [({}, "EnvoyFilter")]),
    "pod-security": (
        [{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}],
        [({"metadata": {"labels": {}}}, "Pod Security")],
    ),
}


def test_every_rule_has_a_seeded_violation() -> None:
    assert set(CASES) == set(RULES)
    assert all(wrong for _, wrong in CASES.values())


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name, (right, _) in CASES.items() for i in range(len(right))]
)
def test_a_rule_passes_what_is_right(name: str, index: int) -> None:
    assert list(RULES[name].check(CASES[name][0][index])) == []


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name, (_, wrong) in CASES.items() for i in range(len(wrong))]
)
def test_a_rule_names_what_is_wrong(name: str, index: int) -> None:
    props, word = CASES[name][1][index]
    assert any(word in sentence for sentence in RULES[name].check(props))


def namespace(name: str) -> Resource:
    return Resource("kubernetes:core/v1:Namespace", name, {"metadata": {"name": name}})


def deny(namespace: str, *directions: str, **selector: Any) -> Resource:
    props = {"metadata": {"namespace": namespace}, "spec": {"podSelector": selector, "policyTypes": list(directions)}}
    return Resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", f"{namespace}/deny", props)


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [deny("other", "Ingress", "Egress")],
        [deny("a", "Ingress")],
        [deny("a", "Ingress", "Egress", matchLabels={"x": "y"})],
    ],
)
def test_a_namespace_without_default_deny_is_named(policies: list[Resource]) -> None:
    rule = STACK_RULES["closed-namespaces"]
    assert [name for name, _ in rule.check([namespace("a"), *policies])] == ["a"]
    assert not list(rule.check([namespace("a"), deny("a", "Ingress", "Egress")]))


def test_a_controllers_namespace_is_left_to_its_chart_and_no_other_is() -> None:
    rule = STACK_RULES["closed-namespaces"]
    judged = [namespace(name) for name in ("istio-system", "tigera-operator", "external-secrets", "charging")]
    assert [name for name, _ in rule.check(judged)] == ["charging"]


def balancer(kind: str) -> Resource:
    return Resource("aws:lb/loadBalancer:LoadBalancer", kind, {"loadBalancerType": kind})


ASSOCIATION = Resource("aws:wafv2/webAclAssociation:WebAclAssociation", "waf", {})


def test_web_load_balancers_have_a_firewall_and_network_ones_have_none() -> None:
    rule = STACK_RULES["firewall-planes"]
    assert not list(rule.check([balancer("application"), balancer("network"), ASSOCIATION]))
    assert [n for n, _ in rule.check([balancer("application"), balancer("network")])] == ["application"]
    assert [n for n, _ in rule.check([balancer("network"), ASSOCIATION])] == ["network"]

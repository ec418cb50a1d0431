"""Rules on Kubernetes resources, as the engine sees them: type tokens `kubernetes:<apiVersion>:<Kind>`."""

import re
from collections.abc import Iterator, Sequence

from policies.rule import Props, Resource, Rule, StackRule, field, items

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_NAMESPACE = "kubernetes:core/v1:Namespace"
_NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def _no_secret(secret: Props) -> Iterator[str]:
    if field(secret, "data") or field(secret, "stringData"):
        yield "a Secret's content passes through the program and its state: deliver it with an ExternalSecret"


def _no_key(config_map: Props) -> Iterator[str]:
    for key, value in (field(config_map, "data") or {}).items():
        if isinstance(value, str) and _PRIVATE_KEY.search(value):
            yield f"{key} holds a private key"


def _gateway_servers(gateway: Props) -> Iterator[str]:
    for server in items(gateway, "spec", "servers"):
        mode, port = field(server, "tls", "mode"), field(server, "port", "name")
        hosts = [str(host).rpartition("/")[2] for host in items(server, "hosts")]
        if mode in ("MUTUAL", "OPTIONAL_MUTUAL") and any("*" in host for host in hosts):
            yield f"server {port}: a wildcard host shows one partner to another"
        if mode == "MUTUAL" and not list(items(server, "tls", "subjectAltNames")):
            yield f"server {port}: any certificate of the authority would do: name subjectAltNames"
        if mode in ("MUTUAL", "SIMPLE") and field(server, "tls", "minProtocolVersion") not in ("TLSV1_2", "TLSV1_3"):
            yield f"server {port}: minProtocolVersion is not set to TLSV1_2 or TLSV1_3"
        if mode in ("OPTIONAL_MUTUAL", "PASSTHROUGH", "AUTO_PASSTHROUGH"):
            yield f"server {port}: {mode} lets requests in without a verified certificate"


def _routes(service: Props) -> Iterator[str]:
    if any("*" in str(host) for host in items(service, "spec", "hosts")):
        yield "a wildcard host catches requests that belong to others: name the host"
    exported = list(items(service, "spec", "exportTo"))
    if "mesh" in items(service, "spec", "gateways") and "*" in exported:
        yield "exportTo * lets this route catch the host in every namespace"


def _destination_tls(rule: Props) -> Iterator[str]:
    policies = [field(rule, "spec", "trafficPolicy"), *items(rule, "spec", "trafficPolicy", "portLevelSettings")]
    policies += [field(subset, "trafficPolicy") for subset in items(rule, "spec", "subsets")]
    for tls in (field(policy, "tls") for policy in policies):
        if field(tls, "insecureSkipVerify"):
            yield "insecureSkipVerify: the server's certificate is not checked"
        if field(tls, "mode") in ("SIMPLE", "MUTUAL") and not list(items(tls, "subjectAltNames")):
            yield "no subjectAltNames: with an sni alone, the name in the certificate is not checked"
        if field(tls, "credentialName") and list(items(rule, "spec", "exportTo")) != ["."]:
            yield 'a sidecar that sees credentialName without the Secret sends plaintext: exportTo must be ["."]'


def _service_entry(entry: Props) -> Iterator[str]:
    if any("*" in str(host) for host in items(entry, "spec", "hosts")):
        yield "a wildcard host opens more than one outside party: name the host"
    # NONE sends on to whatever address was called: with `addresses`, which only match themselves, that is one of these.
    named = bool(list(items(entry, "spec", "addresses")))
    if field(entry, "spec", "resolution") in (None, "NONE", "DYNAMIC_DNS") and not named:
        yield "resolution leaves the address to the caller: use DNS, or name the addresses"
    exported = list(items(entry, "spec", "exportTo"))
    if not exported or "*" in exported:
        yield "every namespace learns the host: name its consumers in exportTo"


def _authorization(policy: Props) -> Iterator[str]:
    for index, rule in enumerate(items(policy, "spec", "rules")):
        if not rule:
            yield f"rule {index} is empty and so matches every request"
            continue
        for part in ("from", "to", "when"):
            if part in rule and not rule[part]:
                yield f"rule {index}: an empty {part!r} matches everything"
        for part, inner in (("from", "source"), ("to", "operation")):
            if any(not field(entry, inner) for entry in items(rule, part)):
                yield f"rule {index}: an empty {inner!r} matches everything"


def _network_policy(policy: Props) -> Iterator[str]:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items(policy, "spec", direction)):
            if not rule:
                yield f"{direction} rule {index} is empty and so admits everything"
            elif peers not in rule or not rule[peers] or any(not peer for peer in rule[peers]):
                yield f"{direction} rule {index} names nobody and so means everybody"


def _peer_authentication(policy: Props) -> Iterator[str]:
    dated = field(policy, "metadata", "annotations", "partner-mesh.dev/until")
    modes = [
        field(policy, "spec", "mtls", "mode"),
        *(field(p, "mode") for p in (field(policy, "spec", "portLevelMtls") or {}).values()),
    ]
    for mode in modes:
        if mode in ("PERMISSIVE", "DISABLE") and not dated:
            yield f"{mode} without a day on which it ends: set mutualTls.until"


def _no_envoy_filter(_: Props) -> Iterator[str]:
    yield "an EnvoyFilter is beyond what the analyser can judge, and one bad filter blocks everybody's updates"


# Namespaces of controllers, by name: what their charts bring calls the API server, AWS and each other.
_CONTROLLERS = ("external-secrets", "istio-system", "tigera-operator")


def _closed_namespaces(resources: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    """Each namespace has a NetworkPolicy that selects every pod and denies both directions."""
    closed = {
        field(r.props, "metadata", "namespace")
        for r in resources
        if r.type == _NETWORK_POLICY
        and not field(r.props, "spec", "podSelector", "matchLabels")
        and not field(r.props, "spec", "podSelector", "matchExpressions")
        and {"Ingress", "Egress"} <= set(items(r.props, "spec", "policyTypes"))
    }
    for resource in resources:
        if resource.type == _NAMESPACE:
            name = field(resource.props, "metadata", "name")
            shown = name is not None  # a preview without a cluster shows no metadata
            if shown and name not in _CONTROLLERS and name not in closed:
                yield resource.name, f"namespace {name} has no NetworkPolicy that denies by default in both directions"


def _pod_security(namespace: Props) -> Iterator[str]:
    if not field(namespace, "metadata", "labels", "pod-security.kubernetes.io/enforce"):
        yield "no Pod Security level is enforced"


def _token(group: str, kind: str) -> str:
    return f"kubernetes:{group}:{kind}"


RULES: tuple[Rule, ...] = (
    Rule("plaintext-secret", "No Secret's content in the program.", ("kubernetes:core/v1:Secret",), _no_secret),
    Rule("private-key", "No private key in a ConfigMap.", ("kubernetes:core/v1:ConfigMap",), _no_key),
    Rule(
        "gateway-servers",
        "Exact hosts, SANs, TLS 1.2.",
        (_token("networking.istio.io/v1", "Gateway"),),
        _gateway_servers,
    ),
    Rule("routes", "Exact hosts, visible where meant.", (_token("networking.istio.io/v1", "VirtualService"),), _routes),
    Rule(
        "destination-tls",
        "Servers are verified by name.",
        (_token("networking.istio.io/v1", "DestinationRule"),),
        _destination_tls,
    ),
    Rule("service-entry", "Exact outside hosts.", (_token("networking.istio.io/v1", "ServiceEntry"),), _service_entry),
    Rule(
        "authorization",
        "No rule that matches everything.",
        (_token("security.istio.io/v1", "AuthorizationPolicy"),),
        _authorization,
    ),
    Rule("network-policy", "No rule that names nobody.", (_NETWORK_POLICY,), _network_policy),
    Rule(
        "mutual-tls",
        "Exceptions are dated.",
        (_token("security.istio.io/v1", "PeerAuthentication"),),
        _peer_authentication,
    ),
    Rule("envoy-filter", "No EnvoyFilter.", ("kubernetes:networking.istio.io/v1alpha3:EnvoyFilter",), _no_envoy_filter),
    Rule("pod-security", "Namespaces enforce a Pod Security level.", (_NAMESPACE,), _pod_security),
)
STACK_RULES: tuple[StackRule, ...] = (
    StackRule("closed-namespaces", "Every namespace denies by default.", _closed_namespaces),
)

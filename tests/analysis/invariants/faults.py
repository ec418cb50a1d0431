"""One fault for each thing that an invariant is about: what is done to a closed stack, and what must be said."""

import copy
from typing import Any

from tests.analysis.invariants.closed_stack import Change, Documents, closed, one, opened, policy
from tests.analysis.partner_stack import document

CLOSED = closed()
PARTNER = {"partner-mesh.dev/partner": "p0"}


def change(kind: str, name: str, path: list[Any], value: Any, home: str | None = None) -> Change:
    """Set one field."""

    def apply(stack: Documents) -> None:
        at: Any = one(stack, kind, name, home)
        for step in path[:-1]:
            at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
        at[path[-1]] = value

    return apply


def add(*objects: dict[str, Any]) -> Change:
    return lambda stack: stack.extend(copy.deepcopy(list(objects)))


def drop(kind: str, name: str, home: str | None = None) -> Change:
    return lambda stack: stack.remove(one(stack, kind, name, home))


def external(mode: str, **tls: Any) -> dict[str, Any]:
    """A DestinationRule for p0's own host."""
    spec = {"host": "api.p0.example", "exportTo": ["."], "trafficPolicy": {"tls": {"mode": mode, **tls}}}
    return document("DestinationRule", "istio-egress", "p0", spec, labels=PARTNER)


def replaced(new: dict[str, Any]) -> Change:
    def apply(stack: Documents) -> None:
        stack.remove(one(stack, new["kind"], new["metadata"]["name"], new["metadata"].get("namespace")))
        stack.append(new)

    return apply


def authorization(name: str, rules: list[dict[str, Any]], home: str = "app0", **labels: str) -> dict[str, Any]:
    chosen = {"selector": {"matchLabels": {"app": "app0"}}} if home == "app0" else {}
    return document("AuthorizationPolicy", home, name, {**chosen, "rules": rules}, labels=labels)


def from_anywhere(stack: Documents) -> None:
    """p0's rule forgets its addresses, and packets of strangers pass."""
    one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["from"][0]["source"].pop("remoteIpBlocks")
    stack.append(opened("istio-partners", "partners", ["192.0.2.0/24"], 8443, "ingress"))


GATEWAY = "cluster.local/ns/istio-partners/sa/partners"
ANY_OF_P0 = {
    "from": [{"source": {"principals": [GATEWAY]}}],
    "to": [{"operation": {"hosts": ["p0.partners.example.com"], "ports": ["8080"], "paths": ["/callbacks/{*}"]}}],
}
TO_APP0 = [{"destination": {"host": "app0.app0.svc.cluster.local", "port": {"number": 80}}}]
SHADOWED = [
    {"match": [{"uri": {"prefix": "/v1/"}}], "route": TO_APP0},
    {"match": [{"uri": {"exact": "/v1/more"}}], "route": TO_APP0},
]
SERVER = {
    "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
    "hosts": ["istio-partners/p0.partners.example.com"],
    "tls": {"mode": "MUTUAL", "credentialName": "p1-server", "subjectAltNames": ["calls.p1.example"]},
}
REMOTE = {"from": [{"source": {"remoteIpBlocks": ["203.0.113.0/24"]}}]}


def delivered(name: str, *keys: str) -> dict[str, Any]:
    """An ExternalSecret of the partner gateway's namespace."""
    data = [{"secretKey": key, "remoteRef": {"key": name}} for key in keys]
    return {
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "istio-partners"},
        "spec": {"secretStoreRef": {"name": "store"}, "target": {"name": name}, "data": data},
    }  # fmt: skip


MANAGED = {"app.kubernetes.io/managed-by": "partner-mesh"}
ENFORCED = {"pod-security.kubernetes.io/enforce": "restricted"}
RAW = (
    document("ServiceEntry", "istio-egress", "raw", {
        "hosts": ["smpp.p0.example"], "location": "MESH_EXTERNAL", "resolution": "DNS", "exportTo": ["."],
        "ports": [{"number": 2775, "name": "tcp", "protocol": "TCP"}],
    }),
    document("VirtualService", "istio-egress", "raw", {
        "hosts": ["smpp.p0.example"], "gateways": ["istio-egress/raw"], "exportTo": ["."],
        "tcp": [{"route": [{"destination": {"host": "smpp.p0.example", "port": {"number": 2775}}}]}],
    }),
)  # fmt: skip


def beside_another_audience(fault: dict[str, Any]) -> Change:
    """A gateway with a second rule of the same issuer, for another audience and right."""

    def apply(stack: Documents) -> None:
        spec = one(stack, "RequestAuthentication", "users")["spec"]
        [rule] = spec["jwtRules"]
        spec["jwtRules"] = [rule | fault, rule | {"audiences": ["another"]}]

    return apply


# All that proxies say of a request but one.
INSIDE = [
    "x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-proto", "x-envoy-attempt-count",
    "x-envoy-decorator-operation", "x-envoy-expected-rq-timeout-ms", "x-envoy-external-address", "x-envoy-internal",
    "x-envoy-original-path", "x-envoy-peer-metadata", "x-envoy-peer-metadata-id",
]  # fmt: skip
OUT_OF_STEP = tuple(
    document("VirtualService", "istio-partners", f"step-{number}", {
        "hosts": [f"s{number}.example.com"], "gateways": ["istio-partners/p0"],
        "http": [{"headers": {"request": {"remove": removed}}, "route": TO_APP0}],
    })
    for number, removed in enumerate((["x-forwarded-for"], ["x-forwarded-for"], [], ["x-forwarded-for"],
                                      ["x-forwarded-for"], ["x-forwarded-for"]))
)  # fmt: skip

# (invariant, what is done to the stack, the object that must be named, words of the reason)
FAULTS: list[tuple[str, Change, str, str]] = [
    (
        "PM001",
        add(
            policy(
                "app0",
                "out",
                {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [
                        {"to": [{"ipBlock": {"cidr": "93.184.216.0/24"}}], "ports": [{"port": 53, "protocol": "UDP"}]}
                    ],
                },
            )
        ),
        "Deployment app0/app0",
        "reaches 93.184.216.0/24 on UDP 53",
    ),
    (
        "PM001",
        add(
            policy(
                "app0",
                "out",
                {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}]}]},
            )
        ),
        "Deployment app0/app0",
        "2000::/3 on all ports",
    ),
    (
        "PM001",
        lambda stack: [drop("NetworkPolicy", each, "istio-web")(stack) for each in ("default-deny", "to-app0")],
        "Deployment istio-web/web",
        "reaches the whole internet on all ports: no policy selects either end",
    ),
    (
        "PM002",
        add(
            policy(
                "app0",
                "out",
                {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [{"to": [{"ipBlock": {"cidr": "169.254.0.0/16"}}]}],
                },
            )
        ),
        "Deployment app0/app0",
        "the metadata service (169.254.169.254)",
    ),
    (
        "PM003",
        change("AuthorizationPolicy", "p0", ["metadata", "labels"], {"partner-mesh.dev/partner": "p1"}, "app0"),
        "AuthorizationPolicy app0/p0",
        "partner p0 reaches",
    ),
    ("PM003", add(authorization("everybody", [ANY_OF_P0])), "AuthorizationPolicy app0/everybody", "no partner's"),
    (
        "PM004",
        lambda stack: [
            change("Gateway", "p1", ["spec", "servers", 0, "hosts"], ["istio-partners/*"])(stack),
            one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0]["from"][0]["source"].pop(
                "remoteIpBlocks"
            ),
        ],
        "Gateway istio-partners/p1",
        "another partner than p0",
    ),
    (
        "PM004",
        change("Gateway", "p1", ["spec", "servers", 0, "hosts"], ["istio-partners/*"]),
        "Gateway istio-partners/p1",
        "only addresses keep the two apart",
    ),
    (
        "PM004",
        lambda stack: [
            change("Gateway", each, ["spec", "servers", 0, "tls"], {"mode": "MUTUAL", "credentialName": "shared"})(
                stack
            )
            for each in ("p0", "p1")
        ],
        "Gateway istio-partners/p0",
        "trusts the same CA as Gateway istio-partners/p1",
    ),
    ("PM005", from_anywhere, "AuthorizationPolicy app0/p0", "good from addresses"),
    (
        "PM006",
        add(
            policy(
                "app0",
                "in",
                {
                    "podSelector": {},
                    "policyTypes": ["Ingress"],
                    "ingress": [
                        {"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 514, "protocol": "UDP"}]}
                    ],
                },
            )
        ),
        "Deployment app0/app0",
        "without a gateway on UDP 514",
    ),
    ("PM007", drop("PeerAuthentication", "default"), "Deployment app0/app0", "PERMISSIVE is Istio's default"),
    (
        "PM007",
        change(
            "Gateway",
            "web",
            ["spec", "servers", 0],
            {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*/pay.example.com"]},
        ),
        "Gateway istio-web/web",
        "takes plain HTTP",
    ),
    ("PM007", drop("DestinationRule", "p0", "istio-egress"), "ServiceEntry istio-egress/p0", "in plaintext"),
    (
        "PM007",
        add(
            document("DestinationRule", "app0", "app0", {"host": "app0", "trafficPolicy": {"tls": {"mode": "DISABLE"}}})
        ),
        "DestinationRule app0/app0",
        "told to send plaintext",
    ),
    (
        "PM008",
        add(document("PeerAuthentication", "app0", "loose", {"mtls": {"mode": "PERMISSIVE"}})),
        "PeerAuthentication app0/loose",
        "with no last day",
    ),
    (
        "PM008",
        add(
            document(
                "PeerAuthentication",
                "app0",
                "loose",
                {"mtls": {"mode": "PERMISSIVE"}},
                annotations={"partner-mesh.dev/until": "2026-10-31"},
            )
        ),
        "PeerAuthentication app0/loose",
        "its last day, 2026-10-31, is past",
    ),
    (
        "PM009",
        add(opened("istio-web", "web", ["0.0.0.0/0"], 8443, "ingress")),
        "Deployment istio-web/web",
        "without the firewall",
    ),
    (
        "PM009",
        change("Service", "web", ["spec", "type"], "LoadBalancer"),
        "Service istio-web/web",
        "beside the firewall",
    ),
    (
        "PM010",
        change("VirtualService", "p0", ["spec", "http"], SHADOWED),
        "VirtualService istio-partners/p0",
        "http[1].match[0] is never reached: http[0].match[0]",
    ),
    (
        "PM010",
        lambda stack: one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"].append(
            {**copy.deepcopy(one(stack, "AuthorizationPolicy", "p0", "app0")["spec"]["rules"][0])}
        ),
        "AuthorizationPolicy app0/p0",
        "rule 1 adds nothing to rule 0",
    ),
    (
        "PM010",
        add(policy("app0", "again", copy.deepcopy(one(CLOSED, "NetworkPolicy", "from-istio-web")["spec"]))),
        "NetworkPolicy app0/again",
        "adds nothing to NetworkPolicy app0/from-istio-web",
    ),
    (
        "PM011",
        change("AuthorizationPolicy", "p0", ["spec", "selector", "matchLabels"], {"app": "ap0"}, "app0"),
        "AuthorizationPolicy app0/p0",
        "selects no workload in namespace app0",
    ),
    (
        "PM011",
        change("NetworkPolicy", "from-istio-web", ["spec", "podSelector"], {"matchLabels": {"app": "x"}}),
        "NetworkPolicy app0/from-istio-web",
        "selects no workload",
    ),
    (
        "PM011",
        add(document("CalicoPolicy", "app0", "typo", {"selector": "app == 'ap0'", "ingress": []})),
        "NetworkPolicy app0/typo",
        "selects no workload",
    ),
    (
        "PM012",
        change("VirtualService", "p0", ["spec", "gateways"], ["p9"], "istio-partners"),
        "VirtualService istio-partners/p0",
        "binds gateway istio-partners/p9",
    ),
    (
        "PM012",
        change(
            "VirtualService",
            "p0",
            ["spec", "http", 0, "route", 0, "destination", "host"],
            "gone.app0.svc.cluster.local",
        ),
        "VirtualService istio-partners/p0",
        "which nobody serves",
    ),
    (
        "PM012",
        change("DestinationRule", "p0-gateway", ["spec", "subsets"], []),
        "VirtualService istio-egress/p0-capture",
        "which no DestinationRule declares",
    ),
    (
        "PM013",
        add(document("Gateway", "istio-partners", "second", {"selector": {"istio": "partners"}, "servers": [SERVER]})),
        "Gateway istio-partners/second",
        "is skipped by istiod",
    ),
    (
        "PM013",
        lambda stack: stack.append(
            {
                **copy.deepcopy(one(stack, "VirtualService", "p0-capture")),
                "metadata": {"name": "z", "namespace": "istio-egress"},
            }
        ),
        "VirtualService istio-egress/z",
        "keeps the first",
    ),
    *(
        ("PM014", fault, "RequestAuthentication istio-web/users", words)
        for fault, words in (
            (change("RequestAuthentication", "users", ["spec", "jwtRules"], []), "takes no token of"),
            (change("RequestAuthentication", "users", ["spec", "jwtRules", 0, "issuer"], "other"), "takes no token of"),
            (change("RequestAuthentication", "users", ["spec", "jwtRules", 0, "jwksUri"], "u"), "with other keys than"),
            (change("RequestAuthentication", "users", ["spec", "jwtRules", 0, "audiences"], ["x"]), "for app0, which"),
            (
                change("RequestAuthentication", "users", ["spec", "jwtRules", 0, "forwardOriginalToken"], False),
                "drops the token that",
            ),
        )
    ),
    # Of one issuer two rules, the other application's in order.
    *(
        ("PM014", beside_another_audience(fault), "RequestAuthentication istio-web/users", words)
        for fault, words in (
            ({"forwardOriginalToken": False}, "drops the token that"),
            ({"jwksUri": "u"}, "with other keys than"),
        )
    ),
    ("PM014", drop("RequestAuthentication", "users"), "RequestAuthentication app0/app0", "lets every token in"),
    (
        "PM020",
        change("DestinationRule", "p0", ["spec", "exportTo"], ["*"], "istio-egress"),
        "DestinationRule istio-egress/p0",
        "send plaintext",
    ),
    (
        "PM021",
        replaced(external("MUTUAL", credentialName="p0-client", sni="api.p0.example")),
        "DestinationRule istio-egress/p0",
        "without subjectAltNames",
    ),
    (
        "PM022",
        replaced(external("SIMPLE", subjectAltNames=["api.p0.example"], insecureSkipVerify=True)),
        "DestinationRule istio-egress/p0",
        "accepts every certificate",
    ),
    (
        "PM023",
        change("ServiceEntry", "p0", ["spec", "hosts"], ["*.p0.example"]),
        "ServiceEntry istio-egress/p0",
        "opens every host",
    ),
    (
        "PM023",
        change("VirtualService", "app0-web", ["spec", "hosts"], ["*"]),
        "VirtualService app0/app0-web",
        "routes every host",
    ),
    (
        "PM023",
        change("Gateway", "p1", ["spec", "servers", 0, "hosts"], ["istio-partners/*"]),
        "Gateway istio-partners/p1",
        "takes partners' certificates",
    ),
    (
        "PM023",
        change("Gateway", "egress", ["spec", "servers", 0, "hosts"], ["*"]),
        "Gateway istio-egress/egress",
        "whatever any namespace's VirtualService binds",
    ),
    (
        "PM024",
        change("ServiceEntry", "p0", ["spec", "resolution"], "NONE"),
        "ServiceEntry istio-egress/p0",
        "whatever address",
    ),
    (
        "PM024",
        add(
            document(
                "ServiceEntry",
                "app0",
                "inner",
                {
                    "hosts": ["inner.app0.internal"],
                    "location": "MESH_INTERNAL",
                    "exportTo": ["."],
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                },
            )
        ),
        "ServiceEntry app0/inner",
        "whatever address",
    ),
    (
        "PM024",
        change("ServiceEntry", "p0", ["spec", "resolution"], "DYNAMIC_DNS"),
        "ServiceEntry istio-egress/p0",
        "whatever Host",
    ),
    (
        "PM025",
        change("ConfigMap", "istio", ["data", "mesh"], "outboundTrafficPolicy: {mode: ALLOW_ANY}"),
        "ConfigMap istio-system/istio",
        "ALLOW_ANY",
    ),
    (
        "PM025",
        add(document("Sidecar", "app0", "default", {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}})),
        "Sidecar app0/default",
        "ALLOW_ANY",
    ),
    (
        "PM026",
        change("Namespace", "app0", ["metadata", "labels", "istio-injection"], "enabled"),
        "Namespace app0",
        "the first wins",
    ),
    (
        "PM027",
        add(document("EnvoyFilter", "istio-system", "all", {"configPatches": []})),
        "EnvoyFilter istio-system/all",
        "every proxy",
    ),
    ("PM028", add(authorization("open", [{}])), "AuthorizationPolicy app0/open", "rule 0 is empty"),
    (
        "PM028",
        add(policy("app0", "open", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})),
        "NetworkPolicy app0/open",
        "ingress rule 0 is empty",
    ),
    ("PM028", add(authorization("to-all", [{"to": [{}]}])), "AuthorizationPolicy app0/to-all", "every operation"),
    ("PM028", add(authorization("of-all", [{"from": [{}]}])), "AuthorizationPolicy app0/of-all", "every source"),
    (
        "PM029",
        add(authorization("trusting", [{"from": [{"source": {"namespaces": ["app0"]}}]}], "istio-partners")),
        "AuthorizationPolicy istio-partners/trusting",
        "asks for namespaces",
    ),
    (
        "PM030",
        lambda stack: one(stack, "AuthorizationPolicy", "app0-web")["spec"]["rules"][0]["from"][0]["source"].pop(
            "requestPrincipals"
        ),
        "RequestAuthentication app0/app0",
        "without one everybody passes",
    ),
    (
        "PM031",
        drop("AuthorizationPolicy", "allow-nothing"),
        "AuthorizationPolicy istio-system/allow-nothing",
        "is missing",
    ),
    (
        "PM032",
        add(delivered("p0-server", "tls.crt", "tls.key"), delivered("p1-server", "tls.crt", "tls.key", "ca.crt")),
        "Gateway istio-partners/p0",
        "nothing delivers ca.crt",
    ),
    (
        "PM032",
        add(delivered("p0-server", "tls.crt", "tls.key", "ca.crt")),
        "Gateway istio-partners/p1",
        "nothing delivers ca.crt, tls.crt, tls.key",
    ),
    (
        "PM032",
        replaced(external("MUTUAL", sni="a", subjectAltNames=["a"])),
        "DestinationRule istio-egress/p0",
        "names no",
    ),
    (
        "PM033",
        change("Gateway", "p0", ["spec", "servers", 0, "tls", "minProtocolVersion"], "TLSV1_1", "istio-partners"),
        "Gateway istio-partners/p0",
        "takes TLSV1_1",
    ),
    (
        "PM034",
        change("Gateway", "p0", ["spec", "servers", 0, "tls", "subjectAltNames"], [], "istio-partners"),
        "Gateway istio-partners/p0",
        "every client certificate",
    ),
    ("PM035", add(*RAW), "VirtualService istio-egress/raw", "no DestinationRule adds TLS"),
    (
        "PM036",
        add(
            document(
                "VirtualService",
                "istio-partners",
                "half",
                {
                    "hosts": ["half.example.com"],
                    "gateways": ["istio-partners/p0"],
                    "http": [{"headers": {"request": {"remove": ["tracestate"]}}, "route": TO_APP0}],
                },
            )
        ),
        "VirtualService istio-partners/half",
        "does not remove request header traceparent",
    ),
    (
        "PM036",
        add(
            document(
                "VirtualService",
                "istio-partners",
                "careful",
                {
                    "hosts": ["careful.example.com"],
                    "gateways": ["istio-partners/p0"],
                    "http": [
                        {
                            "headers": {
                                "response": {
                                    "set": {
                                        "strict-transport-security": "max-age=1",
                                        "x-frame-options": "DENY",
                                        "referrer-policy": "no-referrer",
                                        "permissions-policy": "camera=()",
                                        "cross-origin-opener-policy": "same-origin",
                                    }
                                }
                            },
                            "route": TO_APP0,
                        }
                    ],
                },
            )
        ),
        "VirtualService istio-partners/careful",
        "does not set response header x-content-type-options",
    ),
    (
        "PM036",
        add(
            document(
                "VirtualService",
                "istio-partners",
                "inside",
                {
                    "hosts": ["inside.example.com"],
                    "gateways": ["istio-partners/p0"],
                    "http": [{"headers": {"request": {"remove": INSIDE}}, "route": TO_APP0}],
                },
            )
        ),
        "VirtualService istio-partners/inside",
        "does not remove request header x-request-id",
    ),
    ("PM036", add(*OUT_OF_STEP), "VirtualService istio-partners/step-2", "remove request header x-forwarded-for"),
    (
        "PM037",
        add(
            document("Namespace", "", "one", {}, labels=MANAGED | ENFORCED),
            document("Namespace", "", "two", {}, labels=MANAGED),
        ),
        "Namespace two",
        "may go round",
    ),
    (
        "PM038",
        add(
            {
                "apiVersion": "ec2.partner-mesh.dev/v1",
                "kind": "SecurityGroup",
                "metadata": {"name": "nodes"},
                "spec": {
                    "groupId": "nodes",
                    "ingress": [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}],
                },
            }
        ),
        "SecurityGroup nodes",
        "no load balancer",
    ),
    (
        "PM039",
        lambda stack: one(stack, "RequestAuthentication", "app0")["spec"]["jwtRules"][0].pop("audiences"),
        "RequestAuthentication app0/app0",
        "every token of",
    ),
    (
        "PM050",
        lambda stack: one(stack, "Gateway", "web")["spec"]["servers"][0].pop("tls"),
        "Gateway istio-web/web",
        "no certificate to show",
    ),
    (
        "PM050",
        change("Gateway", "web", ["spec", "servers", 0, "port", "protocol"], "HTTP", "istio-web"),
        "Gateway istio-web/web",
        "takes plaintext",
    ),
]

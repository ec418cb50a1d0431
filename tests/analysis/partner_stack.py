"""A stack as other people would write it by hand: partners inwards and outwards, a web UI, default deny everywhere.

The shape follows the domain's decisions: a MUTUAL server a partner, the application's sidecar authorises, one static
ISTIO_MUTUAL egress gateway. `documents(n)` has n partners, so the benchmark asks the same questions of a thousand.
"""

from typing import Any

ROOT = "istio-system"
MESH_CONFIG = """
trustDomain: cluster.local
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
defaultServiceExportTo: ["*"]
defaultVirtualServiceExportTo: ["."]
defaultDestinationRuleExportTo: ["."]
"""


def documents(partners: int = 2, applications: int = 1) -> list[dict[str, Any]]:
    """The whole stack; partner i calls application i modulo their number."""
    found = _platform()
    for index in range(applications):
        found += application(f"app{index}")
    for index in range(partners):
        found += partner(index, f"app{index % applications}")
    return found


def document(kind: str, namespace: str, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    groups = {
        "Namespace": "v1", "Service": "v1", "Deployment": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1",
        "AuthorizationPolicy": "security.istio.io/v1", "PeerAuthentication": "security.istio.io/v1",
        "RequestAuthentication": "security.istio.io/v1", "NetworkSet": "projectcalico.org/v3",
        "CalicoPolicy": "projectcalico.org/v3",
    }  # fmt: skip
    return {
        "apiVersion": groups.get(kind, "networking.istio.io/v1"),
        "kind": "NetworkPolicy" if kind == "CalicoPolicy" else kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {}), **metadata},
        "spec": spec,
    }


def workload(namespace: str, name: str, port: int, labels: dict[str, str], **annotations: str) -> list[dict[str, Any]]:
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {
            "serviceAccountName": name,
            "containers": [{"name": name, "ports": [{"containerPort": port, "name": "main"}]}],
        },
    }
    return [document("Deployment", namespace, name, {"selector": {"matchLabels": labels}, "template": template})]


def namespace(name: str) -> dict[str, Any]:
    return document("Namespace", "", name, {}, labels={"istio.io/rev": "1-31-1"})


def _platform() -> list[dict[str, Any]]:
    found = [namespace(each) for each in (ROOT, "istio-partners", "istio-web", "istio-egress")]
    mesh = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": ROOT},
            "data": {"mesh": MESH_CONFIG}}  # fmt: skip
    found.append(mesh)
    found.append(document("PeerAuthentication", ROOT, "default", {"mtls": {"mode": "STRICT"}}))
    found.append(document("AuthorizationPolicy", ROOT, "allow-nothing", {}))
    for name in ("partners", "web", "egress"):
        home = f"istio-{name}"
        annotations = {"inject.istio.io/templates": "gateway"}
        found += workload(home, name, 8443, {"istio": name, "sidecar.istio.io/inject": "true"}, **annotations)
        found.append(
            document("Service", home, name, {
                "selector": {"istio": name},
                "ports": [{"name": "https", "port": 443, "targetPort": 8443}],
            })
        )  # fmt: skip
    for name in ("partners", "web"):
        found.append(
            document("AuthorizationPolicy", f"istio-{name}", "own-port", {
                "selector": {"matchLabels": {"istio": name}},
                "rules": [{"to": [{"operation": {"ports": ["8443"]}}]}],
            })
        )  # fmt: skip
    found.append(
        document("Gateway", "istio-egress", "egress", {
            "selector": {"istio": "egress"},
            "servers": [{
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                "hosts": ["istio-egress/*"],
                "tls": {"mode": "ISTIO_MUTUAL"},
            }],
        })
    )  # fmt: skip
    found.append(
        document("Gateway", "istio-web", "web", {
            "selector": {"istio": "web"},
            "servers": [{
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                "hosts": ["*/pay.example.com"],
                "tls": {"mode": "SIMPLE", "credentialName": "web-server"},
            }],
        })
    )  # fmt: skip
    return found


def application(name: str) -> list[dict[str, Any]]:
    """An application with a web route for users with a token."""
    return [
        namespace(name),
        *workload(name, name, 8080, {"app": name}),
        document("Service", name, name, {
            "selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        }),
        document("RequestAuthentication", name, name, {
            "selector": {"matchLabels": {"app": name}}, "jwtRules": [{"issuer": "https://login.example.com"}],
        }),
        document("VirtualService", name, f"{name}-web", {
            "hosts": ["pay.example.com"], "gateways": ["istio-web/web"], "exportTo": [".", "istio-web"],
            "http": [{
                "match": [{"uri": {"prefix": f"/{name}/"}}], "rewrite": {"uri": "/"},
                "route": [{"destination": {"host": f"{name}.{name}.svc.cluster.local", "port": {"number": 80}}}],
            }],
        }),
        document("AuthorizationPolicy", name, f"{name}-web", {
            "selector": {"matchLabels": {"app": name}},
            "rules": [{
                "from": [{"source": {
                    "principals": ["cluster.local/ns/istio-web/sa/web"],
                    "requestPrincipals": ["https://login.example.com/*"],
                }}],
                "to": [{"operation": {
                    "hosts": ["pay.example.com", "pay.example.com:*"], "methods": ["GET"], "paths": ["/cart/{**}"],
                }}],
            }],
        }),
    ]  # fmt: skip


def partner(index: int, app: str) -> list[dict[str, Any]]:
    """A partner that may POST callbacks to an application, and whom that application may call."""
    name, host, api = f"p{index}", f"p{index}.partners.example.com", f"api.p{index}.example"
    labels = {"partner-mesh.dev/partner": name}
    ranges = [f"198.{18 + index // 256}.{index % 256}.0/28"]
    segment = "[a-zA-Z0-9._~%!$&'()+,;:@=-]+"
    return [
        document("NetworkSet", "istio-partners", name, {"nets": ranges}, labels=labels),
        document("Gateway", "istio-partners", name, {
            "selector": {"istio": "partners"},
            "servers": [{
                "port": {"number": 443, "name": f"https-{name}", "protocol": "HTTPS"},
                "hosts": [f"istio-partners/{host}"],
                "tls": {
                    "mode": "MUTUAL", "credentialName": f"{name}-server", "subjectAltNames": [f"calls.{name}.example"],
                },
            }],
        }, labels=labels),
        document("VirtualService", "istio-partners", name, {
            "hosts": [host], "gateways": [name],
            "http": [{
                "match": [{"uri": {"regex": f"/v1/callbacks/({segment})"}, "method": {"exact": "POST"}}],
                "rewrite": {"uriRegexRewrite": {"match": f"/v1/callbacks/({segment})", "rewrite": r"/callbacks/\1"}},
                "route": [{"destination": {"host": f"{app}.{app}.svc.cluster.local", "port": {"number": 80}}}],
            }],
        }, labels=labels),
        document("AuthorizationPolicy", app, name, {
            "selector": {"matchLabels": {"app": app}},
            "rules": [{
                "from": [{"source": {
                    "principals": ["cluster.local/ns/istio-partners/sa/partners"], "remoteIpBlocks": ranges,
                }}],
                "to": [{"operation": {
                    "hosts": [host, f"{host}:*"], "ports": ["8080"], "methods": ["POST"], "paths": ["/callbacks/{*}"],
                }}],
            }],
        }, labels=labels),
        *outbound(name, api, app),
    ]  # fmt: skip


def outbound(name: str, api: str, app: str) -> list[dict[str, Any]]:
    """What leads from an application's sidecar through the egress gateway to a partner's own host."""
    labels = {"partner-mesh.dev/partner": name}
    gateway = "egress.istio-egress.svc.cluster.local"
    return [
        document("ServiceEntry", "istio-egress", name, {
            "hosts": [api], "location": "MESH_EXTERNAL", "resolution": "DNS", "exportTo": [".", app],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"},
                      {"number": 443, "name": "https", "protocol": "HTTPS"}],
        }, labels=labels),
        document("DestinationRule", "istio-egress", f"{name}-gateway", {
            "host": gateway, "exportTo": [app],
            "subsets": [{"name": name, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL", "sni": api}}}],
        }, labels=labels),
        document("VirtualService", "istio-egress", f"{name}-capture", {
            "hosts": [api], "gateways": ["mesh"], "exportTo": [app],
            "http": [{"match": [{"port": 80}], "route": [
                {"destination": {"host": gateway, "subset": name, "port": {"number": 443}}}]}],
        }, labels=labels),
        document("VirtualService", "istio-egress", f"{name}-exit", {
            "hosts": [api], "gateways": ["egress"], "exportTo": ["."],
            "http": [{"match": [{"uri": {"prefix": "/direct-billing/"}}],
                      "route": [{"destination": {"host": api, "port": {"number": 443}}}]}],
        }, labels=labels),
        document("DestinationRule", "istio-egress", name, {
            "host": api, "exportTo": ["."],
            "trafficPolicy": {"portLevelSettings": [{"port": {"number": 443}, "tls": {
                "mode": "MUTUAL", "credentialName": f"{name}-client", "sni": api, "subjectAltNames": [api]}}]},
        }, labels=labels),
        document("AuthorizationPolicy", "istio-egress", name, {
            "selector": {"matchLabels": {"istio": "egress"}},
            "rules": [{
                "from": [{"source": {"principals": [f"cluster.local/ns/{app}/sa/{app}"]}}],
                "to": [{"operation": {"hosts": [api, f"{api}:*"]}}],
            }],
        }, labels=labels),
    ]  # fmt: skip

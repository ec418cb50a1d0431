"""The Gateway API's gateways and routes in Istio's terms, as istiod converts them before anything else reads them.

One Istio Gateway a listener, one VirtualService an HTTPRoute (istio pilot/pkg/config/kube/gateway/conversion.go). The
converted objects keep the kind, the name and the place of what they were made from: these are what reports show. What
has no such image becomes a note, and the route `unknown`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.mesh_config import NETWORKING
from partner_mesh.analysis.resources import Note, Resource
from partner_mesh.analysis.topology import World
from partner_mesh.analysis.waypoints import CLASS, GATEWAY_API, NAME_LABEL
from partner_mesh.model.record import replace

_RANK: Final = {"exact": 3, "prefix": 2, "regex": 1}
_HARMLESS: Final = ("ResponseHeaderModifier", "RequestMirror", "CORS")  # they refuse nothing and change no way


class GatewayApi:
    """All of a world's Gateways and HTTPRoutes, converted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.notes: list[Note] = []
        self._sections: dict[tuple[str, str], dict[str, str]] = {}  # Gateway → listener → name of what it became
        self.gateways = tuple(each for resource in world.of(GATEWAY_API, "Gateway") for each in self._gateway(resource))
        self.routes = tuple(each for resource in world.of(GATEWAY_API, "HTTPRoute") for each in self._route(resource))
        for kind in ("TCPRoute", "TLSRoute", "GRPCRoute", "UDPRoute"):
            self.notes += [
                Note(each.source, f"{each.title} is not modelled: what it leads to is not in the table")
                for each in world.of(GATEWAY_API, kind)
            ]

    def _gateway(self, resource: Resource) -> Iterator[Resource]:
        if resource.spec.get("gatewayClassName") == CLASS:
            return
        listeners = [each for each in resource.spec.get("listeners") or () if isinstance(each, Mapping)]
        chosen = self._selector(resource)
        for listener in listeners:
            section = str(listener.get("name") or "")
            name = resource.name if len(listeners) == 1 else f"{resource.name}~{section}"
            self._sections.setdefault((resource.namespace, resource.name), {})[section] = name
            spec = {"selector": chosen, "servers": [self._server(resource, listener)]}
            yield replace(resource, api_version=f"{NETWORKING}/v1", name=name, body={"spec": spec})

    def _selector(self, resource: Resource) -> dict[str, str]:
        """The pods: those of the Service that an address names, else those that istiod makes for it."""
        for address in resource.spec.get("addresses") or ():
            if isinstance(address, Mapping) and address.get("type") == "Hostname":
                name, _, rest = str(address.get("value") or "").partition(".")
                service = self.world.service(rest.partition(".")[0] or resource.namespace, name)
                if service is not None and service.selector:
                    return dict(service.selector)
        return {NAME_LABEL: resource.name}

    def _server(self, resource: Resource, listener: Mapping[str, Any]) -> dict[str, Any]:
        protocol, host = str(listener.get("protocol") or "HTTP"), str(listener.get("hostname") or "*")
        server: dict[str, Any] = {
            "port": {"number": listener.get("port"), "protocol": protocol, "name": listener.get("name")},
            "hosts": [f"{home}/{host}" for home in self._homes(resource, listener)],
        }
        tls = listener.get("tls")
        if isinstance(tls, Mapping):
            names = [str(each.get("name")) for each in tls.get("certificateRefs") or () if isinstance(each, Mapping)]
            passing = tls.get("mode") == "Passthrough"
            server["tls"] = (
                {"mode": "PASSTHROUGH"} if passing else {"mode": "SIMPLE", "credentialName": "".join(names[:1])}
            )
            if tls.get("frontendValidation") or tls.get("options"):
                text = f"{resource.title}: client certificates (tls.options, frontendValidation) are not modelled"
                self.notes.append(Note(resource.source, text))
        return server

    def _homes(self, resource: Resource, listener: Mapping[str, Any]) -> list[str]:
        """Namespaces whose routes a listener takes: its own unless it says otherwise."""
        allowed = listener.get("allowedRoutes")
        chosen = allowed.get("namespaces") if isinstance(allowed, Mapping) else None
        chosen = chosen if isinstance(chosen, Mapping) else {}
        match chosen.get("from", "Same"):
            case "All":
                return ["*"]
            case "Selector":
                wanted = (chosen.get("selector") or {}).get("matchLabels") or {}
                if (chosen.get("selector") or {}).get("matchExpressions"):
                    text = (
                        f"{resource.title}: matchExpressions of allowedRoutes are not modelled: any namespace is taken"
                    )
                    self.notes.append(Note(resource.source, text))
                return [name for name, labels in self.world.namespaces.items() if wanted.items() <= labels.items()]
        return [resource.namespace]

    def _route(self, resource: Resource) -> Iterator[Resource]:
        gateways: list[str] = []
        for parent in resource.spec.get("parentRefs") or ():
            if not isinstance(parent, Mapping):
                continue
            if parent.get("kind", "Gateway") != "Gateway":
                text = f"{resource.title}: routes of a {parent.get('kind')} (in the mesh) are not modelled"
                self.notes.append(Note(resource.source, text))
                continue
            home = str(parent.get("namespace") or resource.namespace)
            sections = self._sections.get((home, str(parent.get("name"))), {})
            wanted = parent.get("sectionName")
            gateways += [f"{home}/{name}" for section, name in sections.items() if wanted in (None, section)]
        if not gateways:
            return
        rules = [each for each in resource.spec.get("rules") or () if isinstance(each, Mapping)]
        entries = [entry for rule in rules for entry in self._entries(resource, rule)]
        entries.sort(key=_before)
        spec = {
            "hosts": list(resource.spec.get("hostnames") or ["*"]),
            "gateways": gateways,
            "exportTo": ["*"],  # whom it binds, the listener says
            "http": entries,
        }
        yield replace(resource, api_version=f"{NETWORKING}/v1", body={"spec": spec})

    def _entries(self, resource: Resource, rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for match in rule.get("matches") or [{"path": {"type": "PathPrefix", "value": "/"}}]:
            found: dict[str, Any] = {"match": [_match(match)], "sortedAs": _path_of(match)}
            for each in rule.get("filters") or ():
                _filter(found, each if isinstance(each, Mapping) else {})
            if "redirect" not in found:
                backends = (self._backend(resource, reference) for reference in rule.get("backendRefs") or ())
                found["route"] = [each for each in backends if each]
                if not found["route"]:
                    found["directResponse"] = {"status": 500}  # nothing to lead to, or no leave to lead there
            yield found

    def _backend(self, resource: Resource, reference: Mapping[str, Any]) -> dict[str, Any] | None:
        home, name = str(reference.get("namespace") or resource.namespace), str(reference.get("name") or "")
        if reference.get("kind", "Service") != "Service" or not self._granted(resource.namespace, home, name):
            return None
        destination = {"host": f"{name}.{home}.svc.cluster.local", "port": {"number": reference.get("port")}}
        return {"destination": destination, "weight": reference.get("weight", 1)}

    def _granted(self, source: str, home: str, name: str) -> bool:
        """Whether a route of one namespace may lead to a Service of another."""
        if source == home:
            return True
        return any(
            grant.namespace == home
            and any(f.get("kind") == "HTTPRoute" and f.get("namespace") == source for f in grant.spec.get("from") or ())
            and any(t.get("kind") == "Service" and t.get("name") in (None, name) for t in grant.spec.get("to") or ())
            for grant in self.world.of(GATEWAY_API, "ReferenceGrant")
        )


def _before(entry: Mapping[str, Any]) -> tuple[int, int, bool, int, int]:
    """`sortHTTPRoutes`: exact paths, prefixes, expressions, each longest first, then by what else is asked."""
    (kind, text), match = entry["sortedAs"], entry["match"][0]
    asked = (match.get("headers") or {}, match.get("queryParams") or {})
    return -_RANK[kind], -len(text), "method" not in match, -len(asked[0]), -len(asked[1])


def _path_of(match: Mapping[str, Any]) -> tuple[str, str]:
    path = match.get("path") or {}
    kind = {"Exact": "exact", "RegularExpression": "regex"}.get(str(path.get("type")), "prefix")
    return kind, str(path.get("value") or "/")


def _match(match: Mapping[str, Any]) -> dict[str, Any]:
    kind, text = _path_of(match)
    found: dict[str, Any] = {"uri": {kind: text}}
    if kind == "prefix" and text != "/":  # whole segments: /a is no prefix of /ab
        found["uri"] = {"regex": f"{re.escape(text.rstrip('/'))}(/.*)?"}
    if match.get("method"):
        found["method"] = {"exact": str(match["method"])}
    for ours, theirs in (("headers", "headers"), ("queryParams", "queryParams")):
        values = [each for each in match.get(theirs) or () if isinstance(each, Mapping)]
        if values:
            found[ours] = {
                str(each.get("name")): {
                    "regex" if each.get("type") == "RegularExpression" else "exact": each.get("value")
                }
                for each in values
            }
    return found


def _filter(route: dict[str, Any], document: Mapping[str, Any]) -> None:
    """What a filter does to where a request goes."""
    kind = str(document.get("type") or "")
    if kind in _HARMLESS:
        return
    if kind == "RequestRedirect":
        route["redirect"] = {}
    elif kind == "RequestHeaderModifier":
        written = (document.get("requestHeaderModifier") or {}).get("set") or ()
        route["headers"] = {"request": {"set": {str(each.get("name")): each.get("value") for each in written}}}
    elif kind == "URLRewrite":
        rewrite = document.get("urlRewrite") or {}
        path = rewrite.get("path") or {}
        if path.get("type") == "ReplacePrefixMatch":
            route["unmodelled"] = "ReplacePrefixMatch is not modelled"
        found = {"uri": path.get("replaceFullPath"), "authority": rewrite.get("hostname")}
        route["rewrite"] = {key: value for key, value in found.items() if value}
    else:
        route["unmodelled"] = f"filter {kind or 'without a type'} is not modelled"

"""Mutants that change no access, each with the reason that proves it.

`SURE` says so of a place whatever is written there, before anything is analysed; `proof_of` is asked only of mutants
that nothing noticed. `tests/analysis/test_mutation.py` judges some of the sure ones all the same.
"""

import re
from typing import Any, Final

from bench.mutants import DROPPED, Document, Mutant
from partner_mesh.analysis.sets import AddressSet

DISREGARDED: Final[dict[str, str]] = {
    "Telemetry": "says what is logged and traced",
    "PrometheusRule": "says when somebody is woken",
    "PodMonitor": "says what Prometheus looks at: the packets it sends need policies as all others do",
    "StorageClass": "says how disks are made",
    "ClusterSecretStore": "says where secrets lie",
    "ClusterRole": "says what may be asked of the Kubernetes API, not who reaches whom",
    "ClusterRoleBinding": "says what may be asked of the Kubernetes API, not who reaches whom",
    "APIServer": "serves Calico's kinds to whoever deploys: without it nothing of them is written, and `up` says so",
    "ValidatingAdmissionPolicy": "judges what is written to the Kubernetes API, not packets",
    "ValidatingAdmissionPolicyBinding": "judges what is written to the Kubernetes API, not packets",
}
"""Kinds that no packet meets: no mutants are made of them."""

# (kind, place, reason); both patterns match the whole text.
SURE: Final[tuple[tuple[str, str, str], ...]] = (
    ("(?!Namespace).*", r"metadata\.labels\.app\.kubernetes\.io/managed-by", "a label that is read of namespaces only"),
    ("ExternalSecret", r"metadata\..*|spec\.(refreshInterval|target\.creationPolicy|secretStoreRef\.kind)",
     "how a Secret is kept up to date; a wrong value in it is no certificate, and the server does not listen"),
    ("ExternalSecret", r"spec\.data\.remoteRef\.property",
     "how a Secret is kept up to date; a wrong value in it is no certificate, and the server does not listen"),
    ("SecurityGroup", r"spec(\.ingress|\.egress)?\.description", "a text for people"),
    ("VirtualService", r"spec\.http\.(name|timeout)|spec\.http\.retries.*", "how long and how often, not whether"),
    ("DestinationRule", r".*\.(connectionPool|outlierDetection|loadBalancer).*", "how many at once, not who"),
    ("Namespace", r"metadata\.labels\.pod-security\.kubernetes\.io/(warn|audit)", "tells people and refuses nothing"),
    ("Gateway", r"spec\.servers\.port\.name", "a name; the protocol is in a field of its own"),
    ("ServiceEntry|Service", r"spec\.ports\.name", "a name; the protocol is in a field of its own"),
)  # fmt: skip

# (kind, place, what, reason), for mutants that nothing noticed.
UNNOTICED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("AuthorizationPolicy", r"spec|spec\.action", "dropped", "ALLOW is the default, and no rules admit nobody"),
    ("(Global)?NetworkPolicy", r"spec\.(policyTypes|types)", "dropped",
     "the default is taken from the rules that there are, and is the same"),
    ("NetworkPolicy", r"spec\.(ingress|egress)\.ports\.protocol", "dropped", "TCP is the default"),
    ("Service|ServiceEntry", r"spec\.ports\.protocol", "dropped",
     "TCP is the default, and TLS is added by the DestinationRule whatever the protocol"),
    ("VirtualService", r"spec\.gateways", "dropped", "the mesh is the default"),
    ("VirtualService|DestinationRule", r"spec\.exportTo", "dropped",
     "the mesh's default is `.`; whoever is not told of a route or a pool calls the Service as it is"),
    ("VirtualService", r"spec\.http\.match(\.port)?", "dropped", "the host has one port that speaks HTTP"),
    ("VirtualService", r"spec\.(http|tcp)\.route\.destination\.port(\.number)?", "dropped", "the Service has one port"),
    ("NetworkPolicy", r"spec\.order", "dropped", "no rule of its direction refuses: their order is of no account"),
    ("DestinationRule", r"spec\.trafficPolicy\.tls", "dropped", "auto mTLS does what ISTIO_MUTUAL says"),
    ("DestinationRule", r"spec\.exportTo", "exported to all", "pools and the mesh's own TLS: no credential"),
    ("DestinationRule", r"(spec(\.(trafficPolicy|host))?)?", "dropped|made another",
     "pools, and the TLS that auto mTLS speaks anyway"),
    ("DestinationRule", r".*\.tls\.sni", "dropped", "the request's own host is sent (auto SNI)"),
    ("VirtualService", r"spec(\.hosts)?", "dropped|made another",
     "a route between our own: without it the Service is called as it is"),
    ("VirtualService", r"spec\.exportTo", "exported to all", "seen by all, followed where its gateways and hosts are"),
    ("VirtualService", r"spec\.tcp\.match(\.port)?", "dropped", "the gateway hands on one TCP port for this host"),
    ("VirtualService", r"spec\.http\.headers\.request\.set.*", "dropped", "without its token a request is refused"),
    ("ExternalSecret", r"spec\.target\.name", "dropped", "the object's own name is the default, and is the same"),
    ("ExternalSecret", r"(spec.*)?", "dropped", "a token that nothing delivers: the partner refuses the request"),
    ("ServiceAccount", r".*", "dropped", "without it no pod starts; no selector reads its labels"),
    ("NetworkSet", r"metadata\.labels\.partner-mesh\.dev/gateway", "dropped", "a label that no policy selects by"),
    ("RequestAuthentication", r"spec\.jwtRules\.issuer", "made another",
     "the keys stay the issuer's, who signs no token in another name"),
    ("RequestAuthentication", r"spec\.selector.*", "dropped",
     "binds every pod of the namespace: it refuses wrong tokens and admits nobody whom a rule does not"),
    ("Service", r"spec\.ports\.appProtocol", "dropped", "the protocol is detected"),
    ("ServiceEntry", r"spec\.endpoints.*", "dropped|.* made .*", "another port or address, where no gateway listens"),
    ("Sidecar", r"spec\.egress\.hosts", "dropped|made another", "what the proxy itself reports to"),
    ("VirtualService", r"spec\.(http|tcp)\.route\.(weight|destination\.subset)", "dropped",
     "how requests are shared among the versions of one Service"),
    ("VirtualService", r"(spec\.http(\.route)?)?", "dropped",
     "a route between our own: without it the Service is called as it is"),
    ("VirtualService", r"spec\.http\.headers\.response.*", "dropped",
     "what an answer tells a browser of our software, not who reaches whom"),
    ("VirtualService", r"spec\.http\.rewrite.*", "dropped", "what the other side reads; rules judge the path as sent"),
    ("Service", r"spec\.ports\.targetPort", "dropped", "the port itself is the default, and is the same"),
    ("ServiceAccount", r"automountServiceAccountToken", "made True", "what a pod asks of the API, not whom it reaches"),
    ("GlobalNetworkPolicy|NetworkPolicy", r"spec\.order", "dropped|.* made .*", "their order among each other stays"),
    ("DestinationRule", r".*\.tls\.mode", "MUTUAL made SIMPLE", "without our certificate the partner refuses"),
    ("DestinationRule", r".*\.tls\.caCertificates", "dropped", "the system's CAs are the default"),
    ("ServiceEntry", r"spec\.location", "dropped", "MESH_EXTERNAL is the default"),
    ("Sidecar", r"spec\.outboundTrafficPolicy(\.mode)?", "dropped", "the mesh's own policy is the same"),
    ("Gateway", r"spec\.servers\.tls\.minProtocolVersion", "dropped",
     "Istio's gateways take no TLS below 1.2 by default"),
    ("AuthorizationPolicy", r"spec\.rules\.to\.operation\.ports", "dropped",
     "the gateway listens for HTTP on that port alone, and a rule that names hosts never matches raw TCP"),
    ("AuthorizationPolicy", r"spec\.rules\.when(\.values)?", "(dropped|opened to \\*)",
     "the Gateway's server takes that server name alone: the condition repeats it"),
    ("Namespace", r"metadata\.labels\.partner-mesh\.dev/.*", "dropped", "a label that no policy selects by"),
    ("(?!Namespace|NetworkSet).*", r"metadata\.labels.*", "dropped",
     "a label of an object that no selector selects"),
    ("DestinationRule|ExternalSecret", r"spec|spec\.(host|target|data\.(secretKey|remoteRef(\.key)?))",
     "dropped",     "the API server refuses it; an object that is missing is a mutant of its own"),
)  # fmt: skip


def sure(mutant: Mutant) -> str:
    """Why a place says nothing about access; "" where it may."""
    if mutant.kind == "ConfigMap" and mutant.title != "ConfigMap istio-system/istio":
        return "a dashboard"
    return next(
        (why for kind, place, why in SURE if re.fullmatch(kind, mutant.kind) and re.fullmatch(place, mutant.place)), ""
    )


def proof_of(mutant: Mutant, documents: list[Document]) -> str:
    """Why a mutant that nothing noticed is equivalent; "" where no proof is known."""
    document = documents[mutant.position]
    computed = (
        (
            _unheld,
            "no pod holds the group: it stands between nodes and the control plane; PM038 says whom it may not admit",
        ),
        (_all_pods, "a selector that is left out selects as an empty one does: all"),
        (_said_twice, "another policy of these ends says the same, as for each partner that comes the same way"),
        (_refused_by_the_root, "the root namespace refuses every pod of the mesh what no rule admits"),
        (_every_path, "every path begins with /"),
        (_dead_end, "a host without endpoints: whoever learns of it, by whichever name, reaches nobody by it"),
        (_unused_listener, "a port that nobody's routes use in this namespace, and that leads nowhere"),
        (_same_blocks, "the blocks beside it cover the same addresses"),
        (_default, "the value is the field's default, which holds where it is left out"),
        (_same_rules, "another rule of the group admits the same peers to the same ports"),
        (_other_ports_open, "of the gateway's other ports another policy admits every request from everybody"),
    )
    for holds, why in computed:
        if holds(mutant, document, documents):
            return why
    for kind, place, what, why in UNNOTICED:
        if re.fullmatch(kind, mutant.kind) and re.fullmatch(place, mutant.place) and re.fullmatch(what, mutant.what):
            return why
    return ""


_ROOT: Final = "istio-system"

_DEFAULTS: Final[dict[tuple[str, str], str]] = {
    # istio api, networking/v1alpha3/service_entry.proto: the enumeration's first.
    ("ServiceEntry", "spec.resolution"): "NONE",
}


def _default(mutant: Mutant, document: Document, _: list[Document]) -> bool:
    default = _DEFAULTS.get((mutant.kind, mutant.place))
    return mutant.what == "dropped" and default is not None and _at(document, mutant) == default


def _same_rules(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    """Whether a security group admits the same, rule by rule: for each peer the same ports as before."""
    if mutant.kind != "SecurityGroup" or len(mutant.path) < 2:
        return False
    changed = mutant.applied(documents)[mutant.position]
    return all(_admitted(document, side) == _admitted(changed, side) for side in ("ingress", "egress"))


def _admitted(group: Document, side: str) -> dict[str, frozenset[tuple[str, int]]]:
    """Peer → protocol and port, for every peer that a direction's rules name."""
    found: dict[str, set[tuple[str, int]]] = {}
    for rule in group["spec"].get(side) or ():
        ports = range(int(rule.get("fromPort", 0)), int(rule.get("toPort", 65535)) + 1)
        for peer in (*(rule.get("cidrBlocks") or ()), *(rule.get("securityGroups") or ())):
            found.setdefault(str(peer), set()).update((str(rule.get("protocol", "-1")), port) for port in ports)
    return {peer: frozenset(ports) for peer, ports in found.items()}


def _other_ports_open(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    """Whether a rule of a gateway that no longer names ports says nothing new: wherever else the gateway listens, a
    policy of the same pods admits everybody to every path.
    """
    named = mutant.place in ("spec.rules.to", "spec.rules.to.operation.ports") and mutant.what == "dropped"
    if mutant.kind != "AuthorizationPolicy" or not named:
        return False
    chosen = (document["spec"].get("selector") or {}).get("matchLabels")
    listening = {
        str(_target(documents, document["metadata"]["namespace"], server["port"]["number"]))
        for each in documents
        if each["kind"] == "Gateway" and each["spec"].get("selector") == chosen
        for server in each["spec"]["servers"]
    }
    own = {port for rule in document["spec"]["rules"] for to in rule.get("to") or () for port in _ports(to)}
    open_to_all = {
        port
        for each in documents
        if each is not document
        and _ends(each) == _ends(document)
        and each["spec"].get("selector") == document["spec"].get("selector")
        for rule in each["spec"].get("rules") or ()
        if set(rule) == {"to"}
        for to in rule["to"]
        if to["operation"].get("paths", ["/*"]) == ["/*"] and set(to["operation"]) <= {"paths", "ports"}
        for port in _ports(to)
    }
    return bool(listening) and listening - own <= open_to_all


def _ports(to: Document) -> list[str]:
    return list((to.get("operation") or {}).get("ports") or ())


def _target(documents: list[Document], home: str, number: int) -> int:
    """The port of the pods behind a gateway's own Service."""
    for each in documents:
        if each["kind"] == "Service" and each["metadata"].get("namespace") == home:
            for port in each["spec"].get("ports") or ():
                if port["port"] == number and isinstance(port.get("targetPort"), int):
                    return int(port["targetPort"])
    return number


def _unheld(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    if mutant.kind != "SecurityGroup":
        return False
    name = document["spec"].get("groupId")
    policies = (each for each in documents if each["kind"] == "SecurityGroupPolicy")
    return not any(name in (each["spec"].get("securityGroups") or {}).get("groupIds", ()) for each in policies)


def _all_pods(mutant: Mutant, document: Document, _: list[Document]) -> bool:
    return mutant.path[-1:] == ("podSelector",) and document["spec"].get("podSelector") == {}


def _said_twice(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    """Whether an object of the same kind and namespace has the same content: what one loses the other keeps."""
    others = (each for number, each in enumerate(documents) if number != mutant.position)
    same = (each for each in others if _ends(each) == _ends(document))
    return mutant.what == "dropped" and any(each.get("spec") == document.get("spec") for each in same)


def _refused_by_the_root(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    """Whether a policy that admits nobody, of all pods of its namespace, repeats that of the mesh's root."""
    closed = [each for each in documents if each["kind"] == "AuthorizationPolicy" and not each.get("spec")]
    roots = [each for each in closed if each["metadata"]["namespace"] == _ROOT and each is not document]
    return mutant.what == "dropped" and not mutant.path and document in closed and bool(roots)


def _every_path(mutant: Mutant, document: Document, _: list[Document]) -> bool:
    opened = mutant.place.endswith("operation.paths") and mutant.what == "opened to *"
    return opened and _at(document, mutant) == ["/*"]


def _at(document: Document, mutant: Mutant) -> Any:
    """What is written in the place."""
    found: Any = document
    for step in mutant.path:
        found = found[step]
    return found


def _ends(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"].get("namespace", "")


def _same_blocks(mutant: Mutant, document: Document, _: list[Document]) -> bool:
    """Whether a list of blocks means the same addresses as before."""
    if len(mutant.path) < 2 or not isinstance(mutant.path[-1], int):
        return False
    listed: Any = document
    for step in mutant.path[:-1]:
        listed = listed[step]
    number = mutant.path[-1]
    changed = [*listed[:number], *([] if mutant.value is DROPPED else [mutant.value]), *listed[number + 1 :]]
    try:
        return _union(listed) == _union(changed)
    except ValueError:
        return False


def _union(blocks: list[Any]) -> AddressSet:
    return AddressSet.union(AddressSet.of(str(each)) for each in blocks)


def _leads_nowhere(document: Document) -> bool:
    """Whether a host of the mesh has no endpoints, and no caller may choose them (`resolution: NONE` would let it)."""
    spec = document.get("spec", {})
    leads = spec.get("endpoints") or spec.get("workloadSelector") or spec.get("location") != "MESH_INTERNAL"
    return document["kind"] == "ServiceEntry" and not leads and spec.get("resolution", "NONE") != "NONE"


def _dead_end(mutant: Mutant, document: Document, _: list[Document]) -> bool:
    """Whether more learn of a host of the mesh that leads nowhere, or it gets another name that nobody calls."""
    renamed = mutant.place == "spec.hosts" and mutant.what.startswith("made another")
    return (mutant.place == "spec.exportTo" or renamed) and _leads_nowhere(document)


def _unused_listener(mutant: Mutant, document: Document, documents: list[Document]) -> bool:
    """Whether a host that leads nowhere has another name or port where no namespace's HTTP route is told to its own."""
    if not re.fullmatch(r"(spec(\.(hosts|ports(\.(number|protocol))?))?)?", mutant.place) or not _leads_nowhere(
        document
    ):
        return False
    namespace = document["metadata"]["namespace"]
    return not any(
        {namespace, "*"} & set(each["spec"].get("exportTo") or ("*",))
        for each in documents
        if each["kind"] == "VirtualService" and each["spec"].get("http") and each["metadata"]["namespace"] != namespace
    )

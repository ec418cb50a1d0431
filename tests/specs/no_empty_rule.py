"""Empty never means all: what no object of ours may hold.

To Kubernetes a NetworkPolicy rule without peers admits everybody, to Istio a rule `{}` matches every request, to AWS a
rule without a peer is an error. So nothing is empty anywhere, but for the few places where empty means what is meant.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# Where an empty mapping is right: all pods of one namespace are selected, to be denied or given what all need; the
# operator is asked for its API server as it is.
_RIGHT = {("NetworkPolicy", "spec.podSelector"), ("SecurityGroupPolicy", "spec.podSelector"), ("APIServer", "spec")}


def empty_rules(document: Mapping[str, Any]) -> list[str]:
    """What is empty, or admits too much, in an object; each as a path and a reason."""
    kind, spec = document["kind"], document.get("spec", {})
    found = [*_empty(kind, {key: document[key] for key in document if key not in ("apiVersion", "kind", "metadata")})]
    match kind:
        case "AuthorizationPolicy":
            found += _authorization(document)
        case "NetworkPolicy" if "projectcalico" not in document["apiVersion"]:
            found += _network(spec)
        case "NetworkPolicy" | "GlobalNetworkPolicy":
            found += _calico(spec)
        case "SecurityGroup":
            found += _group(spec)
        case "Sidecar":
            found += [
                f"egress: {host} is everything" for entry in spec["egress"] for host in entry["hosts"] if host == "*/*"
            ]
    return found


def _empty(kind: str, value: Any, path: str = "") -> Iterator[str]:
    if (value is None or value in ([], {}, ())) and not isinstance(value, bool | int):
        if path and (kind, path) not in _RIGHT and not (kind == "AuthorizationPolicy" and path == "spec"):
            yield f"{path}: empty"
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield from _empty(kind, item, f"{path}.{key}" if path else str(key))


def _authorization(document: Mapping[str, Any]) -> Iterator[str]:
    spec = document["spec"]
    if not spec:
        if document["metadata"]["name"] != "allow-nothing":
            yield "spec: empty, and not the baseline"
        return
    if not spec.get("rules"):
        yield "spec.rules: a policy without rules says something else than it seems to"
    for index, rule in enumerate(spec.get("rules", ())):
        if not any(rule.get(part) for part in ("from", "to", "when")):
            yield f"spec.rules[{index}]: matches every request"
        for entry in rule.get("from", ()):
            if not entry.get("source"):
                yield f"spec.rules[{index}].from: matches every source"
        for entry in rule.get("to", ()):
            if not entry.get("operation"):
                yield f"spec.rules[{index}].to: matches every operation"
        values = [v for e in rule.get("from", ()) for part in e.get("source", {}).values() for v in part]
        values += [v for e in rule.get("to", ()) for part in e.get("operation", {}).values() for v in part]
        if "*" in values:
            yield f"spec.rules[{index}]: * is everything"


def _network(spec: Mapping[str, Any]) -> Iterator[str]:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction, ())):
            if not rule.get(peers):
                yield f"spec.{direction}[{index}]: everybody"
            if not rule.get("ports"):
                yield f"spec.{direction}[{index}]: every port"
    for direction in ("Ingress", "Egress"):
        if direction.lower() in spec and direction not in spec["policyTypes"]:
            yield f"spec.policyTypes: {direction} is missing, so its rules are void"


def _calico(spec: Mapping[str, Any]) -> Iterator[str]:
    for direction in ("ingress", "egress"):
        for index, rule in enumerate(spec.get(direction, ())):
            if rule["action"] == "Allow" and not (rule.get("source") or rule.get("destination")):
                yield f"spec.{direction}[{index}]: everybody"


def _group(spec: Mapping[str, Any]) -> Iterator[str]:
    for direction in ("ingress", "egress"):
        for index, rule in enumerate(spec.get(direction, ())):
            if len(rule.get("cidrBlocks", [])) + len(rule.get("securityGroups", [])) != 1:
                yield f"spec.{direction}[{index}]: not exactly one peer"

"""A second opinion: one packet at a time, straight from the API references, sharing nothing with the analyser.

`allowed(documents, source, destination, protocol, port)` where an end is a Pod's name or an address.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

Doc = Mapping[str, Any]


class Packets:
    """Decides single packets by walking the policies."""

    def __init__(self, documents: Sequence[Doc]) -> None:
        self.pods = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Pod"}
        self.namespaces = {
            d["metadata"]["name"]: {
                **d["metadata"].get("labels", {}),
                "kubernetes.io/metadata.name": d["metadata"]["name"],
            }
            for d in documents
            if d["kind"] == "Namespace"
        }
        self.sets = [d for d in documents if d["kind"] in ("NetworkSet", "GlobalNetworkSet")]
        tiers = {"default": (1_000_000, "Deny")}
        for d in documents:
            if d["kind"] == "Tier":
                tiers[d["metadata"]["name"]] = (d["spec"]["order"], d["spec"].get("defaultAction", "Deny"))
        policies: list[tuple[tuple[Any, ...], Doc]] = []
        for d in documents:
            if d["apiVersion"] == "networking.k8s.io/v1":
                order, tier = 1000.0, "default"
            elif d["kind"] in ("NetworkPolicy", "GlobalNetworkPolicy"):
                order, tier = float(d["spec"]["order"]), d["spec"]["tier"]
            else:
                continue
            # Ties as Calico 3.32 breaks them: felix/calc/policy_sorter.go, PolKVLess.
            name = "/".join((d["metadata"]["name"], d["metadata"].get("namespace", ""), d["kind"]))
            policies.append(((tiers[tier][0], tier, order, name), d))
        self.tiers = tiers
        self.policies = sorted(policies, key=lambda each: each[0])

    def allowed(self, source: str, destination: str, protocol: str, port: int) -> bool:
        out = source not in self.pods or self._passes("egress", source, destination, destination, protocol, port)
        return out and (
            destination not in self.pods or self._passes("ingress", destination, source, destination, protocol, port)
        )

    def _passes(self, direction: str, pod: str, peer: str, destination: str, protocol: str, port: int) -> bool:
        current, skipping, applied = None, False, False
        for (_, tier, _, _), policy in self.policies:
            if tier != current:
                if applied and not skipping and self.tiers[current][1] == "Deny":  # type: ignore[index]  # set by now
                    return False
                current, skipping, applied = tier, False, False
            if skipping or not self._applies(policy, direction, pod):
                continue
            applied = True
            for rule in policy["spec"].get(direction) or []:
                if not self._matches(policy, rule, direction, peer, destination, protocol, port):
                    continue
                action = rule["action"] if policy["apiVersion"].startswith("projectcalico") else "Allow"
                if action in ("Allow", "Deny"):
                    return bool(action == "Allow")
                if action == "Pass":
                    skipping = True
                    break
        return not (applied and not skipping and current is not None and self.tiers[current][1] == "Deny")

    def _applies(self, policy: Doc, direction: str, pod: str) -> bool:
        spec, labels = policy["spec"], self._labels(pod)
        namespace = policy["metadata"].get("namespace")
        if namespace and namespace != self._namespace(pod):
            return False
        types = spec.get("types") or spec.get("policyTypes")
        calico = policy["apiVersion"].startswith("projectcalico")
        if not types:
            if calico:
                types = (["Ingress"] if spec.get("ingress") or not spec.get("egress") else []) + (
                    ["Egress"] if spec.get("egress") else []
                )
            else:
                types = ["Ingress"] + (["Egress"] if spec.get("egress") else [])
        if direction.capitalize() not in types:
            return False
        if not calico:
            return chosen(spec["podSelector"], labels)
        if "namespaceSelector" in spec and not expression(spec["namespaceSelector"])(
            self.namespaces[self._namespace(pod)]
        ):
            return False
        return expression(spec["selector"])(labels)

    def _matches(
        self, policy: Doc, rule: Doc, direction: str, peer: str, destination: str, protocol: str, port: int
    ) -> bool:
        if not policy["apiVersion"].startswith("projectcalico"):
            peers = rule.get("from" if direction == "ingress" else "to")
            return (not peers or any(self._is_peer(policy, each, peer) for each in peers)) and (
                not rule.get("ports") or any(self._is_port(p, destination, protocol, port) for p in rule["ports"])
            )
        if rule.get("protocol", protocol) != protocol or rule.get("notProtocol") == protocol:
            return False
        target = rule.get("destination", {})
        if "ports" in target and not any(self._calico_port(p, destination, protocol, port) for p in target["ports"]):
            return False
        if any(self._calico_port(p, destination, protocol, port) for p in target.get("notPorts", ())):
            return False
        return self._entity(policy, rule.get("source" if direction == "ingress" else "destination", {}), peer)

    def _is_peer(self, policy: Doc, peer: Doc, who: str) -> bool:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            return (
                who not in self.pods
                and inside(who, block["cidr"])
                and not any(inside(who, each) for each in block.get("except", ()))
            )
        if who not in self.pods:
            return False
        if "namespaceSelector" in peer:
            if not chosen(peer["namespaceSelector"], self.namespaces[self._namespace(who)]):
                return False
        elif self._namespace(who) != policy["metadata"]["namespace"]:
            return False
        return chosen(peer.get("podSelector", {}), self._labels(who))

    def _is_port(self, written: Doc, destination: str, protocol: str, port: int) -> bool:
        if written.get("protocol", "TCP") != protocol:
            return False
        number = written.get("port")
        if number is None:
            return True
        if isinstance(number, str):
            return port in self._named(destination, number, protocol)
        return bool(number <= port <= written.get("endPort", number))

    def _calico_port(self, written: Any, destination: str, protocol: str, port: int) -> bool:
        if isinstance(written, int):
            return port == written
        if ":" in written:
            first, last = written.split(":")
            return int(first) <= port <= int(last)
        return port in self._named(destination, written, protocol)

    def _named(self, pod: str, name: str, protocol: str) -> list[int]:
        if pod not in self.pods:
            return []
        return [
            each["containerPort"]
            for each in self.pods[pod]["spec"]["containers"][0]["ports"]
            if each["name"] == name and each["protocol"] == protocol
        ]

    def _entity(self, policy: Doc, entity: Doc, who: str) -> bool:
        home = policy["metadata"].get("namespace")
        if "nets" in entity and not (who not in self.pods and any(inside(who, net) for net in entity["nets"])):
            return False
        if who not in self.pods and any(inside(who, net) for net in entity.get("notNets", ())):
            return False
        fields = {"selector", "notSelector", "namespaceSelector"} & entity.keys()
        if not fields:
            return True
        candidates: list[tuple[str | None, Mapping[str, str]]] = []
        if who in self.pods:
            candidates.append((self._namespace(who), self._labels(who)))
        else:
            candidates += [
                (each["metadata"].get("namespace"), each["metadata"]["labels"])
                for each in self.sets
                if any(inside(who, net) for net in each["spec"]["nets"])
            ]
        if "notSelector" in entity and any(expression(entity["notSelector"])(labels) for _, labels in candidates):
            return False
        if fields == {"notSelector"} and not home:
            return True
        for namespace, labels in candidates:
            if "selector" in entity and not expression(entity["selector"])(labels):
                continue
            if "namespaceSelector" in entity:
                # libcalico-go, getEndpointSelector: all() is whoever has a namespace, and who has none has no labels.
                asked = entity["namespaceSelector"].replace("all()", "has(in)")
                if not expression(asked)({} if namespace is None else {**self.namespaces[namespace], "in": namespace}):
                    continue
            elif home and namespace != home:
                continue
            return True
        return False

    def _namespace(self, pod: str) -> str:
        return str(self.pods[pod]["metadata"]["namespace"])

    def _labels(self, pod: str) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.pods[pod]["metadata"]["labels"]
        return labels


@cache
def inside(address: str, cidr: str) -> bool:
    network, it = ipaddress.ip_network(cidr), ipaddress.ip_address(address)
    return it.version == network.version and it in network


def chosen(selector: Doc, labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        has, value = each["key"] in labels, labels.get(each["key"])
        holds = {
            "In": has and value in each.get("values", ()),
            "NotIn": not has or value not in each.get("values", ()),
            "Exists": has,
            "DoesNotExist": not has,
        }[each["operator"]]
        if not holds:
            return False
    return True


@cache
def expression(text: str) -> Callable[[Mapping[str, str]], bool]:
    """Calico's language turned into Python's, for the shapes that the strategies write."""
    code = text.replace("&&", " and ").replace("||", " or ").replace("all()", "True")
    code = re.sub(r"has\((\w+)\)", r"('\1' in L)", code)
    code = re.sub(r"(\w+) not in \{([^}]*)\}", r"(L.get('\1') not in (\2,))", code)
    code = re.sub(r"(\w+) in \{([^}]*)\}", r"(L.get('\1') in (\2,))", code)
    code = re.sub(r"(\w+) (==|!=) (['\"]\w+['\"])", r"(L.get('\1') \2 \3)", code)
    code = re.sub(r"!(?=\()", " not ", code)
    compiled = compile(code.strip(), text, "eval")
    return lambda labels: bool(eval(compiled, {"L": labels}))

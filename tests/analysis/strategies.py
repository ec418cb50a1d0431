"""Random worlds for the network layer: small vocabularies, so that selectors meet labels often."""

from typing import Any

from hypothesis import strategies as st

NAMESPACES = ("x", "y")
KEYS = ("pod", "tier")
VALUES = ("a", "b")
NAMESPACE_KEYS = ("ns", "team")
PROTOCOLS = ("TCP", "UDP")
CIDRS = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::/32")
PORT_NAMES = ("web", "dns")


# One in a few, without Hypothesis' liking for the first: a world in which nothing matches tests nothing.
often = st.sampled_from((True, True, True, False)).map(bool)
seldom = st.sampled_from((False, False, True)).map(bool)


def labels(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[dict[str, str]]:
    full = st.fixed_dictionaries({key: st.sampled_from(VALUES) for key in keys})
    return full | st.dictionaries(st.sampled_from(keys), st.sampled_from(VALUES), max_size=2)


def _expressions(keys: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    valued = st.fixed_dictionaries({
        "key": st.sampled_from(keys),
        "operator": st.sampled_from(("In", "NotIn")),
        "values": st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True),
    })  # fmt: skip
    plain = st.fixed_dictionaries({
        "key": st.sampled_from(keys),
        "operator": st.sampled_from(("Exists", "DoesNotExist")),
    })  # fmt: skip
    return st.lists(valued | plain, min_size=1, max_size=2)


def selectors(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[dict[str, Any]]:
    one = st.dictionaries(st.sampled_from(keys), st.sampled_from(VALUES), min_size=1, max_size=1)
    return st.one_of(
        st.fixed_dictionaries({"matchExpressions": _expressions(keys)}),
        st.fixed_dictionaries({"matchLabels": one}),
        st.fixed_dictionaries({"matchLabels": one, "matchExpressions": _expressions(keys)}),
        st.just({}),
    )


container_ports = st.lists(
    st.fixed_dictionaries({
        "name": st.sampled_from(PORT_NAMES),
        "containerPort": st.sampled_from((53, 80, 8080)),
        "protocol": st.sampled_from(PROTOCOLS),
    }),
    min_size=1,
    max_size=2,
    unique_by=lambda port: port["name"],
)  # fmt: skip


@st.composite
def pods(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": draw(st.sampled_from(NAMESPACES)), "labels": draw(labels())},
        "spec": {"containers": [{"name": "c", "ports": draw(container_ports)}]},
    }


@st.composite
def peers(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(("pod", "namespace", "both", "block")))
    if kind == "block":
        block: dict[str, Any] = {"cidr": draw(st.sampled_from(CIDRS[:4]))}
        if block["cidr"] == "10.0.0.0/8":
            block["except"] = draw(st.lists(st.sampled_from(("10.1.0.0/16", "10.1.2.0/24")), max_size=2, unique=True))
        return {"ipBlock": block}
    found: dict[str, Any] = {}
    if kind in ("pod", "both"):
        found["podSelector"] = draw(selectors())
    if kind in ("namespace", "both"):
        found["namespaceSelector"] = draw(selectors(NAMESPACE_KEYS))
    return found


ports = st.fixed_dictionaries(
    {"protocol": st.sampled_from(PROTOCOLS)},
    optional={"port": st.sampled_from((53, 80, *PORT_NAMES))},
) | st.fixed_dictionaries({"port": st.just(79), "endPort": st.sampled_from((79, 80, 8080))})


def rules(side: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    peer, port = st.lists(peers(), min_size=1, max_size=2), st.lists(ports, min_size=1, max_size=2)
    one: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.fixed_dictionaries({side: peer, "ports": port}),
        st.fixed_dictionaries({side: peer}),
        st.fixed_dictionaries({"ports": port, side: st.just([])}),
    )
    return st.lists(one, min_size=1, max_size=2) | st.just([])


@st.composite
def network_policies(draw: st.DrawFn, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": draw(selectors())}
    if draw(often):
        spec["ingress"] = draw(rules("from"))
    if draw(often):
        spec["egress"] = draw(rules("to"))
    if draw(seldom):
        spec["policyTypes"] = draw(st.sampled_from((["Ingress"], ["Egress"], ["Ingress", "Egress"])))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": draw(st.sampled_from(NAMESPACES))},
        "spec": spec,
    }


def calico_expressions(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[str]:
    key, value = st.sampled_from(keys), st.sampled_from(VALUES)
    atom = st.one_of(
        st.builds("{} == '{}'".format, key, value),
        st.builds('{} != "{}"'.format, key, value),
        st.builds("has({})".format, key),
        st.builds("{} in {{'{}', 'b'}}".format, key, value),
        st.builds("{} not in {{'{}'}}".format, key, value),
        st.just("all()"),
    )
    return st.recursive(
        atom,
        lambda inner: st.one_of(
            st.builds("({} && {})".format, inner, inner),
            st.builds("({} || {})".format, inner, inner),
            st.builds("!({})".format, inner),
        ),
        max_leaves=3,
    )


@st.composite
def entities(draw: st.DrawFn) -> dict[str, Any]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "selector": calico_expressions(),
        "notSelector": calico_expressions(),
        "namespaceSelector": calico_expressions(NAMESPACE_KEYS),
        "nets": st.lists(st.sampled_from(CIDRS[:4]), min_size=1, max_size=2),
        "notNets": st.lists(st.sampled_from(CIDRS[1:4]), min_size=1, max_size=1),
    }
    wanted = draw(st.lists(st.sampled_from(tuple(fields)), min_size=1, max_size=2, unique=True) | st.just([]))
    return {key: draw(fields[key]) for key in wanted}


@st.composite
def calico_rules(draw: st.DrawFn, direction: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": draw(st.sampled_from(("Allow", "Deny", "Pass", "Log")))}
    destination: dict[str, Any] = {}
    if draw(st.booleans()):
        rule["protocol"] = draw(st.sampled_from(PROTOCOLS))
        if draw(st.booleans()):
            destination["ports"] = draw(st.lists(st.sampled_from((53, "79:80", "web")), min_size=1, max_size=2))
        if draw(st.booleans()):
            destination["notPorts"] = draw(st.lists(st.sampled_from((80, "dns")), min_size=1, max_size=1))
    elif draw(st.booleans()):
        rule["notProtocol"] = "TCP"
    peer = draw(entities())
    if direction == "ingress":
        rule["source"] = peer
        rule["destination"] = destination
    else:
        rule["destination"] = {**peer, **destination}
    return rule


@st.composite
def calico_policies(draw: st.DrawFn, name: str) -> dict[str, Any]:
    everywhere = draw(st.booleans())
    spec: dict[str, Any] = {
        "tier": draw(st.sampled_from(("default", "first"))),
        "order": draw(st.sampled_from((10, 1000, 2000))),
        "selector": draw(calico_expressions()),
    }
    if everywhere and draw(st.booleans()):
        spec["namespaceSelector"] = draw(calico_expressions(NAMESPACE_KEYS))
    for direction in ("ingress", "egress"):
        if draw(often):
            spec[direction] = draw(st.lists(calico_rules(direction), min_size=1, max_size=3))
    if draw(seldom):
        spec["types"] = draw(st.sampled_from((["Ingress"], ["Egress"], ["Ingress", "Egress"])))
    metadata = {"name": name} if everywhere else {"name": name, "namespace": draw(st.sampled_from(NAMESPACES))}
    kind = "GlobalNetworkPolicy" if everywhere else "NetworkPolicy"
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


@st.composite
def _common(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": draw(labels(NAMESPACE_KEYS))}}
        for name in NAMESPACES
    ]
    return [*found, *(draw(pods(f"p{n}")) for n in range(draw(st.integers(2, 4))))]


@st.composite
def worlds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Namespaces, Pods and Kubernetes policies."""
    found = draw(_common())
    return [*found, *(draw(network_policies(f"np{n}")) for n in range(draw(st.sampled_from((3, 2, 4, 1)))))]


@st.composite
def calico_worlds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Namespaces, Pods, two tiers, policies of both kinds, and network sets."""
    found = draw(_common())
    tier = {"order": 100}
    if draw(st.booleans()):
        tier["defaultAction"] = "Pass"  # type: ignore[assignment]  # a document's values differ in type
    found.append({"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "first"}, "spec": tier})
    found += [draw(network_policies(f"np{n}")) for n in range(draw(st.integers(0, 1)))]
    found += [draw(calico_policies(f"cp{n}")) for n in range(draw(st.sampled_from((4, 2, 3, 5))))]
    for number in range(draw(st.sampled_from((2, 0, 1)))):
        everywhere = draw(st.booleans())
        found.append(
            {
                "apiVersion": "projectcalico.org/v3",
                "kind": "GlobalNetworkSet" if everywhere else "NetworkSet",
                "metadata": {
                    "name": f"set{number}",
                    "labels": draw(labels()),
                    **({} if everywhere else {"namespace": draw(st.sampled_from(NAMESPACES))}),
                },
                "spec": {"nets": draw(st.lists(st.sampled_from(CIDRS[1:4]), min_size=1, max_size=2))},
            }
        )
    return found

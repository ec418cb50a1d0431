"""Partners as a person could write them, for Hypothesis; valid in all that the loader would have refused otherwise."""

from typing import Any

from hypothesis import strategies as st

# No name begins another: `<partner>-<label>` is then unambiguous, which the loader makes sure of.
NAMES = ("acme", "globex-telecom", "initech", "northwind-sms", "payline", "sentinel")
APPLICATIONS: dict[str, Any] = {
    "charging": {"namespace": "charging", "ports": {"http": 8080}, "versions": {"v1": 90, "v2": 10}},
    "checkout": {"namespace": "checkout", "ports": {"http": {"port": 80, "targetPort": 8080}}},
    "messaging": {
        "namespace": "checkout",  # two applications in one namespace
        "ports": {"http": 8081, "grpc": {"port": 9090, "protocol": "grpc"}, "smpp": {"port": 2775, "protocol": "tcp"}},
    },
}
PATHS = ("/v1/status", "/v1/callbacks/{*}", "/v1/{*}/items/{*}", "/files/{**}", "/{*}/rest/{**}", "/{**}")
SEGMENTS = ("a", "0", "items", "x-y_z~.%20", "$&'()+,;:@=!")

methods = st.lists(st.sampled_from(["GET", "POST", "PUT"]), unique=True, max_size=2)
ranges = st.lists(
    st.sampled_from(["198.51.100.0/28", "203.0.113.64/28", "192.0.2.1/32"]), unique=True, min_size=1, max_size=3
)


@st.composite
def rewrites(draw: st.DrawFn, path: str) -> str | None:
    """A rewrite of a path: none, exact, or its wildcards in order below another beginning."""
    wildcards = [part for part in path.split("/") if part in ("{*}", "{**}")]
    kept = draw(st.integers(0, len(wildcards)))
    exact = "/internal/" + "/".join(wildcards[:kept])
    return draw(st.sampled_from([None, exact if kept else "/internal", f"/deep{exact}" if kept else "/deep/er"]))


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    path = draw(st.sampled_from(PATHS))
    route: dict[str, Any] = {
        "path": path,
        "to": draw(st.sampled_from(["charging:http", "checkout:http", "messaging:http", "messaging:grpc"])),
        "methods": draw(methods),
        "headers": draw(st.dictionaries(st.sampled_from(["x-api-version", "accept"]), st.sampled_from(["1", "v*"]))),
    }
    rewrite = draw(rewrites(path))
    if rewrite is not None:
        route["rewrite"] = rewrite
    if draw(st.booleans()):
        route["setHeaders"] = {"set": {"x-api-version": "9"}, "remove": ["accept"]}
    if draw(st.booleans()):
        route |= {"timeout": "5s", "retries": 2}
    if draw(st.booleans()):
        route["rateLimit"] = {"requests": 10}
    return route


@st.composite
def inbounds(draw: st.DrawFn, partner: str, index: int) -> dict[str, Any]:
    protocol = draw(st.sampled_from(["http", "grpc", "tcp"]))
    entry: dict[str, Any] = {
        "host": f"in{index}.{partner}.example.com",
        "protocol": protocol,
        "clientCertificate": {"ca": f"{partner}-ca", "subjectAltNames": [f"client.{partner}.example"]},
        "routes": [{"to": "messaging:smpp"}] if protocol == "tcp" else draw(st.lists(routes(), min_size=1, max_size=4)),
    }
    enforce_at = draw(st.sampled_from([None, "edge", "sidecar"]))
    if enforce_at is not None:
        entry["enforceAt"] = enforce_at
    if protocol != "tcp" and draw(st.booleans()):
        entry["rateLimit"] = {"requests": 100, "per": "1m", "burst": 200}
    return entry | draw(st.one_of(st.just({"anySource": True}), ranges.map(lambda found: {"sourceRanges": found})))


@st.composite
def outbounds(draw: st.DrawFn, partner: str, index: int) -> dict[str, Any]:
    protocol = draw(st.sampled_from(["http", "http", "grpc", "tcp"]))
    entry: dict[str, Any] = {
        "host": f"out{index}.{partner}.example",
        "protocol": protocol,
        "from": draw(st.lists(st.sampled_from(sorted(APPLICATIONS)), unique=True, min_size=1)),
        "port": 3550 if protocol == "tcp" else draw(st.sampled_from([443, 8443])),
        "tls": draw(
            st.sampled_from([{}, {"ca": "private-ca"}, {"mode": "mutual", "certificate": f"{partner}-client"}])
        ),
    }
    if protocol == "tcp":
        return entry
    entry["methods"] = draw(methods)
    path = draw(st.sampled_from([None, *PATHS]))
    if path is not None:
        entry["paths"] = [path]
        rewrite = draw(rewrites(path))
        if rewrite is not None:
            entry["rewrite"] = rewrite
    if draw(st.booleans()):
        entry["alias"] = {"host": "partners.internal", "port": 7090, "prefix": f"/{partner}{index}/"}
    if draw(st.booleans()):
        entry["circuitBreaker"] = {"maxConnections": 10}
    if draw(st.booleans()):
        entry["rateLimit"] = {"requests": 5}
    if draw(st.booleans()):
        entry["token"] = {"secret": f"{partner}-token"}
    return entry


@st.composite
def partners(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "owner": "integrations@example.com"}
    found["inbound"] = [draw(inbounds(name, index)) for index in range(draw(st.integers(0, 2)))]
    found["outbound"] = [draw(outbounds(name, index)) for index in range(draw(st.integers(0, 2)))]
    return found


@st.composite
def many(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One partner or more, sorted by name as the loader leaves them."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    return [draw(partners(name)) for name in sorted(names)]


@st.composite
def concrete(draw: st.DrawFn, template: str) -> str:
    """A path that a template matches."""
    parts = []
    for part in template.split("/")[1:]:
        if part == "{*}":
            parts.append(draw(st.sampled_from(SEGMENTS)))
        elif part == "{**}":
            parts.append(draw(st.sampled_from(["", "a", "a/b", "a/"])))
        else:
            parts.append(part)
    return "/" + "/".join(parts)

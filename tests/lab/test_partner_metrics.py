"""The tag by which every request metric carries the partner, evaluated by a real Envoy.

Istio's own metrics filter (`istio.stats`) is in no upstream Envoy. What it is told to do is one CEL expression a tag
(Telemetry `tagOverrides`), and upstream Envoy evaluates the same expressions: here in a counter of its own
(`envoy.access_loggers.stats`), one a request. Not seen: that istio-proxy's filter puts the value into its own metrics.
"""

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lab.control import Lab
from partner_mesh.specs.telemetry import PARTNER_TAG
from tests.lab import dev

pytestmark = pytest.mark.lab

STAT = "server.lab"  # a name that Istio's bootstrap lets Envoy keep (`stats_matcher`)
HTTP = "envoy.extensions.filters.network.http_connection_manager"
LINE = re.compile(r'envoy_server_lab_requests\{partner="([^"]*)"\} (\d+)')
BESIDE = {"inward": ["crossed host"], "outward": ["outward path"]}  # refused, with and without a route
TELEMETRY = {m.namespace: m.body["spec"] for m in dev.compiled() if m.kind == "Telemetry" and m.name == "partners"}


def expression(namespace: str) -> str:
    """What the compiled Telemetry of a gateway says the tag is."""
    [metrics] = TELEMETRY[namespace]["metrics"]
    [override] = metrics["overrides"]
    return str(override["tagOverrides"][PARTNER_TAG]["value"])


def counter(namespace: str) -> dict[str, Any]:
    """An EnvoyFilter that counts requests by that expression."""
    tag = {"name": PARTNER_TAG, "value_format": f"%CEL({expression(namespace)})%"}
    stats = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
        "stat_prefix": STAT,
        "counters": [{"stat": {"name": "requests", "tags": [tag]}, "value_fixed": 1}],
    }
    manager = {
        "@type": f"type.googleapis.com/{HTTP}.v3.HttpConnectionManager",
        "access_log": [{"name": "lab.stats", "typed_config": stats}],
    }
    name = "envoy.filters.network.http_connection_manager"
    match = {"context": "GATEWAY", "listener": {"filterChain": {"filter": {"name": name}}}}
    patch = {"operation": "MERGE", "value": {"typed_config": manager}}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "lab-stats", "namespace": namespace},
        "spec": {"configPatches": [{"applyTo": "NETWORK_FILTER", "match": match, "patch": patch}]},
    }


def logged(lab: Lab, pod: str) -> Counter[str]:
    """Requests of a gateway's access log by partner; "" where no route was taken."""
    found: Counter[str] = Counter()
    for line in (Path(lab.directory) / "logs" / f"{pod.replace('/', '.')}.log").read_text().splitlines():
        if line.startswith("{") and "upstream_cluster" in line:
            entry = json.loads(line)
            if entry["method"] is not None:
                found[entry["partner"] or ""] += 1
    return found


def counted(lab: Lab, pod: str) -> Counter[str]:
    text = lab.operate("envoy", {"pod": pod, "path": "/stats/prometheus"})
    return Counter({partner: int(number) for partner, number in LINE.findall(text)})


def settled(lab: Lab, pod: str, before: Counter[str]) -> Counter[str]:
    """The log's growth, once Envoy has written all of it (it buffers for a second)."""
    last, deadline = logged(lab, pod), time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(1.5)
        now = logged(lab, pod)
        if now == last:
            break
        last = now
    return last - before


@pytest.mark.parametrize("kind", ["inward", "outward"])
def test_what_the_tag_counts_is_what_the_access_log_says(dev_lab: Lab, kind: str) -> None:
    asked = [each for each in dev.scenarios() if each.kind in (kind, *BESIDE[kind])]
    place = {"inward": "istio-partners", "outward": "istio-egress"}[kind]
    pods = [key for key in dev_lab.status()["proxies"] if key.startswith(f"{place}/")]
    assert pods
    filter_ = counter(place)
    dev_lab.apply([filter_])
    try:
        for pod in pods:
            deadline = time.monotonic() + 30
            while "lab.stats" not in dev_lab.operate("envoy", {"pod": pod, "path": "/config_dump"}):
                assert time.monotonic() < deadline, "the filter did not arrive"
                time.sleep(0.1)
        before = {pod: (settled(dev_lab, pod, Counter()), counted(dev_lab, pod)) for pod in pods}
        dev_lab.probes([each.probe for each in asked])
        by_log = {pod: settled(dev_lab, pod, before[pod][0]) for pod in pods}
        by_tag = {pod: counted(dev_lab, pod) - before[pod][1] for pod in pods}
    finally:
        dev_lab.delete([filter_])
    assert by_tag == by_log
    named = {partner for counts in by_tag.values() for partner in counts if partner}
    entries = [(p.name, each) for p in dev.stack().partners for each in (p.inbound if kind == "inward" else p.outbound)]
    assert named == {name for name, each in entries if each.protocol != "tcp"}

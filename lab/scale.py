"""What many partners cost: bytes of configuration, time until the last works, time for one change, memory.

A lab starts with one of N partners. What the others need of the world (Secrets, hosts, addresses) is made beforehand;
then their objects are written in one go, and the clock starts with the answer to the last. NetworkPolicies are not
enforced meanwhile: it is istiod and Envoy that are measured.
"""

import ipaddress
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lab import LabError
from lab import stack as stacks
from lab.control import Lab
from lab.crowd import crowd
from lab.drive import Caller, callers
from lab.ground import differences
from lab.probe import Observation
from lab.tools import tools
from lab.world import PARTNER_LABEL
from partner_mesh.config.partner import EnforceAt
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

Document = Mapping[str, Any]
SERVED: Final = ("istio.io", "k8s.io")  # API groups that the lab's API server has; operators' kinds it has not
PATIENCE: Final = 120.0  # seconds until a partner that does not work is given up
REST: Final = 3.0  # seconds for istiod and Envoys to come to rest before memory is read


@dataclass(frozen=True, slots=True)
class Shape:
    """One row: how many partners, where they are authorised, how many a gateway takes before it splits."""

    partners: int
    enforce_at: EnforceAt
    per_gateway: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """One row as measured. Bytes are compact JSON of listeners, routes and clusters; of gateways the largest one's.

    Seconds: `usable` from the last answer of the API server until the last partner is answered, in and out; `change`
    from the first byte of a changed object until it is in effect. MiB are resident memory.
    """

    shape: Shape
    shards: int
    objects: int
    write: float
    usable: float | None
    change: float | None
    gateway_bytes: int
    sidecar_bytes: int
    egress_bytes: int
    bytes_each: int  # what one partner more costs all gateways, the egress gateway and one sidecar together
    gateway_memory: float
    sidecar_memory: float
    egress_memory: float
    istiod_memory: float
    load_average: float

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


SHAPES: Final = (
    Shape(10, "sidecar"), Shape(100, "sidecar"), Shape(300, "sidecar"), Shape(1000, "sidecar"),
    Shape(300, "sidecar", 100), Shape(10, "edge"), Shape(50, "edge"), Shape(100, "edge"), Shape(300, "edge"),
)  # fmt: skip


def measured(stack: Stack, shape: Shape, report: Callable[[str], None]) -> Size:
    """One row, in a lab of its own. Raises LabError where the lab or its first partner does not work."""
    kit = tools(report)
    config = crowd(stack, shape.partners, enforce_at=shape.enforce_at, per_gateway=shape.per_gateway)
    base, later = parted(stacks.documents(kit, compile_stack(config)), config.partners[0].name)
    report(f"{shape.partners} partners, enforced at the {shape.enforce_at}: {len(later)} objects to write")
    with Lab.start(base, report=report) as lab:
        lab.enforce(enforcing=False)
        calls = [c for c in callers(config, [*base, *later]) if c.partner == config.partners[-1].name]
        lab.operate("surround", later)
        before = _total(lab, config)
        began, ended = lab.operate("write_many", later)
        usable = _working(lab, calls, ended)
        time.sleep(REST)
        change = _change(lab, config, calls[0])
        time.sleep(REST)
        memory = lab.operate("memory")  # first: the text of /config_dump takes 40 MiB for a moment, with 1,000
        each = round((_total(lab, config) - before) / (shape.partners - 1))
        return _size(lab, config, shape, _Measured(len(later), ended - began, usable, change, memory), each)


def parted(documents: Iterable[Document], first: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What runs from the start (everything that is no partner's, and the first partner), and what is written later."""
    base, later = [], []
    for document in documents:
        whose = document["metadata"].get("labels", {}).get(PARTNER_LABEL)
        if whose in (None, first):
            base.append(dict(document))
        elif document["apiVersion"].partition("/")[0].endswith(SERVED):
            later.append(dict(document))
    return base, later


def _working(lab: Lab, calls: Sequence[Caller], since: float) -> float | None:
    """Seconds until each call is answered by whom it is meant for; None if one never is."""
    for call in calls:
        seen, _ = lab.until(call.probe, lambda seen: seen.permitted, PATIENCE)
        if not seen.permitted:
            return None
    return time.monotonic() - since


def _change(lab: Lab, config: Stack, call: Caller) -> float | None:
    """Give the last partner other addresses, and call from there until it is let in."""
    last = config.partners[-1]
    moved = ipaddress.IPv4Network(last.inbound[0].source_ranges[0]).network_address + (1 << 20)
    inbound = last.inbound[0].model_copy(update={"source_ranges": (f"{moved}/32",)})
    changed = last.model_copy(update={"inbound": (inbound,)})
    after = config.model_copy(update={"partners": (*config.partners[:-1], changed)})
    written, _ = differences(stacks.objects(compile_stack(config)), stacks.objects(compile_stack(after)))
    served = [d for d in written if d["apiVersion"].partition("/")[0].endswith(SERVED)]
    probe = replace(call.probe, address=str(moved))
    before: Observation = lab.probe(probe)
    if before.permitted:
        raise LabError(f"lab scale: {probe.address} was let in before anybody said so")
    began, _ = lab.operate("write", served)
    seen, _ = lab.until(probe, lambda seen: seen.permitted, PATIENCE)
    return time.monotonic() - began if seen.permitted else None


@dataclass(frozen=True, slots=True)
class _Measured:
    objects: int
    write: float
    usable: float | None
    change: float | None
    memory: Mapping[str, Mapping[str, float]]  # process → program → MiB


@dataclass(frozen=True, slots=True)
class _Pods:
    """Keys of those that hold partners' configuration."""

    partner: list[str]
    sidecar: list[str]
    egress: list[str]


def _pods(lab: Lab, config: Stack) -> _Pods:
    keys = lab.status()["proxies"]
    application = config.partners[0].inbound[0].routes[0].to.partition(":")[0]
    namespace = config.applications[application].namespace
    return _Pods(
        [key for name, _ in config.gateways("ingress", "partner") for key in keys if is_shard(key, name)],
        [key for key in keys if key.startswith(f"{namespace}/{application}")],
        [key for name, _ in config.gateways("egress") for key in keys if is_shard(key, name)],
    )


def _total(lab: Lab, config: Stack) -> int:
    pods = _pods(lab, config)
    return sum(configuration(lab, key) for key in [*pods.partner, pods.sidecar[0], *pods.egress])


def _size(lab: Lab, config: Stack, shape: Shape, seen: _Measured, each: int) -> Size:
    pods, memory = _pods(lab, config), seen.memory

    def envoys(several: Sequence[str]) -> float:
        return max(float(memory[key.replace("/", ".")].get("envoy", 0.0)) for key in several)

    def told(several: Sequence[str]) -> int:
        return max(configuration(lab, key) for key in several)

    istiod = max(sum(each.values()) for name, each in memory.items() if name.startswith("istio-system.istiod"))
    return Size(
        shape, len(pods.partner), seen.objects, seen.write, seen.usable, seen.change,
        told(pods.partner), told(pods.sidecar), told(pods.egress), each,
        envoys(pods.partner), envoys(pods.sidecar), envoys(pods.egress), istiod, os.getloadavg()[0],
    )  # fmt: skip


def is_shard(key: str, gateway: str) -> bool:
    """Whether a pod is of a gateway or of a shard that formed beside it."""
    namespace = key.partition("/")[0]
    return namespace == f"istio-{gateway}" or namespace.startswith(f"istio-{gateway}-")


def configuration(lab: Lab, pod: str) -> int:
    """Bytes of what istiod told an Envoy: listeners, routes and clusters as compact JSON."""
    dump = json.loads(lab.operate("envoy", {"pod": pod, "path": "/config_dump"}))
    told = [
        entry
        for config in dump["configs"]
        for name in ("dynamic_listeners", "dynamic_route_configs", "dynamic_active_clusters")
        for entry in config.get(name, ())
    ]
    return len(json.dumps(told, separators=(",", ":")))

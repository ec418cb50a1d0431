"""The ground that cases of load are played on: one running lab of a stack, who calls, and what a change would write."""

import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from lab import LabError
from lab import stack as stacks
from lab.control import Lab
from lab.drive import Caller, callers
from lab.identity import key
from lab.probe import Observation
from lab.tools import Tools, tools
from partner_mesh.config.mesh import Mesh
from partner_mesh.config.partner import Partner
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

Document = dict[str, Any]
WORKLOAD_CERTIFICATE: Final = "60s"  # instead of 24 h, so that workload certificates rotate during every case
SETTLE_SECONDS: Final = 20.0
UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(slots=True)
class Ground:
    """`stack` and `documents` are what runs now; an upgrade moves both on."""

    stack: Stack
    tools: Tools
    lab: Lab
    documents: list[Document]
    callers: list[Caller]
    hosts: Mapping[str, str]  # of ours, while all partners are there
    changing: str = ""  # the partner whose addresses are narrowed
    subject: str = ""  # the one that comes and goes
    session: str = ""  # one over TCP whose addresses are narrowed; empty: the stack has none
    moved: dict[str, str] = field(default_factory=dict)  # pods that were replaced -> by which
    kept: dict[str, Any] = field(default_factory=dict)  # what a case remembers while it is played

    @classmethod
    def open(cls, stack: Stack, report: Callable[[str], None]) -> "Ground":
        """Start the lab. Raises LabError also for a stack without partners to play with."""
        kit = tools(report)
        documents = rendered(kit, stack)
        found = callers(stack, documents)
        able = [c for c in found if c.direction == "in" and _halves(stack, c) is not None]
        changing = next((c for c in able if c.probe.protocol == "http"), None)
        if changing is None:
            raise LabError(f"lab load: no partner of {stack.name} calls us over HTTP from more than one address")
        inward = [c.partner for c in found if c.direction == "in" and c.probe.protocol == "http"]
        coming = [partner for partner in inward if partner != changing.partner]
        if not coming:
            raise LabError(f"lab load: {stack.name} needs a second partner that calls us over HTTP")
        lab = Lab.start(documents, report=report)
        hosts = lab.status()["hosts"]
        session = next((c.partner for c in able if c.probe.protocol == "tcp"), "")
        return cls(stack, kit, lab, documents, found, hosts, changing.partner, coming[-1], session)

    @property
    def drain(self) -> float:
        """Seconds that the configuration lets connections drain: what bounds a revocation."""
        return seconds_of(self.stack.platform.mesh.drain_duration)

    @property
    def connection_life(self) -> str:
        """How long a partner's connection lives at most."""
        return next(gateway.max_connection_duration for _, gateway in self.stack.gateways("ingress", "partner"))

    def callers_of(self, partner: str) -> list[Caller]:
        """What a partner and we call, of those that are played."""
        return [caller for caller in self.callers if caller.partner == partner]

    def as_now(self, caller: Caller) -> Caller:
        """A caller from the pod that runs now."""
        source = caller.probe.source
        while source in self.moved:
            source = self.moved[source]
        return replace(caller, probe=replace(caller.probe, source=source))

    def settle(self, several: Sequence[Caller]) -> None:
        """Until every one of them is answered, and by nobody who knows only what was before.

        What the case before brought back takes effect in its own time: a worker of an Envoy, and connections that are
        kept open to it, may serve by the listener of before for as long as that drains.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while waiting := [c for c, seen in zip(several, self._asked(several), strict=True) if not seen.permitted]:
            if time.monotonic() > deadline:
                raise LabError(f"lab load: not answered before anything happens: {waiting[0].name}")
            time.sleep(0.1)
        time.sleep(self.drain)

    def _asked(self, several: Sequence[Caller]) -> list[Observation]:
        return self.lab.probes([caller.probe for caller in several])

    def objects_of(self, partner: str) -> list[Document]:
        """The objects that are there because of a partner and no other, in order of deployment."""
        without = self._with_partners([p for p in self.stack.partners if p.name != partner])
        return differences(stacks.objects(compile_stack(self.stack)), stacks.objects(compile_stack(without)))[1]

    def withdrawn(self, partner: str) -> Caller:
        """A partner at the last of its addresses, in the half that `narrowed` takes away."""
        caller, (_, high) = self._halved(partner)
        return replace(caller, probe=replace(caller.probe, address=str(high.broadcast_address - 1)))

    def narrowed(self, partner: str) -> list[Document]:
        """What changes when that half is withdrawn."""
        return self._narrowing(partner)[0]

    def before_narrowing(self, partner: str) -> list[Document]:
        """The same objects as they were."""
        return self._narrowing(partner)[1]

    def _narrowing(self, name: str) -> tuple[list[Document], list[Document]]:
        caller, (low, _) = self._halved(name)
        changed = [
            _at(partner, caller.probe.host, (str(low),)) if partner.name == name else partner
            for partner in self.stack.partners
        ]
        before, after = compile_stack(self.stack), compile_stack(self._with_partners(changed))
        written, _ = differences(stacks.objects(before), stacks.objects(after))
        restored, _ = differences(stacks.objects(after), stacks.objects(before))
        return written, restored

    def _halved(self, partner: str) -> tuple[Caller, tuple[ipaddress.IPv4Network, ipaddress.IPv4Network]]:
        caller = next(c for c in self.callers_of(partner) if c.direction == "in")
        halves = _halves(self.stack, caller)
        assert halves is not None  # `open` chose it so
        return caller, halves

    def _with_partners(self, partners: Sequence[Partner]) -> Stack:
        return self.stack.model_copy(update={"partners": tuple(partners)})

    def with_mesh(self, mesh: Mesh) -> Stack:
        """The stack with other settings of the mesh."""
        platform = self.stack.platform.model_copy(update={"mesh": mesh})
        return self.stack.model_copy(update={"platform": platform})

    def pods(self, namespace: str) -> list[str]:
        """Keys of the pods with a proxy in a namespace."""
        return [key for key in self.lab.status()["proxies"] if key.startswith(f"{namespace}/")]

    def gateway_pods(self, name: str | None = None) -> list[str]:
        """Keys of the pods of a gateway, or of all."""
        prefix = f"istio-{name}/" if name is not None else "istio-"
        return [key for key in self.lab.status()["proxies"] if key.startswith(prefix)]


def rendered(kit: Tools, stack: Stack) -> list[Document]:
    """A stack's documents for the data plane, with workload certificates that live a minute."""
    return [_short_lived(document) for document in stacks.documents(kit, compile_stack(stack))]


def _short_lived(document: Document) -> Document:
    if document["kind"] != "ConfigMap" or "mesh" not in document.get("data", {}):
        return document
    mesh = yaml.safe_load(document["data"]["mesh"]) or {}
    mesh.setdefault("defaultConfig", {}).setdefault("proxyMetadata", {})["SECRET_TTL"] = WORKLOAD_CERTIFICATE
    return {**document, "data": {**document["data"], "mesh": yaml.safe_dump(mesh, sort_keys=False)}}


def differences(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> tuple[list[Document], list[Document]]:
    """What must be written to come from one set of objects to the other, and what deleted; both in their order."""
    old, new = {key(d): d for d in before}, {key(d): d for d in after}
    written = [dict(d) for k, d in new.items() if old.get(k) != d]
    return written, [dict(d) for k, d in old.items() if k not in new]


def seconds_of(duration: str) -> float:
    """A duration as `5s` or `1m30s` in seconds."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration))


def _halves(stack: Stack, caller: Caller) -> tuple[ipaddress.IPv4Network, ipaddress.IPv4Network] | None:
    """A partner's only block of addresses in two; None if there is not just one, or too small a one."""
    partner = next(p for p in stack.partners if p.name == caller.partner)
    ranges = [r for inbound in partner.inbound if inbound.host == caller.probe.host for r in inbound.source_ranges]
    if len(ranges) != 1 or (block := ipaddress.IPv4Network(ranges[0])).prefixlen > 28:
        return None
    low, high = block.subnets()
    return low, high


def _at(partner: Partner, host: str, ranges: tuple[str, ...]) -> Partner:
    inbound = tuple(
        each.model_copy(update={"source_ranges": ranges}) if each.host == host else each for each in partner.inbound
    )
    return partner.model_copy(update={"inbound": inbound})

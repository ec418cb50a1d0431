"""A load client beside a running lab: who calls, started in the sandbox, told what changes, ended, and its records."""

import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from lab import LabError, inward, netns, outward
from lab.control import Lab
from lab.load import MOST_SECONDS, Role, Stream
from lab.players import players
from lab.probe import OUTSIDE, ClientCertificate, Probe
from lab.records import Record, read_records
from lab.world import world
from partner_mesh.config.stack import Stack

END_SECONDS: Final = 30.0  # after it may finish and has sent what was wanted


@dataclass(frozen=True, slots=True)
class Caller:
    """A permitted request before it is a stream: whose it is (`<partner> in` or `out`) and the request."""

    partner: str
    direction: str
    probe: Probe

    @property
    def name(self) -> str:
        """As the tables show it."""
        said = "" if self.probe.protocol == "tcp" else f"{self.probe.method} "
        path = "" if self.probe.protocol == "tcp" else self.probe.path
        return f"{self.partner} {self.direction} {said}{self.probe.host}{path}"


def callers(stack: Stack, documents: Sequence[Mapping[str, Any]]) -> list[Caller]:
    """The first permitted request of each entry of each partner, in and out: HTTP, gRPC, or a line of TCP."""
    cast = world(documents)
    known = {player.host: player for player in players(documents, cast)}
    found = []
    for partner in stack.partners:
        for inbound in partner.inbound:
            if inbound.host in known:
                call = next(iter(inward.own_calls(stack, inbound, known[inbound.host], cast.stranger)))
                found.append(Caller(partner.name, "in", call.probe))
    outwards: dict[str, list[Probe]] = {}
    for scenario in outward.scenarios(stack, cast.remotes):
        if scenario.kind == "outward":
            outwards.setdefault(scenario.probe.host, []).append(scenario.probe)
    for partner in stack.partners:
        hosts = dict.fromkeys(outbound.host for outbound in partner.outbound)
        found += (Caller(partner.name, "out", probe) for host in hosts for probe in outwards.get(host, ()))
    return found


def streams(lab: Lab, hosts: Mapping[str, str], several: Iterable[Caller], role: Role = "steady") -> Iterator[Stream]:
    """Each caller twice: on one connection, and on a fresh connection for each request. `hosts`: addresses of ours.

    HTTP/2 only on fresh ones: `lab.http2` sends one request a connection.
    """
    for caller in several:
        probe = caller.probe
        shown = None if probe.certificate is None else _pem(lab, caller.partner, probe.certificate)
        address = hosts.get(probe.to) if probe.source == OUTSIDE else None
        for reuse in (False,) if probe.protocol == "h2" else (True, False):
            name = f"{caller.name} ({'kept' if reuse else 'fresh'})"
            yield Stream(name, probe, reuse, address, shown, role)


def _pem(lab: Lab, partner: str, certificate: ClientCertificate) -> str:
    return str(lab.certificate(certificate, f"load-{partner}-{certificate.authority.replace('/', '-')}"))


@dataclass(slots=True)
class Load:
    """A running load client."""

    process: subprocess.Popen[bytes]
    folder: Path
    streams: tuple[Stream, ...]

    @classmethod
    def start(cls, lab: Lab, several: Sequence[Stream], *, rate: float, requests: int) -> Self:
        """Begin to send; it is bounded by itself even if nobody ends it."""
        folder = lab.directory / "load"
        folder.mkdir(exist_ok=True)
        document = {
            "streams": [{**asdict(s), "probe": s.probe.document()} for s in several],
            "rate": rate, "requests": requests, "records": str(folder / "records.jsonl"),
        }  # fmt: skip
        (folder / "spec.json").write_text(json.dumps(document))
        (folder / "records.jsonl").unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                lab.command_inside(netns.python("lab.load", str(folder / "spec.json"))),
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=netns.environment(),
            )  # fmt: skip
        return cls(process, folder, tuple(several))

    def move(self, old: str, new: str) -> None:
        """Requests of one pod start in another from now on. Both are keys of pods."""
        self._say({"move": {old.replace("/", "."): new.replace("/", ".")}})

    def finish(self) -> list[Record]:
        """Let it reach its count, wait, and take its records. Raises LabError if it broke."""
        self._say({"finish": True})
        try:
            status = self.process.wait(MOST_SECONDS + END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise LabError(f"the load client does not end; its log is {self.folder / 'log'}") from None
        if status != 0:
            last = "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-8:])
            raise LabError(f"the load client ended with status {status}; its log ends:\n{last}")
        return read_records(self.folder / "records.jsonl")

    def abandon(self) -> None:
        """End it without its records; it may have ended."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def _say(self, what: Mapping[str, Any]) -> None:
        if self.process.stdin is None or self.process.poll() is not None:
            return
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()


def pause(seconds: float) -> None:
    """Time for traffic to flow in the state that was just brought about."""
    time.sleep(seconds)

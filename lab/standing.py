"""A lab that keeps running: started, described by requests to try, asked one at a time with the analyser beside it."""

import json
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import LabError, inward, outward
from lab import stack as stacks
from lab.control import Lab
from lab.daemon import INPUT
from lab.edited import Edits
from lab.families import families
from lab.fidelity import outcomes
from lab.fidelity_report import Run
from lab.identity import key
from lab.inside import Balancer
from lab.judge import Expected, Judge
from lab.players import Player, players
from lab.probe import OUTSIDE, ClientCertificate, Observation, Probe
from lab.questions import counted, questions
from lab.scenarios import Scenario, findings, played
from lab.tiers import Finding
from lab.tools import kubectl, tools
from lab.traffic import balancers, scenarios
from lab.world import World, world
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

JUDGED = "judged.json"
SHOWN_PARTNERS = 3


def start(stack: Stack, folder: Path, report: Callable[[str], None], edited: Path | None = None) -> Lab:
    """Start one that outlives this process, of what the stack compiles to or of a folder with its objects edited."""
    compiled = compile_stack(stack)
    edits = Edits.none() if edited is None else Edits.of(edited, stack, compiled)
    for sentence in edits.sentences():
        report(sentence)
    kit = tools(report)
    _judge_by(folder, edits.over(stacks.judged(compiled)))
    return Lab.start(edits.over(stacks.documents(kit, compiled)), directory=folder, outlives=True, report=report)


def changed(folder: Path, written: Sequence[Mapping[str, Any]], gone: Sequence[Mapping[str, Any]]) -> None:
    """Objects of a running lab written and taken away; the analyser is asked with them from now on."""
    lab = Lab.running(folder)
    lab.apply(written)
    lab.delete(gone)
    out = {key(d) for d in [*written, *gone]}
    _judge_by(folder, [*(d for d in _documents(folder) if key(d) not in out), *written])


def asked(stack: Stack, folder: Path, report: Callable[[str], None]) -> list[Finding]:
    """Tier 3 once more, of a running lab as it is now: what the configuration promises."""
    lab = Lab.running(folder)
    started = json.loads((folder / INPUT).read_text())["documents"]
    several = scenarios(stack, started)
    report(f"asking {len(several)} requests")
    return list(findings(played(several, lab.probes, lab.enforce)))


def compared(stack: Stack, count: int, seed: int, report: Callable[[str], None]) -> Run:
    """The analyser and the data plane asked the same, in a lab started for it."""
    kit, compiled = tools(report), compile_stack(stack)
    documents = stacks.documents(kit, compiled)
    asked = questions(families(stack, documents), count, seed)
    report(f"{len(asked)} questions, seed {seed}: {dict(counted(asked))}")
    with Lab.start(documents, report=report) as lab:
        return Run(stack.name, seed, tuple(outcomes(asked, lab, stacks.judged(compiled), report)))


@dataclass(frozen=True, slots=True)
class Call:
    """A command line that works, and what it shows."""

    note: str
    line: str


def calls(stack: Stack, folder: Path) -> Iterator[Call]:
    """Requests to try with curl: some that get in, some that do not, one that leaves."""
    documents = _documents(folder)
    cast, lab = world(documents), Lab.running(folder)
    lab.enter()
    options = ["silent", "show-error", "max-time = 5", f"cacert = {folder / 'etc/ca-certificates.crt'}"]
    options += [f"resolve = {host}:443:{address}" for host, address in lab.status()["hosts"].items()]
    (folder / "curl").write_text("\n".join(options) + "\n")
    yield Call("where the lines below find what they need", f"D={shlex.quote(str(folder))}")
    for player in [p for p in players(documents, cast) if not p.raw][:SHOWN_PARTNERS]:
        yield from _inward(stack, player, cast, lab)
    for scenario in outward.scenarios(stack, cast.remotes):
        if scenario.kind == "outward" and scenario.probe.protocol == "http":
            yield _outward(scenario)
            break
    for player in players(documents, cast)[:1]:
        right = _own_call(stack, player, cast)
        line = f"partner-mesh lab request --partner {player.partner} {right.method} {shlex.quote(right.path)}"
        yield Call("the same as the first, and which objects decide", line)
    yield Call(
        "what the API server holds, as its administrator", f"$D/in node {kubectl()} get authorizationpolicies -A"
    )


def _inward(stack: Stack, player: Player, cast: World, lab: Lab) -> Iterator[Call]:
    right = _own_call(stack, player, cast)
    shown = ["--cert", f"$D/clients/{lab.certificate(player.certificate, player.partner).name}"]
    said = f"{player.partner} {right.method} {right.path}"
    yield Call(f"{said} from its own address, with its own certificate: let in", _curl(right, shown))
    yield Call("the same without a certificate: TLS ends the connection", _curl(right, []))
    if player.blocks:
        foreign = replace(right, address=cast.stranger)
        yield Call("the same from a stranger's address: the packet filter refuses", _curl(foreign, shown))


def _own_call(stack: Stack, player: Player, cast: World) -> Probe:
    inbound = next(i for p in stack.partners for i in p.inbound if i.host == player.host)
    return next(iter(inward.own_calls(stack, inbound, player, cast.stranger))).probe


def _curl(probe: Probe, shown: list[str]) -> str:
    headers = [part for name, value in probe.headers.items() for part in ("-H", shlex.quote(f"{name}: {value}"))]
    method = ["-X", probe.method] if probe.method != "GET" else []
    parts = ["--interface", probe.address or "", *shown, *method, *headers, f"https://{probe.host}{probe.path}"]
    return " ".join(["$D/in outside curl -K $D/curl", *parts])


def _outward(scenario: Scenario) -> Call:
    probe = scenario.probe
    method = f"-X {probe.method} " if probe.method != "GET" else ""
    line = f"$D/in {probe.source.replace('/', '.')} curl -sS {method}http://{probe.host}:{probe.port}{probe.path}"
    return Call(f"{scenario.about} by the egress gateway, with our client certificate", line)


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for; None: as the partner would, or as the source does."""

    method: str
    path: str
    partner: str | None = None
    source: str | None = None
    to: str | None = None
    port: int | None = None
    host: str | None = None
    server_name: str | None = None
    certificate: str = "own"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request, and what the analyser says of it."""

    probe: Probe
    seen: Observation
    expected: Expected

    @property
    def agree(self) -> bool:
        """Whether the two say the same."""
        return self.expected.agrees(self.seen)

    def text(self) -> str:
        """For a person."""
        probe, seen = self.probe, self.seen
        where = f"{probe.address} " if probe.address else ""
        whose = f" with a certificate of {probe.certificate.authority}" if probe.certificate else ""
        lines = [
            f"{where or probe.source + ' '}→ {probe.to}:{probe.port} {probe.method} {probe.host}{probe.path}{whose}",
            f"  Envoy:    {seen.sentence()} in {seen.milliseconds:.0f} ms",
        ]
        if seen.seen is not None and seen.seen.get("path") not in (None, probe.path):
            lines.append(f"            it arrived as {seen.seen['path']}")
        lines += [f"  analyser: {line}" for line in self.expected.lines()]
        if not self.agree:
            lines.append("  the two disagree: please report this request with the stack's files")
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "probe": self.probe.document(),
            "seen": self.seen.document(),
            "expected": self.expected.document(),
            "agree": self.agree,
        }


def sent(folder: Path, request: Request) -> Answer:
    """One request to a running lab. Raises LabError for a partner, a workload or a certificate that nobody has."""
    documents = _documents(folder)
    cast = world(documents)
    probe = _probe(request, players(documents, cast), cast, balancers(documents, cast).values())
    seen = Lab.running(folder).probe(probe)
    return Answer(probe, seen, Judge(documents).expected(probe))


def _probe(request: Request, cast: list[Player], around: World, carriers: Collection[Balancer]) -> Probe:
    headers = dict(_header(each) for each in request.headers)
    own = _player(request, cast)
    if request.source is not None and "/" in request.source:
        if (to := request.to or request.host) is None:
            raise LabError("lab request: say where to with --to: a host of a partner, or a Service")
        return Probe(
            request.source, to, request.port or 80, request.host or to, request.method, request.path,
            server_name=request.server_name, headers=headers,
        )  # fmt: skip
    to = request.to or (own.host if own is not None else request.host)
    if to is None:
        raise LabError("lab request: say who calls with --partner, or where to with --to")
    if own is None and (web := next((b for b in carriers if to in b.hosts), None)) is not None:
        user = request.source or around.stranger
        probe = web.carries(request.host or to, request.method, request.path, user)
        return replace(probe, headers={**probe.headers, **headers})
    address = request.source or (own.address(around.stranger) if own is not None else around.stranger)
    certificate = _certificate(request.certificate, own, cast)
    return Probe(
        OUTSIDE, to, request.port or 443, request.host or to, request.method, request.path, address=address,
        server_name=request.server_name or to, certificate=certificate, headers=headers,
        protocol="tcp" if own is not None and own.raw else "http",
    )  # fmt: skip


def _player(request: Request, cast: list[Player]) -> Player | None:
    if request.partner is None:
        return None
    mine = [p for p in cast if p.partner == request.partner]
    if not mine:
        raise LabError(
            f"no partner called {request.partner} calls us; there are "
            + ", ".join(dict.fromkeys(player.partner for player in cast))
        )
    return next((p for p in mine if p.host == (request.to or request.host)), mine[0])


def _certificate(wanted: str, own: Player | None, cast: list[Player]) -> ClientCertificate | None:
    if wanted == "none":
        return None
    if wanted in {"own", "expired", "stranger"}:
        if own is None:
            return None
        if wanted == "stranger":
            return ClientCertificate("a stranger", own.certificate.names)
        return replace(own.certificate, expired=wanted == "expired")
    other = next((p for p in cast if p.partner == wanted), None)
    if other is None:
        raise LabError(f"--certificate is own, none, expired, stranger or a partner that calls us, not {wanted}")
    return other.certificate


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise LabError(f"--header is written as 'name: value', not {text!r}")
    return name.strip().lower(), value.strip()


def _judge_by(folder: Path, documents: Sequence[Mapping[str, Any]]) -> None:
    (folder / JUDGED).write_text(json.dumps([dict(document) for document in documents]))


def _documents(folder: Path) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads((folder / JUDGED).read_text())
    return found

"""The loopback test in the lab: the objects of `specs.hairpin` applied to a running one, the call made, then broken."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lab import LabError, paths
from lab.control import Lab
from lab.expect import CUT, Expect
from lab.inward import pods, versions
from lab.jobs import Ended
from lab.players import Player, players
from lab.probe import ClientCertificate, Observation, Probe
from lab.tiers import Finding
from lab.world import POD_RANGE, world
from partner_mesh.config.partner import Partner
from partner_mesh.config.stack import Stack
from partner_mesh.specs.hairpin import CAPTURED_PORT, SERVER_PORT, Loop, job, loops

Document = Mapping[str, Any]
SECONDS: Final = 15.0
REFUSED: Final = Expect(outcomes=("answered",), statuses=(403, 404, 502, 503))
SHUT: Final = Expect(outcomes=("filtered", "refused", *CUT))


def partners(stack: Stack, name: str | None) -> list[Partner]:
    """Those with `hairpin: true`, or the one named. Raises LabError where there is none to test."""
    wanted = [p for p in stack.partners if (p.hairpin if name is None else p.name == name)]
    if name is not None and not wanted:
        raise LabError(f"there is no partner {name}; there are {', '.join(p.name for p in stack.partners)}")
    if not wanted:
        raise LabError("no partner has hairpin: true; write it into a partner's file, or name a partner")
    if lacking := [p.name for p in wanted if not any(i.protocol != "tcp" for i in p.inbound)]:
        raise LabError(f"{', '.join(lacking)} calls no HTTP host of ours: nothing comes back in")
    return wanted


@dataclass(frozen=True, slots=True)
class Break:
    """One thing made wrong, and what must come of the call then."""

    sentence: str
    wrong: Sequence[Document] = ()  # applied, and afterwards replaced by what was there
    gone: Sequence[Document] = ()  # deleted, and afterwards applied again
    besides: Sequence[Document] = ()  # applied, and afterwards deleted


@dataclass(slots=True)
class Test:
    """One loop in a running lab."""

    lab: Lab
    stack: Stack
    loop: Loop
    own: Player
    others: Sequence[Player]
    stranger: str

    def findings(self) -> Iterator[Finding]:
        """The call as it should be, then everything that must not work. Leaves the lab as it was."""
        documents = [*(m.document() for m in self.loop.objects), self._secret(self.own.certificate)]
        self.lab.apply(documents)
        try:
            yield from self._right()
            for each in self._breaks():
                yield self._broken(each)
            yield from self._around()
            yield from self._as_job()
        finally:
            self.lab.delete(documents)

    def _right(self) -> Iterator[Finding]:
        for route in self.loop.inbound.routes:
            method, path = (route.methods or ("GET",))[0], paths.sample(route.path or "/")
            probe = replace(self._call(), method=method, path=path, headers=dict(route.headers))
            expect = Expect(
                pods(self.stack, route), path=paths.rewritten(route.path or "/", route.rewrite), statuses=(200,)
            )
            yield self._until(
                f"{method} {path} goes out by the egress gateway and comes in as the partner", probe, expect
            )
        strange = replace(self._call(), path="/hairpin/elsewhere")
        yield self._until("Another path is refused", strange, REFUSED)

    def _call(self) -> Probe:
        """The first route's request, by the application."""
        route = self.loop.inbound.routes[0]
        source, host = versions(self.stack, self.loop.application)[0], self.loop.inbound.host
        return Probe(
            source, host, CAPTURED_PORT, host, (route.methods or ("GET",))[0], paths.sample(route.path or "/"),
            headers=dict(route.headers),
        )  # fmt: skip

    def _breaks(self) -> Iterator[Break]:
        names = self.own.certificate.names
        yield Break("Without a client certificate it is refused", [self._rule(mode="SIMPLE")])
        shown = {
            "With a certificate of another authority it is refused": ClientCertificate("a stranger", names),
            "With an expired certificate it is refused": replace(self.own.certificate, expired=True),
            "With another name in the certificate it is refused": replace(
                self.own.certificate, names=("someone.else.example",)
            ),
        }
        if self.others:
            other = self.others[0]
            shown[f"With the certificate of {other.partner} it is refused"] = other.certificate
        for number, (sentence, certificate) in enumerate(shown.items()):
            # Another Secret, not the same one changed: open connections live on with the certificate they began with.
            secret = self._secret(certificate, f"{self.loop.credential}-{number}")
            yield Break(sentence, [self._rule(credentialName=secret["metadata"]["name"])], besides=[secret])
        if self.others:
            other = self.others[0]
            exit_ = copy.deepcopy(dict(self._object("VirtualService", lambda d: d["spec"]["gateways"] != ["mesh"])))
            for http in exit_["spec"]["http"]:
                http["rewrite"] = {**http.get("rewrite", {}), "authority": other.host}
            yield Break(f"With Host {other.host} on this partner's server name it is refused", [exit_])
        if admitting := [m.document() for m in self.loop.objects if self._admits(m.document())]:
            yield Break("From an address that is not in the partner's list it is refused", gone=admitting)

    def _admits(self, document: Document) -> bool:
        namespace: str = document["metadata"]["namespace"]
        return document["kind"] == "AuthorizationPolicy" and namespace != self.loop.namespace

    def _broken(self, each: Break) -> Finding:
        self.lab.apply([*each.besides, *each.wrong])
        if each.gone:
            self.lab.delete(each.gone)
        found = self._until(each.sentence, self._call(), REFUSED)
        touched = {_key(d) for d in [*each.wrong, *each.gone]}
        self.lab.apply([d for d in (m.document() for m in self.loop.objects) if _key(d) in touched])
        self.lab.delete(each.besides)
        expect = Expect(pods(self.stack, self.loop.inbound.routes[0]))
        again = self._until("", self._call(), expect)
        if not again.passed:
            text = f"{found.sentence} But repaired it did not work again."
            return replace(found, passed=False, sentence=text, details=(*found.details, *again.details))
        return found

    def _around(self) -> Iterator[Finding]:
        """The application in its own TLS, with the right certificate, around the egress gateway."""
        gateway, host = f"{self.loop.gateway}.istio-{self.loop.gateway}", self.loop.inbound.host
        right = self._call()
        around = replace(
            right, to=f"{gateway}.svc.cluster.local", port=SERVER_PORT, server_name=host,
            certificate=self.own.certificate,
        )  # fmt: skip
        yield self._until("Around the egress gateway, by the ingress gateway's Service, it is refused", around, SHUT)
        public = self.lab.status()["hosts"][host]
        yield self._until(
            "Around the egress gateway, by the load balancer, it is refused", replace(around, to=public), SHUT
        )

    def _as_job(self) -> Iterator[Finding]:
        """What `--objects` prints for a real cluster, run to its end here: it must tell right from wrong by itself."""
        document = job(self.loop, self.stack, "the lab's own shell").document()
        self.lab.apply([document])
        try:
            yield self._ended("The Job for a real cluster ends well", document, 0)
            if admitting := [m.document() for m in self.loop.objects if self._admits(m.document())]:
                self.lab.delete(admitting)
                self._until("", self._call(), REFUSED)
                yield self._ended("The Job fails once the policy that admits it is gone", document, 1)
        finally:
            self.lab.delete([document])

    def _ended(self, sentence: str, document: Document, status: int) -> Finding:
        try:
            ended = Ended.of(self.lab.operate("run_job", document))
        except LabError as error:  # its Pod is refused, or its proxy does not start: a fault of the objects
            ended = Ended(-1, str(error))
        said = (
            () if ended.status == status else (f"ended with {ended.status}, not {status}:", *ended.output.splitlines())
        )
        text = f"{self.loop.partner} {self.loop.inbound.host}: {sentence}."
        return Finding(3, passed=ended.status == status, sentence=text, details=said)

    def _until(self, sentence: str, probe: Probe, expect: Expect) -> Finding:
        def holds(seen: Observation) -> bool:
            return not expect.differences(seen)

        seen, _ = self.lab.until(probe, holds, SECONDS)
        differences = tuple(expect.differences(seen))
        return Finding(
            3, passed=not differences, sentence=f"{self.loop.partner} {self.loop.inbound.host}: {sentence}.",
            details=differences,
        )  # fmt: skip

    def _secret(self, certificate: ClientCertificate, name: str | None = None) -> dict[str, Any]:
        return self.lab.credential(self.loop.namespace, name or self.loop.credential, certificate)

    def _rule(self, **changes: str) -> dict[str, Any]:
        """The DestinationRule by which the egress gateway calls, with other TLS settings."""
        rule = self._object("DestinationRule", lambda d: d["spec"]["host"] == self.loop.inbound.host)
        changed = copy.deepcopy(dict(rule))
        changed["spec"]["trafficPolicy"]["portLevelSettings"][0]["tls"] |= changes
        return changed

    def _object(self, kind: str, fits: Callable[[Document], bool]) -> Document:
        return next(d for d in (m.document() for m in self.loop.objects) if d["kind"] == kind and fits(d))


def tests(lab: Lab, stack: Stack, documents: Sequence[Document], name: str | None) -> Iterator[Test]:
    """One for each loop of the partners that want one. Raises LabError where the Job's command cannot run."""
    if shutil.which("curl") is None:
        raise LabError("the loopback test's Job calls with curl, which is missing: apt-get install -y curl")
    cast = world(documents)
    callers = players(documents, cast)
    for partner in partners(stack, name):
        for loop in loops(stack, partner, [POD_RANGE]):
            own = next(p for p in callers if p.host == loop.inbound.host)
            others = [p for p in callers if p.partner != partner.name and not p.raw]
            yield Test(lab, stack, loop, own, others, cast.stranger)


def _key(document: Document) -> tuple[str, str, str]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]

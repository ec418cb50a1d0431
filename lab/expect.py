"""What a scenario expects of an observation, and how the two differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.probe import Observation, Outcome

CUT: tuple[Outcome, ...] = ("handshake", "reset", "silent")  # ended in or right after TLS, without an answer


@dataclass(frozen=True, slots=True)
class Expect:
    """Every part that is given must hold. `reached`: servers, one of which must see the request; none: nobody may."""

    reached: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    statuses: tuple[int, ...] = ()  # of an answer, if there is one
    path: str | None = None  # as the server at the end sees it
    client_names: tuple[str, ...] = ()  # names in the client certificate that the server at the end sees
    absent: tuple[str, ...] = ()  # headers that must not reach it
    headers: tuple[tuple[str, str], ...] = ()  # headers that it must see, with their values
    version: str | None = None  # of HTTP, as it sees it
    text: str | None = None  # the line that it sees, of a connection without HTTP
    returned: tuple[tuple[str, str], ...] = ()  # headers and trailers of the answer, with their values
    instead: tuple[int, ...] = ()  # statuses by which a proxy may answer in the server's place

    def differences(self, seen: Observation) -> list[str]:
        """Why an observation is not what was expected; empty if it is."""
        return list(self._differences(seen))

    def _differences(self, seen: Observation) -> Iterator[str]:
        if not seen.permitted and seen.status in self.instead:
            return
        if self.reached and seen.reached not in self.reached:
            yield f"expected {' or '.join(self.reached)} to answer, got {seen.sentence()}"
            return
        if not self.reached and seen.permitted:
            yield f"expected nobody to be reached, got {seen.sentence()}"
            return
        if self.outcomes and seen.outcome not in self.outcomes:
            yield f"expected {' or '.join(self.outcomes)}, got {seen.sentence()}"
        refused = seen.headers.get("grpc-status", "0") != "0"  # gRPC says so in a header of an answer 200
        if self.statuses and seen.status is not None and seen.status not in self.statuses and not refused:
            yield f"expected status {' or '.join(map(str, self.statuses))}, got {seen.sentence()}"
        yield from self._at_the_end(seen.seen or {})
        for name, value in self.returned:
            if (got := seen.headers.get(name)) != value:
                yield f"expected {name}: {value} to come back, got {got or 'none'}"

    def _at_the_end(self, seen: Mapping[str, Any]) -> Iterator[str]:
        """What the server at the end should have seen of the request."""
        for what, wanted in (("path", self.path), ("version", self.version), ("text", self.text)):
            if wanted is not None and (got := seen.get(what)) != wanted:
                yield f"expected the {what} {wanted} to arrive, got {got}"
        names = seen.get("tls", {}).get("clientNames", [])
        if self.client_names and not set(self.client_names) & set(names):
            yield f"expected our certificate {' or '.join(self.client_names)}, got {names or 'none'}"
        for name, value in self.headers:
            if (got := seen.get("headers", {}).get(name)) != value:
                yield f"expected the header {name}: {value} to arrive, got {got}"
        if leaked := sorted(set(self.absent) & set(seen.get("headers", ()))):
            yield f"headers that must stay inside have left: {', '.join(leaked)}"

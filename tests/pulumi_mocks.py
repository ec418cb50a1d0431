"""What tests ask of a recorded program. The recorder itself is `components.recording.record`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.recording import Registration


@dataclass(frozen=True, slots=True)
class Recorded:
    """The registrations of one run, with the questions that tests ask of them.

    Every question that expects something fails loudly when there is nothing, and names what there is instead: a test
    must not pass because a loop had no turn.
    """

    registrations: Sequence[Registration]

    def __iter__(self) -> Iterator[Registration]:
        return iter(self.registrations)

    def __len__(self) -> int:
        return len(self.registrations)

    def types(self) -> dict[str, int]:
        """Type token → how often it was registered, sorted."""
        tokens = [registration.type for registration in self.registrations]
        return {token: tokens.count(token) for token in sorted(set(tokens))}

    def of_type(self, token: str) -> tuple[Registration, ...]:
        """All of one type; at least one."""
        found = tuple(registration for registration in self.registrations if registration.type == token)
        assert found, f"nothing of type {token} was registered; there are {', '.join(self.types())}"
        return found

    def one(self, token: str, name: str | None = None) -> Registration:
        """The only one of a type, or the one of that type and name."""
        found = [one for one in self.of_type(token) if name is None or one.name == name]
        names = [one.name for one in self.of_type(token)]
        assert len(found) == 1, f"expected one {token} {name or ''}, found {len(found)} among {names}"
        return found[0]

    def children(self, parent: Registration) -> tuple[Registration, ...]:
        """The direct children of a resource; may be empty."""
        return tuple(registration for registration in self.registrations if registration.parent_urn == parent.urn)

    def below(self, parent: Registration) -> tuple[Registration, ...]:
        """All descendants of a resource, parents before children."""
        known = {parent.urn}
        found = []
        for registration in self.registrations:
            if registration.parent_urn in known:
                known.add(registration.urn)
                found.append(registration)
        return tuple(found)

    def objects(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The inputs of every Kubernetes object of a kind, however its type token reads; at least one."""
        found = tuple(one.inputs for one in self.registrations if one.custom and one.inputs.get("kind") == kind)
        assert found, f"no Kubernetes object of kind {kind} was registered"
        return found

    def waits_for(self, later: Registration, earlier: Registration) -> bool:
        """Whether the engine creates `earlier` before `later`, by dependencies, parents or providers, transitively."""
        by_urn = {registration.urn: registration for registration in self.registrations}
        pending, reached = [later.urn], set[str]()
        while pending:
            registration = by_urn[pending.pop()]
            if registration.urn in reached:
                continue
            reached.add(registration.urn)
            nearer = [*registration.dependencies]
            nearer += [registration.parent_urn] if registration.parent_urn else []
            nearer += [registration.provider.rpartition("::")[0]] if registration.provider else []
            pending += [urn for urn in nearer if urn in by_urn]
        return earlier.urn in reached and earlier.urn != later.urn

"""Faults of one step: every object dropped, every key and list element dropped, every value opened wider.

A mutant changes one document and one place in it. Which places exist is read off the documents themselves, so that a
field that is rendered tomorrow is mutated tomorrow. Metadata other than labels says nothing about access and is left
alone, and so are objects that no packet meets (`bench.equivalent` says why for each).
"""

import copy
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = dict[str, Any]
Path = tuple[str | int, ...]

DROPPED: Final = object()  # takes the place of a value that is taken away


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the document's number in the stack, the place in it, and what became of that place."""

    position: int
    title: str  # "NetworkPolicy charging/default-deny"
    path: Path  # () for the object itself
    what: str
    value: Any = DROPPED

    @property
    def place(self) -> str:
        """The place without numbers: `spec.ingress.from`. Equivalences are told by it."""
        return ".".join(str(each) for each in self.path if isinstance(each, str))

    @property
    def kind(self) -> str:
        """The object's kind."""
        return self.title.partition(" ")[0]

    def applied(self, documents: list[Document]) -> list[Document]:
        """The stack with this fault; the other documents are shared, not copied."""
        if not self.path:
            return [*documents[: self.position], *documents[self.position + 1 :]]
        changed = copy.deepcopy(documents[self.position])
        holder: Any = changed
        for step in self.path[:-1]:
            holder = holder[step]
        if self.value is DROPPED:
            del holder[self.path[-1]]
        else:
            holder[self.path[-1]] = self.value
        return [*documents[: self.position], changed, *documents[self.position + 1 :]]

    def __str__(self) -> str:
        where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in self.path).lstrip(".")
        return f"{self.title}: {self.what}{f' {where}' if where else ''}"


def mutants(documents: list[Document], mutated: Callable[[Document], bool]) -> Iterator[Mutant]:
    """Every mutant of the chosen documents, in their order."""
    for position, document in enumerate(documents):
        if mutated(document):
            title = title_of(document)
            yield Mutant(position, title, (), "dropped")
            for path, what, value in _faults(document):
                yield Mutant(position, title, path, what, value)


def title_of(document: Document) -> str:
    """`Kind namespace/name`, as the analyser names objects."""
    metadata = document["metadata"]
    namespace = metadata.get("namespace")
    return f"{document['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def _faults(document: Document) -> Iterator[tuple[Path, str, Any]]:
    for key, value in document.items():
        if key not in ("apiVersion", "kind", "metadata"):
            yield from _below((key,), value)
    for label in document["metadata"].get("labels", {}):
        yield ("metadata", "labels", label), "dropped", DROPPED
    if "labels" in document["metadata"]:
        for path, what, value in _additions(document):
            yield path, what, value


def _additions(document: Document) -> Iterator[tuple[Path, str, Any]]:
    """Fields that open a door by being there."""
    spec = document.get("spec", {})
    if document["kind"] == "DestinationRule":
        for path, tls in _holding(spec, ("spec",), "tls"):
            if tls.get("mode") in ("SIMPLE", "MUTUAL"):
                yield (*path, "tls"), "insecureSkipVerify", {**tls, "insecureSkipVerify": True}
    if document["kind"] == "AuthorizationPolicy" and spec.get("action", "ALLOW") == "ALLOW":
        yield ("spec", "rules"), "a rule without terms added", [*spec.get("rules", []), {}]
    if document["kind"] == "NetworkPolicy":
        for side in ("ingress", "egress"):
            if side in spec:
                yield ("spec", side), "a rule without terms added", [*spec[side], {}]


def _holding(value: Any, path: Path, key: str) -> Iterator[tuple[Path, Any]]:
    """Every mapping that has a key, with what it holds there."""
    if isinstance(value, Mapping):
        if key in value:
            yield path, value[key]
        for name, inner in value.items():
            yield from _holding(inner, (*path, name), key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _holding(inner, (*path, number), key)


def _below(path: Path, value: Any) -> Iterator[tuple[Path, str, Any]]:
    yield path, "dropped", DROPPED
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _below((*path, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _below((*path, number), inner)
        yield from ((path, what, wider) for what, wider in _wider_list(path, value))
    else:
        yield from ((path, what, wider) for what, wider in _wider(path, value))


def _wider_list(path: Path, value: list[Any]) -> Iterator[tuple[str, Any]]:
    field = path[-1]
    if field == "exportTo" and value != ["*"]:
        yield "exported to all", ["*"]
    if field in _PATTERNS and value != ["*"]:
        yield "opened to *", ["*"]
    if field == "egress" and value and isinstance(value[0], Mapping) and "hosts" in value[0]:
        yield "opened to */*", [{"hosts": ["*/*"]}]


_PATTERNS: Final = ("hosts", "methods", "paths", "principals", "namespaces", "ipBlocks", "remoteIpBlocks", "values",
                    "requestPrincipals")  # fmt: skip
_INSTEAD: Final[Mapping[str, Mapping[Any, tuple[Any, ...]]]] = {
    "mode": {
        "STRICT": ("PERMISSIVE", "DISABLE"),
        "MUTUAL": ("SIMPLE", "OPTIONAL_MUTUAL"),
        "ISTIO_MUTUAL": ("SIMPLE", "DISABLE"),
        "SIMPLE": ("DISABLE",),
        "REGISTRY_ONLY": ("ALLOW_ANY",),
    },
    "minProtocolVersion": {"TLSV1_2": ("TLSV1_1",), "TLSV1_3": ("TLSV1_2", "TLSV1_0")},
    "action": {"ALLOW": ("DENY", "AUDIT"), "DENY": ("ALLOW",), "Allow": ("Deny",), "Deny": ("Allow",)},
    "protocol": {"tcp": ("-1",), "TCP": ("UDP",), "HTTPS": ("HTTP",)},
    "resolution": {"DNS": ("NONE",)},
}


def _wider(path: Path, value: Any) -> Iterator[tuple[str, Any]]:
    """Other values of a scalar that admit more, or turn a decision round."""
    field = next((each for each in reversed(path) if isinstance(each, str)), "")
    for other in _INSTEAD.get(field, {}).get(value, ()) if isinstance(value, str) else ():
        yield f"{value} made {other}", other
    if isinstance(value, bool):
        yield f"made {not value}", not value
    elif isinstance(value, int) and field in ("port", "number", "toPort", "fromPort", "targetPort", "order"):
        yield f"{value} made {value + 1}", value + 1
    elif isinstance(value, str):
        yield from _wider_text(field, value)


def _wider_text(field: str, value: str) -> Iterator[tuple[str, Any]]:
    if field in ("cidr", "nets", "cidrBlocks", "ipBlocks", "remoteIpBlocks", "addresses", "except"):
        yield from _wider_block(value)
    if field in ("prefix", "exact", "regex") and value not in ("/", ".*"):
        yield "made another", f"{value}x"
    if field in ("selector", "namespaceSelector") and value != "all()":
        yield f"{value} made all()", "all()"
    if field in ("hosts", "host", "credentialName", "principals", "issuer"):
        yield "made another", f"other.{value}"


def _wider_block(value: str) -> Iterator[tuple[str, Any]]:
    try:
        block = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return
    if block.prefixlen:
        yield f"{value} made one bit wider", str(block.supernet())
        yield f"{value} made everybody", "0.0.0.0/0" if block.version == 4 else "::/0"

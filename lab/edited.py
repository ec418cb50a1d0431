"""Objects as a person has edited them, in place of what the stack compiles to: broken by hand, to see who notices.

The folder is one that `partner-mesh render STACK --out DIR` wrote: a file an object. A file that is gone is an object
that is not deployed. What the lab asks stays what the configuration promises.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab import LabError
from lab.identity import Key, key
from lab.overlay import Touch, touched
from partner_mesh.analysis.resources import load
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.aws.load_balancers import target_group_bindings
from partner_mesh.specs.compiled import Compiled

Document = Mapping[str, Any]
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Edits:
    """The objects of a folder, and those that rendering writes: what of them the folder lacks is gone."""

    edited: Mapping[Key, Document]
    rendered: Mapping[Key, Document]

    @classmethod
    def none(cls) -> "Edits":
        """Everything as it compiles."""
        return cls({}, {})

    @classmethod
    def of(cls, folder: Path, stack: Stack, compiled: Compiled) -> "Edits":
        """Read a folder. Raises LabError for what cannot be read, and where it is no rendering of this stack."""
        rendered = {manifest.key: manifest.document() for manifest in _rendered(stack, compiled)}
        edited = read(folder)
        if not edited.keys() & rendered.keys():
            raise LabError(
                f"{folder} holds no object of {stack.name}; write them with: "
                f"partner-mesh render {stack.name} --out {folder}"
            )
        return cls(edited, rendered)

    def over(self, documents: Iterable[Document]) -> list[dict[str, Any]]:
        """Documents with those of the folder in their places; what only the folder has comes last."""
        listed = list(documents)
        kept = [self.edited.get(key(d), d) for d in listed if key(d) in self.edited or key(d) not in self.rendered]
        there = {key(d) for d in listed} | self.rendered.keys()
        return [dict(d) for d in [*kept, *(d for each, d in self.edited.items() if each not in there)]]

    def sentences(self) -> Iterator[str]:
        """What differs from what the stack compiles to, a line an object or field."""
        found = list(touched(self.rendered.values(), self.edited.values()))
        if self.rendered and not found:
            yield "the objects are those that the stack compiles to: nothing is edited"
        yield from (_sentence(touch) for touch in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"and {len(found) - SHOWN} differences more"


def _sentence(touch: Touch) -> str:
    name = f"{touch.kind} {touch.name}"
    if not touch.path:
        return f"edited: {name} is {'gone' if touch.after is None else 'one more'}"
    if touch.after is None:
        return f"edited: {name} has no {touch.path}"
    return f"edited: {name} has {touch.path}: {_short(touch.after)}, not {_short(touch.before)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _rendered(stack: Stack, compiled: Compiled) -> Sequence[Manifest]:
    """What `partner-mesh render` writes: of a shard's stack its partners alone."""
    if stack.platform.shared is not None:
        return [manifest for manifests in compiled.partners.values() for manifest in manifests]
    return [*compiled.manifests, *target_group_bindings(stack)]


def read(folder: Path) -> dict[Key, Document]:
    """The objects of a file or folder, in order. Raises LabError naming file and line of what cannot be one."""
    try:
        loaded = load(folder)
    except FileNotFoundError as error:
        raise LabError(str(error)) from None
    if loaded.notes:
        raise LabError(f"{folder} cannot be read:\n  " + "\n  ".join(map(str, loaded.notes)))
    found: dict[Key, Document] = {}
    for each in loaded.resources:
        document = each.document()
        if key(document) in found:
            raise LabError(f"{folder}/{each.source}: {each.title} is there twice; keep one")
        found[key(document)] = document
    return found

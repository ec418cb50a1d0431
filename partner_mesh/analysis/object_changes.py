"""What changed between two sets of objects: added, removed, and field by field. Values of Secrets are never shown."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from partner_mesh.analysis.resources import Loaded, Resource
from partner_mesh.model.record import dataclass

HIDDEN: Final = "(hidden)"
# What the API server and controllers write: no part of what anybody wants.
_SERVER_FIELDS: Final = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "ownerReferences",
)  # fmt: skip
_SERVER_ANNOTATIONS: Final = ("kubectl.kubernetes.io/last-applied-configuration", "pulumi.com/patchForce")
ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field. `before` or `after` is `ABSENT` where there is none. `path` as in `spec.http[0].match`."""

    path: str
    before: Any
    after: Any

    def document(self) -> dict[str, Any]:
        """`{"path", "before"?, "after"?}`."""
        shown: dict[str, Any] = {"path": self.path}
        if self.before is not ABSENT:
            shown["before"] = self.before
        if self.after is not ABSENT:
            shown["after"] = self.after
        return shown


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object that is in both sets with another content."""

    before: Resource
    after: Resource
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class ObjectChanges:
    """Everything that changed, each list in the order of titles."""

    added: tuple[Resource, ...] = ()
    removed: tuple[Resource, ...] = ()
    changed: tuple[ObjectChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def touched(self) -> list[Resource]:
        """Every object that is not the same on both sides; of a changed one both."""
        both = [side for each in self.changed for side in (each.before, each.after)]
        return [*self.added, *self.removed, *both]

    def document(self) -> dict[str, Any]:
        """`{"added", "removed", "changed"}`; objects by title."""
        return {
            "added": [each.title for each in self.added],
            "removed": [each.title for each in self.removed],
            "changed": [
                {"object": each.after.title, "fields": [field.document() for field in each.fields]}
                for each in self.changed
            ],
        }


def object_changes(before: Loaded, after: Loaded) -> ObjectChanges:
    """The objects of `after` against those of `before`, by group, kind, namespace and name."""
    was = {each.key: each for each in before.resources}
    now = {each.key: each for each in after.resources}
    changed: list[ObjectChange] = []
    for key, resource in now.items():
        if key in was and was[key].document() != resource.document():
            fields = tuple(_fields("", wanted(was[key]), wanted(resource)))
            if fields:
                hidden = resource.kind == "Secret" and not resource.group
                changed.append(ObjectChange(was[key], resource, tuple(map(_hidden, fields)) if hidden else fields))
    return ObjectChanges(
        tuple(sorted((each for key, each in now.items() if key not in was), key=lambda each: each.title)),
        tuple(sorted((each for key, each in was.items() if key not in now), key=lambda each: each.title)),
        tuple(sorted(changed, key=lambda each: each.after.title)),
    )


def wanted(resource: Resource) -> dict[str, Any]:
    """The object without what only the server says."""
    metadata = {key: value for key, value in resource.metadata.items() if key not in _SERVER_FIELDS}
    annotations = {k: v for k, v in resource.annotations.items() if k not in _SERVER_ANNOTATIONS}
    metadata = {**metadata, "annotations": annotations} if annotations else _without(metadata, "annotations")
    body = {key: value for key, value in resource.body.items() if key != "status"}
    return {"metadata": metadata, **body}


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _hidden(change: FieldChange) -> FieldChange:
    if not change.path.startswith(("data", "stringData")):
        return change
    before, after = (ABSENT if each is ABSENT else HIDDEN for each in (change.before, change.after))
    return FieldChange(change.path, before, after)


def _fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _fields(_step(path, str(key)), before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(path, before, after)
    else:
        yield FieldChange(path, before, after)


def _step(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _items(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    """Items aligned as a person would: what is equal stays, what stands in the same place is compared inside."""
    was, now = ([json.dumps(each, sort_keys=True, default=str) for each in side] for side in (before, after))
    for tag, i, j, k, m in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for offset in range(max(j - i, m - k)):
            left = before[i + offset] if i + offset < j else ABSENT
            right = after[k + offset] if k + offset < m else ABSENT
            index = k + offset if right is not ABSENT else i + offset
            yield from _fields(f"{path}[{index}]", left, right)

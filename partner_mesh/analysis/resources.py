"""Kubernetes objects as they are written: from documents, a file or a folder, with the place each was read from.

Other people's repositories hold odd things. What is no Kubernetes object is passed over; what looks like one and
cannot be read becomes a note with file and line, never a traceback, and spoils nothing else in its file.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from partner_mesh.analysis.yaml_nodes import DEEPEST, HostileYamlError, weighed
from partner_mesh.model.record import dataclass, field

SUFFIXES: Final = (".yaml", ".yml", ".json")
LARGEST_FILE: Final = 64 << 20
CLUSTER_SCOPED: Final = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "StorageClass", "IngressClass", "GatewayClass", "PriorityClass", "RuntimeClass", "APIService",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "GlobalNetworkPolicy", "GlobalNetworkSet", "Tier", "HostEndpoint", "IPPool",
    "FelixConfiguration", "Installation", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy",
    "SecurityGroup", "ClusterUserDefinedNetwork", "Unread",
})  # fmt: skip
DEFAULT_NAMESPACE: Final = "default"
# Kinds that Kubernetes itself has, with the groups where it has (or had) them; the first is today's. Hand-written files
# get the group wrong (`apps/v1` Pod, `v1` Deployment): the API server refuses those, and a reader sees what is meant.
_BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("Pod", "Service", "Namespace", "ServiceAccount", "Node", "ReplicationController"), ("",)),
    **dict.fromkeys(("Deployment", "ReplicaSet", "DaemonSet"), ("apps", "extensions")),
    "StatefulSet": ("apps",),
    **dict.fromkeys(("Job", "CronJob"), ("batch",)),
    **dict.fromkeys(("NetworkPolicy", "Ingress"), ("networking.k8s.io", "extensions")),
    **dict.fromkeys(("UserDefinedNetwork", "ClusterUserDefinedNetwork"), ("k8s.ovn.org",)),
}
BUILT_IN_GROUPS: Final = frozenset({"", "apps", "batch", "extensions", "networking.k8s.io", "nmstate.io", "policy"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object was read: `line` counts from 1; 0 where there is no file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the input that a person should know: what could not be read or is not taken into account."""

    source: Source
    text: str

    def __str__(self) -> str:
        return f"{self.source}: {self.text}"


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One Kubernetes object. Compared by identity: two files may hold the same object."""

    api_version: str
    kind: str
    namespace: str  # "" for cluster-scoped kinds, "default" where none is written
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)  # every top-level field besides apiVersion, kind, metadata
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Source = Source("")

    @property
    def group(self) -> str:
        """The API group; "" for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def spec(self) -> Mapping[str, Any]:
        """`spec`, or nothing where it is missing or no mapping."""
        spec = self.body.get("spec")
        return spec if isinstance(spec, (dict, Mapping)) else {}

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes an object unique in a cluster: group, kind, namespace, name."""
        return self.group, self.kind, self.namespace, self.name

    @property
    def title(self) -> str:
        """`Kind namespace/name`, as reports name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def document(self) -> dict[str, Any]:
        """The object as the mapping it was read from."""
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": dict(self.metadata), **self.body}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: objects in the order of files and documents, and notes on the rest."""

    resources: tuple[Resource, ...]
    notes: tuple[Note, ...] = ()


class UnreadableError(ValueError):
    """A document that claims to be a Kubernetes object and is none."""


def of_documents(documents: Iterable[Mapping[str, Any]], file: str = "") -> Loaded:
    """Objects from plain mappings, as from a compiled stack. A `List` is opened."""
    resources: list[Resource] = []
    notes: list[Note] = []
    for document in documents:
        _take(document, Source(file), None, resources, notes)
    return Loaded(tuple(resources), tuple(notes))


def load(path: str | os.PathLike[str]) -> Loaded:
    """Objects of a YAML or JSON file, or of every such file below a folder, in the order of their paths.

    File names in sources are relative to the folder given. Raises FileNotFoundError when there is nothing at `path`.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    resources: list[Resource] = []
    notes: list[Note] = []
    for file in [root] if root.is_file() else sorted(_files(root, notes)):
        shown = str(file) if file == root else str(file.relative_to(root))
        text = _content(file, shown, notes)
        if text is None:
            continue
        if "{{" in text and _in_chart(file, root):
            notes.append(Note(Source(shown), "a Helm template: skipped; render the chart first (helm template)"))
            continue
        _read(text, shown, resources, notes)
    return Loaded(tuple(resources), tuple(notes))


def _content(file: Path, shown: str, notes: list[Note]) -> str | None:
    """A file's text; None, with a note, where it has none."""
    try:
        if not file.is_file():  # a pipe would be waited for, a device never ends
            notes.append(Note(Source(shown), "is no regular file: skipped"))
            return None
        if (size := file.stat().st_size) > LARGEST_FILE:
            text = f"has {size >> 20} MiB: skipped; files of up to {LARGEST_FILE >> 20} MiB are read"
            notes.append(Note(Source(shown), text))
            return None
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        notes.append(Note(Source(shown), f"cannot be read: {error}"))
        return None


def _files(root: Path, notes: list[Note]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        notes.append(Note(Source(os.path.relpath(error.filename, root)), f"cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(root, onerror=refused):
        folders[:] = [each for each in folders if not each.startswith(".") and each != "node_modules"]
        yield from (Path(folder, each) for each in files if each.endswith(SUFFIXES))


def _in_chart(file: Path, root: Path) -> bool:
    """Whether the file is a template of a chart: below `templates`, beside a Chart.yaml."""
    return any(
        parent.name == "templates" and (parent.parent / "Chart.yaml").exists()
        for parent in file.parents
        if parent == root or root in parent.parents
    )


class _KubernetesLoader(_Loader):  # type: ignore[misc, valid-type]  # the C loader exists only where libyaml does
    """YAML as Kubernetes reads it: dates, `=` and base-60 numbers are strings.

    libyaml's composer calls itself for each level and ends the process when the stack does, so levels are counted.
    """

    depth = 0

    def descend_resolver(self, *_: Any) -> None:
        """Called on the way into each node; nobody here resolves tags by their path."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise HostileYamlError(f"nested deeper than {DEEPEST} levels")

    def ascend_resolver(self) -> None:
        """Called on the way out."""
        self.depth -= 1


def _text(loader: Any, node: Any) -> str:
    return str(loader.construct_scalar(node))


def _integer(loader: Any, node: Any) -> Any:
    return _text(loader, node) if ":" in node.value else loader.construct_yaml_int(node)


def _float(loader: Any, node: Any) -> Any:
    return _text(loader, node) if ":" in node.value else loader.construct_yaml_float(node)


_KubernetesLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:value", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:float", _float)


_UNREADABLE: Final = (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError)


def _read(text: str, file: str, resources: list[Resource], notes: list[Note]) -> None:
    """Every document of a text; if the whole cannot be parsed, each document by itself."""
    found: list[tuple[Any, Any, list[tuple[str, int]], int]] = []
    try:
        found = [(*each, 0) for each in _parsed(text)]
    except _UNREADABLE as error:
        chunks = list(_chunks(text))
        if len(chunks) <= 1:
            try:  # a tab is white space in JSON, and none in YAML
                _take(json.loads(text), Source(file, 1), None, resources, notes)
            except (ValueError, RecursionError):
                notes.append(_broken(text, file, error, 0))
            return
        for line, chunk in chunks:
            try:
                found += [(*each, line) for each in _parsed(chunk)]
            except _UNREADABLE as inner:
                notes.append(_broken(chunk, file, inner, line))
    for data, node, doubled, offset in found:
        for key, line in doubled:
            notes.append(Note(Source(file, line + offset + 1), f"{key} is written twice: the last counts"))
        _take(data, Source(file, node.start_mark.line + offset + 1), (node, offset), resources, notes)


def _parsed(text: str) -> Iterator[tuple[Any, Any, list[tuple[str, int]]]]:
    """(content, node, keys that are written twice) of each document."""
    loader = _KubernetesLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            doubled = weighed(node)
            yield loader.construct_document(node), node, doubled
    finally:
        loader.dispose()


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """(lines before it, text) of each document."""
    line = 0
    for chunk in re.split(r"(?m)^(?=---(?:\s|$))", text):
        if chunk.strip():
            yield line, chunk
        line += chunk.count("\n")


def _broken(text: str, file: str, error: Exception, offset: int) -> Note:
    mark = getattr(error, "problem_mark", None)
    source = Source(file, (mark.line if mark else 0) + offset + 1)
    if "{{" in text:
        return Note(source, "a Helm template: skipped; render the chart first (helm template)")
    problem = " ".join(str(getattr(error, "problem", None) or str(error) or type(error).__name__).split())
    return Note(source, f"not readable as YAML: {problem}")


def _take(
    document: Any,
    source: Source,
    place: tuple[Any, int] | None,
    resources: list[Resource],
    notes: list[Note],
) -> None:
    """The objects of one document; `place` is its node and the lines before the node's text."""
    if not isinstance(document, (dict, Mapping)):
        return
    kind, api_version = document.get("kind"), document.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str) or not kind:
        if isinstance(kind, str) and kind and isinstance(document.get("metadata"), Mapping):
            notes.append(Note(source, f"{kind} without apiVersion: skipped; say which API it is of"))
        return
    api_version = _meant(api_version, kind, source, notes)
    items = document.get("items")
    if kind.endswith("List") and (isinstance(items, list) or "items" in document):
        places = _item_nodes(place)
        if not isinstance(items, list) and items is not None:
            notes.append(Note(source, f"{kind}: items must be a list, not {type(items).__name__}: skipped"))
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, Mapping) and kind != "List":  # a PodList's items may leave out what they are
                item = {"kind": kind.removesuffix("List"), "apiVersion": api_version, **item}  # noqa: PLW2901
            node = places[index] if index < len(places) else None
            at = Source(source.file, node.start_mark.line + place[1] + 1) if node is not None and place else source
            _take(item, at, (node, place[1]) if node is not None and place else None, resources, notes)
        return
    try:
        resources.append(_resource(document, api_version, kind, source))
    except UnreadableError as error:
        notes.append(Note(source, str(error)))


def _meant(api_version: str, kind: str, source: Source, notes: list[Note]) -> str:
    """The apiVersion, or the one that is meant where Kubernetes has the kind in another group of its own."""
    group, known = api_version.rpartition("/")[0], _BUILT_IN.get(kind)
    if known is None or group in known or group not in BUILT_IN_GROUPS:
        return api_version
    meant = f"{known[0]}/v1".lstrip("/")
    notes.append(Note(source, f"there is no {kind} in {api_version}: read as {meant}; the API server refuses it"))
    return meant


def _item_nodes(place: tuple[Any, int] | None) -> list[Any]:
    if place is None or not isinstance(place[0], yaml.MappingNode):
        return []
    for key, value in place[0].value:
        if key.value == "items" and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _resource(document: Mapping[str, Any], api_version: str, kind: str, source: Source) -> Resource:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, (dict, Mapping)) else {}
    name = metadata.get("name") or metadata.get("generateName")
    if not isinstance(name, (str, int)) or name == "":
        raise UnreadableError(f"{kind} without metadata.name: skipped; give it a name")
    namespace = metadata.get("namespace")
    if kind in CLUSTER_SCOPED:
        namespace = ""
    elif not namespace or not isinstance(namespace, (str, int)):
        namespace = DEFAULT_NAMESPACE
    return Resource(
        api_version,
        kind,
        str(namespace),
        str(name),
        string_map(metadata.get("labels")),
        string_map(metadata.get("annotations")),
        {key: value for key, value in document.items() if key not in ("apiVersion", "kind", "metadata")},
        metadata,
        source,
    )


def string_map(value: Any) -> dict[str, str]:
    """Labels or annotations as strings, also where somebody left out the quotes of `"true"` or `"1"`."""
    if not value or not isinstance(value, (dict, Mapping)):
        return {}
    return {str(key): string_value(each) for key, each in value.items()}


def string_value(value: Any) -> str:
    """A label's value as the API server would read the text that was meant."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

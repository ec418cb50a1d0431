"""Kubernetes objects as they are written: from documents, a file or a folder, with the place each was read from.

Other people's repositories hold odd things. What is no Kubernetes object is passed over; what looks like one and
cannot be read becomes a note with file and line, never a traceback, and spoils nothing else in its file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from partner_mesh.analysis.yaml_documents import Place, Unreadable, documents
from partner_mesh.model.record import dataclass, field

SUFFIXES: Final = (".yaml", ".yml", ".json")
LARGEST_FILE: Final = 64 << 20
CLUSTER_SCOPED: Final = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "StorageClass", "IngressClass", "GatewayClass", "PriorityClass", "RuntimeClass", "APIService",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "GlobalNetworkPolicy", "GlobalNetworkSet", "Tier", "HostEndpoint", "IPPool",
    "FelixConfiguration", "Profile", "BGPConfiguration", "BGPPeer", "ClusterInformation",
    "KubeControllersConfiguration", "StagedGlobalNetworkPolicy", "Installation",
    "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy", "SecurityGroup",
    "ClusterUserDefinedNetwork", "Unread",
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
_HELM: Final = "a Helm template: skipped; render the chart first (helm template)"


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

    # Asked for hundreds of thousands of times: said once.
    group: str = field(init=False, repr=False)  # the API group; "" for the core group
    spec: Mapping[str, Any] = field(init=False, repr=False)  # nothing where it is missing or no mapping

    def __post_init__(self) -> None:
        spec = self.body.get("spec")
        object.__setattr__(self, "group", self.api_version.rpartition("/")[0])
        object.__setattr__(self, "spec", spec if isinstance(spec, (dict, Mapping)) else {})

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
    reading = _Reading()
    for document in documents:
        reading.take(document, Source(file))
    return Loaded(tuple(reading.resources), tuple(reading.notes))


def load(path: str | os.PathLike[str]) -> Loaded:
    """Objects of a YAML or JSON file, or of every such file below a folder, in the order of their paths.

    File names in sources are relative to the folder given. Raises FileNotFoundError when there is nothing at `path`.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    reading = _Reading()
    for file in [root] if root.is_file() else sorted(_files(root, reading.notes)):
        shown = str(file) if file == root else str(file.relative_to(root))
        text = _content(file, shown, reading.notes)
        if text is None:
            continue
        if "{{" in text and _in_chart(file, root):
            reading.notes.append(Note(Source(shown), _HELM))
            continue
        reading.text(text, shown)
    return Loaded(tuple(reading.resources), tuple(reading.notes))


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


class _Reading:
    """What the documents of one or more texts hold."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self.notes: list[Note] = []

    def text(self, text: str, file: str) -> None:
        """Takes every document of a file."""
        for document in documents(text):
            source = Source(file, document.line)
            if isinstance(document, Unreadable):
                problem = _HELM if document.template else f"not readable as YAML: {document.problem}"
                self.notes.append(Note(source, problem))
                continue
            for key, line in document.doubled:
                self.notes.append(Note(Source(file, line), f"{key} is written twice: the last counts"))
            self.take(document.content, source, document.place)

    def take(self, document: Any, source: Source, place: Place | None = None) -> None:
        """Takes the objects of one document, with what is known of where it stands."""
        if isinstance(document, list):  # as calicoctl writes several lists
            self._each(document, source, place)
        if not isinstance(document, Mapping):
            return
        kind, api_version = document.get("kind"), document.get("apiVersion")
        if not isinstance(kind, str) or not isinstance(api_version, str) or not kind:
            if isinstance(kind, str) and kind and isinstance(document.get("metadata"), Mapping):
                self.notes.append(Note(source, f"{kind} without apiVersion: skipped; say which API it is of"))
            return
        api_version = self._meant(api_version, kind, source)
        if kind.endswith("List") and "items" in document:
            self._list(document["items"], (kind, api_version), source, place)
            return
        try:
            self.resources.append(_resource(document, api_version, kind, source))
        except UnreadableError as error:
            self.notes.append(Note(source, str(error)))

    def _list(self, items: Any, of: tuple[str, str], source: Source, place: Place | None) -> None:
        kind, api_version = of
        if not isinstance(items, list):
            if items is not None:
                text = f"{kind}: items must be a list, not {type(items).__name__}: skipped"
                self.notes.append(Note(source, text))
            return
        if kind != "List":  # a PodList's items may leave out what they are
            usual = {"kind": kind.removesuffix("List"), "apiVersion": api_version}
            items = [{**usual, **each} if isinstance(each, Mapping) else each for each in items]
        self._each(items, source, place.below("items") if place is not None else None)

    def _each(self, items: list[Any], source: Source, place: Place | None) -> None:
        places = place.elements() if place is not None else []
        for index, item in enumerate(items):
            at = places[index] if index < len(places) else None
            self.take(item, source if at is None else Source(source.file, at.line), at)

    def _meant(self, api_version: str, kind: str, source: Source) -> str:
        """The apiVersion, or the one that is meant where Kubernetes has the kind in another group of its own."""
        group, known = api_version.rpartition("/")[0], _BUILT_IN.get(kind)
        if known is None or group in known or group not in BUILT_IN_GROUPS:
            return api_version
        meant = f"{known[0]}/v1".lstrip("/")
        text = f"there is no {kind} in {api_version}: read as {meant}; the API server refuses it"
        self.notes.append(Note(source, text))
        return meant


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

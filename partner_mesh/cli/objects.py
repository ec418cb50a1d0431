"""The objects that a verb judges: of a stack, a folder of YAML, or a live cluster; each with the place it is from."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from partner_mesh.analysis.resources import Loaded, Note, Resource, Source, load, of_documents
from partner_mesh.cli.options import Refusal
from partner_mesh.model.names import APPLICATION_LABEL, PARTNER_LABEL
from partner_mesh.model.record import replace

if TYPE_CHECKING:
    from partner_mesh.config.stack import Stack  # loads pydantic, which other people's manifests do not need

_PROJECT: Final = "partner-mesh"


def asked(stack: str | None, manifests: Path | None, context: str | None, config_dir: Path) -> Loaded:
    """The objects of the one source that was named. Raises Refusal where none or several were, or it holds nothing."""
    if sum(each is not None for each in (stack, manifests, context)) != 1:
        raise Refusal("name one of STACK, --manifests DIR and --context NAME")
    if manifests is not None:
        return of_folder(manifests)
    if context is not None:
        return of_cluster(context)
    from partner_mesh.cli.stack import read  # noqa: PLC0415 - configuration takes longer to load than to judge

    return of_stack(read(stack or "", config_dir), config_dir)


def of_folder(path: Path) -> Loaded:
    """The objects of a file or folder. Raises Refusal where there is none."""
    try:
        loaded = load(path)
    except FileNotFoundError as error:
        raise Refusal(str(error)) from None
    if not loaded.resources:
        notes = "".join(f"\n  {note}" for note in loaded.notes)
        raise Refusal(f"{path}: no Kubernetes object in any .yaml, .yml or .json file{notes}")
    return loaded


def of_cluster(context: str) -> Loaded:
    """The objects of a live cluster, read only. Raises Refusal where it cannot be read."""
    return live_and_kinds(context)[0]


def live_and_kinds(context: str) -> tuple[Loaded, frozenset[tuple[str, str]]]:
    """The objects of a live cluster, and the (group, kind) pairs that were listed. Raises Refusal."""
    from partner_mesh.cli import cluster  # noqa: PLC0415 - the Kubernetes client takes a second to load

    try:
        found = cluster.live(context)
    except cluster.ClusterError as error:
        raise Refusal(str(error)) from None
    loaded = of_documents(found.documents, f"cluster {context}")
    untold = tuple(Note(Source(f"cluster {context}"), each) for each in found.untold)
    return Loaded(loaded.resources, (*untold, *loaded.notes)), frozenset(found.kinds)


def of_stack(stack: "Stack", directory: Path) -> Loaded:
    """The objects of a stack that has been read, each at the configuration that it comes from."""
    from partner_mesh.specs import compile_stack  # noqa: PLC0415 - not needed for other people's manifests

    compiled = compile_stack(stack)
    documents: list[Mapping[str, Any]] = [
        *(manifest.document() for manifest in compiled.manifests),
        *compiled.inventory,
        *compiled.security_groups,
    ]
    loaded = of_documents(documents)
    places = Places(stack.name, directory)
    return Loaded(tuple(replace(each, source=places.of(each)) for each in loaded.resources), loaded.notes)


class Places:
    """Where a stack's configuration speaks of an object: its partner's file, its application's lines, or the stack."""

    def __init__(self, stack: str, directory: Path) -> None:
        path = directory / f"Pulumi.{stack}.yaml"
        self._file = str(path)
        self._partners: dict[str, Source] = {}
        self._applications: dict[str, Source] = {}
        top = yaml.compose(path.read_text(encoding="utf-8"), yaml.CSafeLoader) if path.is_file() else None
        config = _child(top, "config")
        for name, place in _keys(_child(config, f"{_PROJECT}:applications"), self._file):
            self._applications[name] = place
        partners = _child(config, f"{_PROJECT}:partners")
        if isinstance(partners, yaml.ScalarNode):
            for file in sorted((directory / partners.value).glob("*.y*ml")):
                name, line = _named(file)
                self._partners[name] = Source(str(file), line)
        else:
            self._partners.update(_keys(partners, self._file))

    def of(self, resource: Resource) -> Source:
        """The place for an object."""
        partner = self._partners.get(resource.labels.get(PARTNER_LABEL, ""))
        application = self._applications.get(resource.labels.get(APPLICATION_LABEL, "")) or self._applications.get(
            resource.name if resource.kind == "Deployment" else ""
        )
        return partner or application or Source(self._file, 1)


def _named(file: Path) -> tuple[str, int]:
    """The partner that a file is about, and the line that says so; its own name where none does."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("name:"):
            return line.partition(":")[2].partition("#")[0].strip().strip("\"'"), number
    return file.stem, 1


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _keys(node: yaml.Node | None, file: str) -> Iterator[tuple[str, Source]]:
    """The entries of a section, written as a mapping or as a list of mappings with a name."""
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            yield str(key.value), Source(file, key.start_mark.line + 1)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            name = _child(entry, "name")
            if isinstance(name, yaml.ScalarNode):
                yield str(name.value), Source(file, entry.start_mark.line + 1)

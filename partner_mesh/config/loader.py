"""From files, or from the engine's values, to a Stack; or to every mistake in them at once.

Sections are validated one by one, so that one that is mistaken hides nothing of the others; rules across sections see
everything that is valid by itself, and are silent about what is not there because it is mistaken.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from partner_mesh.config import documents
from partner_mesh.config.application import Application
from partner_mesh.config.base import ENCRYPTED, Name, secret_shape
from partner_mesh.config.documents import Document, Part
from partner_mesh.config.partner import Partner
from partner_mesh.config.platform import Platform
from partner_mesh.config.problems import ConfigurationError, Problem
from partner_mesh.config.rules import broken
from partner_mesh.config.rules.world import World
from partner_mesh.config.stack import Stack
from partner_mesh.config.translation import Finding, findings, nearest, written_path

PROJECT: Final = "partner-mesh"
SECTIONS: Final = ("platform", "applications", "partners")
_TOP_LEVEL: Final = ("config", "encryptionsalt", "secretsprovider", "encryptedkey", "environment")
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")

_PLATFORM: Final = TypeAdapter(Platform)
_APPLICATION: Final = TypeAdapter(Application)
_PARTNER: Final = TypeAdapter(Partner)
_NAME: Final = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a section stands: a document, and the path of keys to it."""

    document: Document
    path: tuple[Part, ...] = ()

    @property
    def value(self) -> Any:
        """What is written there; None where no document is at hand."""
        value = self.document.value
        for part in self.path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def at(self, *parts: Part) -> "Source":
        """A part of the section."""
        return Source(self.document, (*self.path, *parts))

    def problem(self, finding: Finding) -> Problem:
        """A finding's place in the file."""
        return self.document.problem((*self.path, *finding.path), finding.reason, finding.remedy, finding.rule)


@dataclass(slots=True)
class _Reading:
    """What one reading has gathered so far."""

    problems: list[Problem] = field(default_factory=list)
    sources: dict[tuple[Part, ...], Source] = field(default_factory=dict)  # world path → place
    unread: set[str] = field(default_factory=set)  # sections that are there but could not be read

    def refuse(self, source: Source, reason: str, remedy: str, rule: str = "value") -> None:
        self.problems.append(source.problem(Finding((), reason, remedy, rule)))

    def validated(self, adapter: TypeAdapter[Any], value: Any, source: Source) -> Any:
        """The model, or None and its problems; nothing is said twice of a secret that the document refused."""
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            refused = {(problem.file, problem.line) for problem in self.problems if problem.rule == "secret"}
            for finding in findings(error, adapter, value):
                problem = source.problem(finding)
                if (problem.file, problem.line) not in refused:
                    self.problems.append(problem)
        except RecursionError:
            self.refuse(source, "is nested too deeply", "flatten it")
        return None


def load_stack(stack: str, directory: Path) -> Stack:
    """The stack of a folder's `Pulumi.<stack>.yaml` and its partners. Raises ConfigurationError with every mistake."""
    if not _STACK_NAME.fullmatch(stack):
        reason, remedy = "is not a stack's name", "name it as in Pulumi.<stack>.yaml: dev"
        raise ConfigurationError([Problem(stack[:80], 0, 0, "", reason, remedy, "document")])
    reading = _Reading()
    document = documents.read(
        directory / f"Pulumi.{stack}.yaml", _shown(directory / f"Pulumi.{stack}.yaml"), opaque=True
    )
    reading.problems.extend(document.problems)
    config = _config(reading, document)
    if config is None:
        raise ConfigurationError(reading.problems)
    sections: dict[str, Any] = {}
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace == PROJECT:
            _section(reading, sections, Source(document, ("config", key)), name, value)
    sections["region"] = config.get("aws:region")
    sources = {name: Source(document, ("config", f"{PROJECT}:{name}")) for name in SECTIONS}
    sources["region"] = Source(document, ("config", "aws:region"))
    return _stack(reading, stack, directory, sections, sources)


def load_values(stack: str, values: Mapping[str, Any], directory: Path) -> Stack:
    """The stack of values that the engine gave: `region`, `platform`, `applications`, `partners`, already decrypted.

    A section may be JSON text, as the engine hands objects out. Places come from `Pulumi.<stack>.yaml` if it is there.
    Raises ConfigurationError with every mistake.
    """
    reading = _Reading()
    path = directory / f"Pulumi.{stack}.yaml"
    document = (
        documents.read(path, _shown(path), opaque=True) if path.is_file() else Document(f"Pulumi.{stack}.yaml", None)
    )
    sources = {name: Source(document, ("config", f"{PROJECT}:{name}")) for name in SECTIONS}
    sources["region"] = Source(document, ("config", "aws:region"))
    sections: dict[str, Any] = {"region": values.get("region")}
    for name, value in values.items():
        if name == "region":
            continue
        if name not in SECTIONS:
            reading.refuse(
                Source(document, ("config", f"{PROJECT}:{name}")),
                f"{name[:80]} is not a section",
                nearest(name, SECTIONS),
                "unknown-key",
            )
            continue
        if value is None:
            continue
        _section(reading, sections, sources[name], name, value)
    if reading.problems:
        raise ConfigurationError(reading.problems)
    return _stack(reading, stack, directory, sections, sources)


def _config(reading: _Reading, document: Document) -> Mapping[str, Any] | None:
    """The `config` mapping of a stack's file, or None with the problem that hides it."""
    top = Source(document)
    if not document.complete:
        return None
    if document.value is None:
        if not document.problems:
            reading.refuse(top, "is empty", "write config: with aws:region and the partner-mesh: sections", "document")
        return None
    if not isinstance(document.value, dict):
        reading.refuse(top, "is not a mapping", "begin with config:", "document")
        return None
    for key in document.value:
        if key not in _TOP_LEVEL:
            reading.refuse(
                top.at(key), f"{key[:80]} is not a key of a Pulumi stack file", nearest(key, _TOP_LEVEL), "unknown-key"
            )
    config = document.value.get("config")
    if not isinstance(config, dict):
        if not document.problems:
            reason = "is missing" if "config" not in document.value else "is not a mapping"
            reading.refuse(
                top.at("config"), reason, "write config: with the partner-mesh: sections below it", "document"
            )
        return None
    return config


def _section(reading: _Reading, sections: dict[str, Any], source: Source, name: str, value: Any) -> None:
    if name not in SECTIONS:
        remedy = nearest(name, SECTIONS)
        reading.refuse(source, f"{PROJECT}:{name[:80]} is not a section", remedy, "unknown-key")
        return
    if value == ENCRYPTED:
        reason = "is encrypted as a whole, and plans and checks must read it offline"
        reading.refuse(source, reason, "encrypt single values: pulumi config set --path --secret", "encrypted")
        reading.unread.add(name)
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            reading.refuse(source, "is text that is not JSON", "write it as YAML below the key", "document")
            reading.unread.add(name)
            return
    try:
        found = [source.problem(finding) for finding in _secrets(value)]
    except RecursionError:
        reading.refuse(source, "is nested too deeply", "flatten it")
        reading.unread.add(name)
        return
    reading.problems.extend(found)
    sections[name] = value


def _stack(
    reading: _Reading,
    stack: str,
    directory: Path,
    sections: Mapping[str, Any],
    sources: Mapping[str, Source],
) -> Stack:
    region = sections.get("region")
    platform = _platform(reading, sections, sources["platform"])
    applications, mistaken = _applications(reading, sections.get("applications"), sources["applications"])
    partners = _partners(reading, sections.get("partners"), sources["partners"], directory)
    if region is not None and region != ENCRYPTED and not (isinstance(region, str) and _REGION.fullmatch(region)):
        reading.refuse(sources["region"], "is not an AWS region", "write one as eu-central-1")
        region = None
    reading.sources.update({("platform",): sources["platform"], ("region",): sources["region"]})
    world = World(platform, applications, partners, mistaken, "applications" not in reading.unread, region)
    for identifier, finding in broken(world):
        depth = _depth(finding.path)
        source = reading.sources[finding.path[:depth]]
        inner, written = finding.path[depth:], source.value
        if isinstance(written, dict):
            inner = written_path(inner, written)
        reading.problems.append(source.problem(Finding(inner, finding.reason, finding.remedy, identifier)))
    if reading.problems or platform is None:
        raise ConfigurationError(reading.problems)
    ordered = tuple(sorted(partners.values(), key=lambda partner: partner.name))
    return Stack(name=stack, region=region, platform=platform, applications=applications, partners=ordered)


def _depth(path: tuple[Part, ...]) -> int:
    """How many parts of a path name the section: `platform`, or a kind and which one."""
    return 2 if path[0] in ("applications", "partners") and len(path) > 1 else 1


def _platform(reading: _Reading, sections: Mapping[str, Any], source: Source) -> Platform | None:
    if "platform" not in sections:
        if "platform" not in reading.unread:
            reading.refuse(source, "is missing", "add the platform: name, cluster, mesh and gateways", "missing-key")
        return None
    validated: Platform | None = reading.validated(_PLATFORM, sections["platform"], source)
    return validated


def _applications(reading: _Reading, value: Any, source: Source) -> tuple[dict[str, Application], frozenset[str]]:
    """Valid applications by name, and the names of the others."""
    reading.sources[("applications",)] = source
    if value is None:
        return {}, frozenset()
    if not isinstance(value, dict):
        reading.refuse(source, "is not a mapping", "write each application as name: {…}")
        reading.unread.add("applications")
        return {}, frozenset()
    found: dict[str, Application] = {}
    for name, section in value.items():
        place = source.at(name)
        reading.sources[("applications", name)] = place
        named = reading.validated(_NAME, name, place)
        application = reading.validated(_APPLICATION, section, place)
        if named is not None and application is not None:
            found[name] = application
    return found, frozenset(value) - frozenset(found)


def _partners(reading: _Reading, value: Any, source: Source, directory: Path) -> dict[int, Partner]:
    """Valid partners by their place in the order of reading."""
    reading.sources[("partners",)] = source
    found: dict[int, Partner] = {}
    for index, (section, place) in enumerate(_partner_sections(reading, value, source, directory)):
        reading.sources[("partners", index)] = place
        partner = reading.validated(_PARTNER, section, place)
        if partner is not None:
            found[index] = partner
    return found


def _partner_sections(reading: _Reading, value: Any, source: Source, directory: Path) -> Iterator[tuple[Any, Source]]:
    if value is None:
        return
    if isinstance(value, str):
        yield from _partner_files(reading, value, source, directory)
    elif isinstance(value, list):
        yield from ((section, source.at(index)) for index, section in enumerate(value))
    elif isinstance(value, dict):
        for name, section in value.items():
            if isinstance(section, dict) and section.get("name", name) != name:
                reading.refuse(source.at(name, "name"), f"differs from its key {name[:80]}", "leave the name away")
            yield ({"name": name, **section} if isinstance(section, dict) else section), source.at(name)
    else:
        reading.refuse(
            source, "is neither a folder nor partners", "write a folder, as partners/dev, or a list of partners"
        )


def _partner_files(reading: _Reading, folder: str, source: Source, directory: Path) -> Iterator[tuple[Any, Source]]:
    path = directory / folder
    try:
        names = sorted(entry.name for entry in os.scandir(path) if entry.name.endswith((".yaml", ".yml")))
        inside = path.resolve()
    except (OSError, ValueError, RuntimeError):
        reading.refuse(
            source, "is not a folder that can be read", "name the folder with one file per partner", "document"
        )
        return
    for name in names:
        if name.startswith("."):
            continue
        file = path / name
        document = _partner_document(file, inside)
        reading.problems.extend(document.problems)
        if document.value is None and document.complete:
            reading.refuse(Source(document), "is empty", "write the partner's name, owner and entries", "document")
        elif document.complete:
            yield document.value, Source(document)


def _partner_document(file: Path, inside: Path) -> Document:
    shown = _shown(file)
    if file.is_symlink():
        try:
            target: Path | None = file.resolve()
        except (OSError, RuntimeError):
            target = None
        if target is None or not target.is_relative_to(inside):
            reason, remedy = (
                "is a link out of the folder",
                "copy the file here: a partner's file is reviewed where it stands",
            )
            problem = Problem(shown, 1, 1, "", reason, remedy, "document")
            return Document(shown, None, "", (problem,), complete=False)
    return documents.read(file, shown)


def _secrets(value: Any, path: tuple[Part, ...] = ()) -> Iterator[Finding]:
    """Texts in plain values that look like secrets."""
    items: Iterable[tuple[Part, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, str) and (shape := secret_shape(value)) is not None:
        yield Finding(path, f"this is {shape}", "name the Secret that holds it", "secret")
    for part, inner in items:
        yield from _secrets(inner, (*path, part))


def _shown(path: Path) -> str:
    """A file's name as a person would type it."""
    text = str(path)
    try:
        relative = os.path.relpath(text)
    except (OSError, ValueError):
        return text
    return relative if not path.is_absolute() or not relative.startswith("..") else text

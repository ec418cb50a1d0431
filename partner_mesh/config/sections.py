"""The sections one by one: each application and partner is validated by itself, so that none hides another."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from partner_mesh.config import documents
from partner_mesh.config.application import Application
from partner_mesh.config.base import Name
from partner_mesh.config.documents import Document
from partner_mesh.config.partner import Partner
from partner_mesh.config.platform import Platform
from partner_mesh.config.problems import Problem
from partner_mesh.config.reading import Reading, Source, shown

_PLATFORM: Final = TypeAdapter(Platform)
_APPLICATION: Final = TypeAdapter(Application)
_PARTNER: Final = TypeAdapter(Partner)
_NAME: Final = TypeAdapter(Name)


def read_platform(reading: Reading, sections: Mapping[str, Any], source: Source) -> Platform | None:
    """The platform, or None where it is missing or mistaken."""
    if "platform" not in sections:
        if "platform" not in reading.unread:
            reading.refuse(source, "is missing", "add the platform: name, cluster, mesh and gateways", "missing-key")
        return None
    validated: Platform | None = reading.validated(_PLATFORM, sections["platform"], source)
    return validated


def read_applications(reading: Reading, value: Any, source: Source) -> tuple[dict[str, Application], frozenset[str]]:
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


def read_partners(reading: Reading, value: Any, source: Source, directory: Path) -> dict[int, Partner]:
    """Valid partners by their place in the order of reading."""
    reading.sources[("partners",)] = source
    found: dict[int, Partner] = {}
    for index, (section, place) in enumerate(_partner_sections(reading, value, source, directory)):
        reading.sources[("partners", index)] = place
        partner = reading.validated(_PARTNER, section, place)
        if partner is not None:
            found[index] = partner
    return found


def _partner_sections(reading: Reading, value: Any, source: Source, directory: Path) -> Iterator[tuple[Any, Source]]:
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


def _partner_files(reading: Reading, folder: str, source: Source, directory: Path) -> Iterator[tuple[Any, Source]]:
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
    name = shown(file)
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
            problem = Problem(name, 1, 1, "", reason, remedy, "document")
            return Document(name, None, "", (problem,), complete=False)
    return documents.read(file, name)

"""From files, or from the engine's values, to a Stack; or to every mistake in them at once.

Sections are validated one by one, so that one that is mistaken hides nothing of the others; rules across sections see
everything that is valid by itself, and are silent about what is not there because it is mistaken.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from partner_mesh.config import documents
from partner_mesh.config.base import ENCRYPTED
from partner_mesh.config.documents import Document, Part
from partner_mesh.config.problems import ConfigurationError, Problem
from partner_mesh.config.reading import PROJECT, Reading, Source, secrets_in, shown
from partner_mesh.config.rules import broken
from partner_mesh.config.rules.world import World
from partner_mesh.config.sections import read_applications, read_partners, read_platform
from partner_mesh.config.stack import Stack
from partner_mesh.config.translation import Finding, nearest, written_path

SECTIONS: Final = ("platform", "applications", "partners")
_TOP_LEVEL: Final = ("config", "encryptionsalt", "secretsprovider", "encryptedkey", "environment")
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def load_stack(stack: str, directory: Path) -> Stack:
    """The stack of a folder's `Pulumi.<stack>.yaml` and its partners. Raises ConfigurationError with every mistake."""
    if not _STACK_NAME.fullmatch(stack):
        reason, remedy = "is not a stack's name", "name it as in Pulumi.<stack>.yaml: dev"
        raise ConfigurationError([Problem(stack[:80], 0, 0, "", reason, remedy, "document")])
    reading = Reading()
    path = directory / f"Pulumi.{stack}.yaml"
    if not path.exists() and not path.is_symlink():
        raise ConfigurationError([_no_stack(path)])
    document = documents.read(path, shown(path), opaque=True)
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


def _no_stack(path: Path) -> Problem:
    there = sorted(
        file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in path.parent.glob("Pulumi.*.yaml")
    )
    remedy = f"the stacks here are {', '.join(there)}" if there else "create it, or name its folder with --config-dir"
    return Problem(shown(path), 1, 1, "", "is not there", remedy, "document")


def load_values(stack: str, values: Mapping[str, Any], directory: Path) -> Stack:
    """The stack of values that the engine gave: `region`, `platform`, `applications`, `partners`, already decrypted.

    A section may be JSON text, as the engine hands objects out. Places come from `Pulumi.<stack>.yaml` if it is there.
    Raises ConfigurationError with every mistake.
    """
    reading = Reading()
    path = directory / f"Pulumi.{stack}.yaml"
    document = (
        documents.read(path, shown(path), opaque=True) if path.is_file() else Document(f"Pulumi.{stack}.yaml", None)
    )
    sources = {name: Source(document, ("config", f"{PROJECT}:{name}")) for name in SECTIONS}
    sources["region"] = Source(document, ("config", "aws:region"))
    sections: dict[str, Any] = {"region": values.get("region")}
    for name, value in values.items():
        if name == "region":
            continue
        if value is None and name in SECTIONS:
            continue
        _section(reading, sections, Source(document, ("config", f"{PROJECT}:{name}")), name, value)
    if any(problem.rule == "secret" for problem in reading.problems):
        raise ConfigurationError(reading.problems)  # nobody may look on: a message could repeat the secret
    return _stack(reading, stack, directory, sections, sources)


def _config(reading: Reading, document: Document) -> Mapping[str, Any] | None:
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


def _section(reading: Reading, sections: dict[str, Any], source: Source, name: str, value: Any) -> None:
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
        found = [source.problem(finding) for finding in secrets_in(value)]
    except RecursionError:
        reading.refuse(source, "is nested too deeply", "flatten it")
        reading.unread.add(name)
        return
    reading.problems.extend(found)
    sections[name] = value


def _stack(
    reading: Reading,
    stack: str,
    directory: Path,
    sections: Mapping[str, Any],
    sources: Mapping[str, Source],
) -> Stack:
    region = sections.get("region")
    platform = read_platform(reading, sections, sources["platform"])
    applications, mistaken = read_applications(reading, sections.get("applications"), sources["applications"])
    partners = read_partners(reading, sections.get("partners"), sources["partners"], directory)
    if region is not None and region != ENCRYPTED and not (isinstance(region, str) and _REGION.fullmatch(region)):
        reading.refuse(sources["region"], "is not an AWS region", "write one as eu-central-1")
        region = ""  # said something, which is all that rules need to know
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

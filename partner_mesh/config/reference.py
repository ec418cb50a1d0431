"""The configuration reference, for people: every section with its keys, and every rule."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from partner_mesh.config.application import Application
from partner_mesh.config.partner import Partner
from partner_mesh.config.platform import Platform
from partner_mesh.config.rules import RULES
from partner_mesh.config.schema import models_inside, remarks, stack_schema

_HEAD: Final = """\
# Configuration reference

Generated from the models by `python -m partner_mesh.config.schema`; do not edit.

`Pulumi.<stack>.yaml` holds four keys below `config`: `aws:region`, `partner-mesh:platform` ([Platform](#platform)),
`partner-mesh:applications` (names with an [Application](#application) each) and `partner-mesh:partners`: a folder with
one [Partner](#partner) file each, a list of partners, or names with a partner each. Keys of other namespaces are left
alone. A value that Pulumi encrypted (`secure: …`) stays opaque wherever free text or a Secret's name may stand.

Files are YAML 1.2: `on`, `yes` and `no` are text, and a template path inside braces or brackets needs quotes
(`{path: "/v1/{*}"}`). `partner-mesh validate STACK` says everything that is wrong, each with its line.

**Bold** keys are required. A *path* is exact, or a template with `{*}` for one segment and `{**}` for the rest.
"""

_BASIC: Final[Mapping[str, str]] = {
    "document": "A file is YAML 1.2 in UTF-8, one mapping, no key twice, no alias that grows beyond bounds.",
    "unknown-key": "A key that does not exist is refused, with the nearest that does.",
    "missing-key": "A key that is needed is there.",
    "value": "A value has its type, its form and its bounds: names are DNS labels, hosts exact, CIDRs canonical.",
    "secret": "Secrets are names, never values: what looks like a key, a token or a PEM block is refused, unrepeated.",
    "encrypted": "What plans and checks must read is not encrypted.",
}


def reference() -> str:
    """The page as Markdown."""
    return "\n".join((_HEAD, *_sections(), *_rules()))


def _sections() -> Iterator[str]:
    definitions = stack_schema()["$defs"]
    for model in models_inside((Platform, Application, Partner)):
        yield f"## {model.__name__}\n"
        yield f"{_text(model.__doc__)}\n"
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
        yield from _rows(model, definitions[model.__name__])
        yield ""


def _rows(model: type[BaseModel], definition: Mapping[str, Any]) -> Iterator[str]:
    required, notes = definition.get("required", ()), remarks(model)
    for field, spec in model.model_fields.items():
        key = spec.alias or field
        written = definition["properties"][key]
        name = f"**`{key}`**" if key in required else f"`{key}`"
        default = "" if key in required else _default(written.get("default"))
        yield f"| {name} | {_type(written)} | {default} | {_cell(notes.get(field, ''))} |"


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        words = [_type(option) for option in options if option.get("type") != "null"]
        found = " or ".join(dict.fromkeys(word for word in words if word != "[Encrypted](#encrypted)"))
    elif "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        found = f"[{name}](#{name.lower()})"
    elif "enum" in schema or "const" in schema:
        found = ", ".join(f"`{option}`" for option in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        found = f"list of {_type(schema['items'])}"
    elif "patternProperties" in schema:
        found = f"name → {_type(next(iter(schema['patternProperties'].values())))}"
    elif "additionalProperties" in schema:
        found = f"{schema.get('propertyNames', {}).get('x-kind', 'text')} → {_type(schema['additionalProperties'])}"
    else:
        found = _scalar(schema)
    return found


def _scalar(schema: Mapping[str, Any]) -> str:
    plain = {"string": "text", "integer": "whole number", "boolean": "boolean", "number": "number"}
    if schema.get("format") == "date":
        return "day"
    return str(schema.get("x-kind") or plain[schema["type"]]) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "x-kind" in schema or (least is None and most is None):
        return ""
    return f" {least}–{most}" if most is not None else f" ≥ {least}"


def _default(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return "its defaults" if isinstance(value, dict) else f"`{value}`"


def _rules() -> Iterator[str]:
    yield "## Rules\n"
    yield "Each message names its rule in `--format json`.\n"
    yield "| rule | what it holds |"
    yield "|---|---|"
    for identifier, text in _BASIC.items():
        yield f"| `{identifier}` | {_cell(text)} |"
    for identifier, rule in RULES.items():
        yield f"| `{identifier}` | {_cell(_text(rule.__doc__))} |"
    yield ""


def _text(docstring: str | None) -> str:
    """A docstring on one line a paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in (docstring or "").split("\n\n"))


def _cell(text: str) -> str:
    return text.replace("\n\n", " ").replace("|", "\\|")

"""JSON Schema of what people write, so that an editor completes and checks it; and the reference that they read.

`python -m partner_mesh.config.schema` writes both, `--check` only says whether they are fresh (exit status 1 if not).
The remark beside a field in the models is its description here: it is written once.
"""

import ast
import inspect
import io
import json
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from partner_mesh.config.application import Application
from partner_mesh.config.base import Name
from partner_mesh.config.partner import Partner
from partner_mesh.config.platform import Platform

ROOT: Final = Path(__file__).parents[2]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SECTIONS: Final[tuple[type[BaseModel], ...]] = (Platform, Application, Partner)

Schema = dict[str, Any]


def partner_schema() -> Schema:
    """What a partner's file holds."""
    schema, definitions = _definitions((Partner,))
    return {
        "$schema": _DIALECT,
        "title": "A partner's file of partner-mesh",
        **schema["Partner"],
        "$defs": {name: definition for name, definition in definitions.items() if name != "Partner"},
    }


def stack_schema() -> Schema:
    """What `Pulumi.<stack>.yaml` holds as far as it is ours; other namespaces' keys may hold anything."""
    _, definitions = _definitions(_SECTIONS)
    without_name = {**definitions["Partner"], "title": "PartnerByName"}
    without_name["required"] = [key for key in without_name["required"] if key != "name"]
    partners = {"$ref": "#/$defs/Partner"}
    name = TypeAdapter(Name).json_schema()
    sections: Schema = {
        "aws:region": {"type": "string", "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]$"},
        "partner-mesh:platform": {"$ref": "#/$defs/Platform"},
        "partner-mesh:applications": {
            "type": "object",
            "propertyNames": name,
            "additionalProperties": {"$ref": "#/$defs/Application"},
        },
        "partner-mesh:partners": {
            "anyOf": [
                {"type": "string", "description": "a folder with one file a partner"},
                {"type": "array", "items": partners},
                {"type": "object", "propertyNames": name, "additionalProperties": {"$ref": "#/$defs/PartnerByName"}},
            ]
        },
    }
    encrypted = {"type": "object", "properties": {"secure": {"type": "string"}}, "required": ["secure"]}
    return {
        "$schema": _DIALECT,
        "title": "A stack's file of partner-mesh",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "required": ["partner-mesh:platform"],
                "properties": sections,
                "patternProperties": {"^(?!partner-mesh:).*:": True},
                "additionalProperties": False,
            },
            "encryptionsalt": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "environment": True,
        },
        "additionalProperties": False,
        "$defs": {
            **{name: _or_encrypted(definition) for name, definition in definitions.items()},
            "PartnerByName": _or_encrypted(without_name),
            "Encrypted": {
                **encrypted,
                "additionalProperties": False,
                "description": "a value that Pulumi keeps encrypted",
            },
        },
    }


def _or_encrypted(schema: Any) -> Any:
    """A schema in which free text may also be `{secure: …}`; what has a form must be readable and may not."""
    if isinstance(schema, list):
        return [_or_encrypted(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    free = schema.get("type") == "string" and not {"pattern", "enum", "const", "format"} & schema.keys()
    if free:
        kept = {key: value for key, value in schema.items() if key in ("default", "description", "title")}
        rest = {key: value for key, value in schema.items() if key not in kept}
        return {**kept, "anyOf": [rest, {"$ref": "#/$defs/Encrypted"}]}
    return {key: value if key == "propertyNames" else _or_encrypted(value) for key, value in schema.items()}


def _definitions(models: tuple[type[BaseModel], ...]) -> tuple[Schema, Schema]:
    """The definitions of models and all that they hold, described; twice: whole, and by reference."""
    _, schema = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions: Schema = schema["$defs"]
    for model in models_inside(models):
        properties = definitions[model.__name__]["properties"]
        notes = remarks(model)
        for field, spec in model.model_fields.items():
            written = properties[spec.alias or field]
            written.pop("title", None)
            if field in notes:
                written["description"] = notes[field]
    return definitions, definitions


def models_inside(models: tuple[type[BaseModel], ...]) -> Iterator[type[BaseModel]]:
    """Models and the models of their fields, each once, in the order in which a reader meets them."""
    from partner_mesh.config.translation import models_of  # noqa: PLC0415 - translation does not need this module

    waiting, seen = list(models), set[type[BaseModel]]()
    while waiting:
        model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield model
        waiting = [inner for spec in model.model_fields.values() for inner in models_of(spec.annotation)] + waiting


def remarks(model: type[BaseModel]) -> Mapping[str, str]:
    """The remark (`# …`) beside each field of a model's source."""
    source = inspect.getsource(model)
    [definition] = ast.parse(source).body
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith(("# type:", "# noqa"))
    }
    found: dict[str, str] = {}
    for statement in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            remark = " ".join(comments[line] for line in lines if line in comments)
            if remark:
                found[statement.target.id] = remark
    return found


def generated() -> Mapping[Path, str]:
    """Every generated file's path below the root, and its content."""
    from partner_mesh.config.reference import reference  # noqa: PLC0415 - the reference is made of this schema

    return {
        Path("schema/stack.schema.json"): json.dumps(stack_schema(), indent=2) + "\n",
        Path("schema/partner.schema.json"): json.dumps(partner_schema(), indent=2) + "\n",
        Path("docs/reference/configuration.md"): reference(),
    }


def stale(root: Path = ROOT) -> list[Path]:
    """Generated files that are missing or differ from what would be written now."""
    return [
        path
        for path, content in generated().items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != content
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` name those that are stale."""
    if arguments == ["--check"]:
        found = stale()
        for path in found:
            sys.stderr.write(f"{path} is stale: run python -m partner_mesh.config.schema\n")
        return 1 if found else 0
    for path, content in generated().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

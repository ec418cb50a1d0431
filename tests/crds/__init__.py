"""Structural schemas of custom resources, and what they refuse: unknown fields first of all, which a cluster prunes."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
}


@cache
def schemas() -> Mapping[str, Any]:
    """`group/version/Kind` → the schema of its spec, as `derive.py` makes them: Istio's, and what we use of the
    Gateway API's (sigs.k8s.io/gateway-api 1.6.0, config/crd/standard).
    """
    known: dict[str, Any] = {}
    for name in ("istio", "gateway_api"):
        known |= json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    return known


def problems(document: Mapping[str, Any]) -> list[str]:
    """What an API server would refuse or silently drop in an object of Istio; nothing for kinds of others."""
    schema = schemas().get(f"{document['apiVersion']}/{document['kind']}")
    if schema is None:
        return [f"{document['kind']}: not a kind of Istio's"] if "istio.io" in document["apiVersion"] else []
    return list(_problems(schema, document.get("spec", {}), "spec"))


def _problems(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str) or isinstance(value, bool):
            yield f"{path}: neither a number nor a text"
        return
    kind = schema.get("type")
    if kind is not None:
        wrong_boolean = isinstance(value, bool) and kind != "boolean"
        if not isinstance(value, _TYPES[kind]) or wrong_boolean:
            yield f"{path}: {value!r} is not of type {kind}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    yield from _alternatives(schema, value, path)
    match value:
        case dict():
            yield from _object(schema, value, path)
        case list() | tuple():
            yield from _bounds(schema, len(value), path, "Items")
            for index, item in enumerate(value):
                yield from _problems(schema.get("items", {}), item, f"{path}[{index}]")
        case str():
            yield from _bounds(schema, len(value), path, "Length")
            if "pattern" in schema and not re.search(schema["pattern"], value):
                yield f"{path}: {value!r} does not match {schema['pattern']}"
        case int() | float():
            yield from _bounds(schema, value, path, "imum")


def _object(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{path}: {key} is missing"
    yield from _bounds(schema, len(value), path, "Properties")
    for key, item in value.items():
        if key in known:
            yield from _problems(known[key], item, f"{path}.{key}")
        elif isinstance(others, dict):
            yield from _problems(others, item, f"{path}.{key}")
        elif not schema.get("x-kubernetes-preserve-unknown-fields") and schema.get("type") == "object":
            yield f"{path}: unknown field {key}"


def _alternatives(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    for part in schema.get("allOf", ()):
        yield from _problems(part, value, path)
    if "anyOf" in schema and not any(_fits(part, value) for part in schema["anyOf"]):
        yield f"{path}: fits none of the alternatives"
    if "oneOf" in schema and sum(_fits(part, value) for part in schema["oneOf"]) != 1:
        yield f"{path}: fits not exactly one of the alternatives"
    if "not" in schema and _fits(schema["not"], value):
        yield f"{path}: is what it must not be"


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    return not list(_problems(schema, value, ""))


def _bounds(schema: Mapping[str, Any], size: float, path: str, suffix: str) -> Iterator[str]:
    least, most = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if least is not None and size < least:
        yield f"{path}: {size} is below {least}"
    if most is not None and size > most:
        yield f"{path}: {size} is above {most}"

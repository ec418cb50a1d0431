"""What pydantic found wrong, in our own voice: at which key, why, and what would be right.

Input is never echoed, since it could be anything; our own validators quote the little that they know to be harmless.
"""

import difflib
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from partner_mesh.config.base import ENCRYPTED

Part = str | int


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a path of keys and indexes, not yet in any file."""

    path: tuple[Part, ...]
    reason: str
    remedy: str
    rule: str = "value"


_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    # pydantic's error type → what is wrong, what would be right
    "string_type": ("is not text", "write text, in quotes if it looks like a number or a boolean"),
    "bool_type": ("is not a boolean", "write true or false"),
    "bool_parsing": ("is not a boolean", "write true or false"),
    "int_type": ("is not a whole number", "write a whole number without quotes"),
    "int_parsing": ("is not a whole number", "write a whole number without quotes"),
    "int_parsing_size": ("is too large a number", "write a smaller number"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "float_type": ("is not a number", "write a number without quotes"),
    "float_parsing": ("is not a number", "write a number without quotes"),
    "finite_number": ("is not a finite number", "write a number"),
    "tuple_type": ("is not a list", "write a list: [first, second] or one `- entry` a line"),
    "list_type": ("is not a list", "write a list: [first, second] or one `- entry` a line"),
    "dict_type": ("is not a mapping", "write keys with values"),
    "mapping_type": ("is not a mapping", "write keys with values"),
    "date_type": ("is not a day", "write it as 2027-03-01"),
    "date_parsing": ("is not a day of the calendar", "write it as 2027-03-01"),
    "date_from_datetime_parsing": ("is not a day of the calendar", "write it as 2027-03-01"),
    "date_from_datetime_inexact": ("is not a day", "write it as 2027-03-01, without a time"),
    "model_type": ("is not a mapping", "write keys with values"),
    "model_attributes_type": ("is not a mapping", "write keys with values"),
    "recursion_loop": ("contains itself", "write the value out"),
}

# Keys whose value is a Duration, which people write as a bare number.
_DURATIONS: Final = frozenset(
    ("timeout", "perTryTimeout", "connectTimeout", "interval", "ejectFor", "duration", "per", "refresh", "latencyP99")
) | {"drainDuration", "maxConnectionDuration"}

_PATTERNS: Final[Mapping[str, str]] = {
    r"^[^@\s]+@[^@\s]+$": "write a mail address: integrations@example.com",
    r"^[a-z0-9-]+:[a-z0-9-]+$": "write application:port, as in charging:http",
    r"^/[a-zA-Z0-9._~-]+/$": "write one segment between slashes: /acme/",
    r"^[0-9a-f]{64}$": "write a SHA-256 fingerprint as 64 lower-case hexadecimal digits without colons",
    r"^sg-[0-9a-z]+$": "write a security group's id: sg-0123456789abcdef0",
    r"^https://": "write a URL that begins with https://",
    r"^\d+-\d+-\d+$": "write an Istio version with hyphens: 1-31-1",
    r"^1\.\d{2}$": 'write a Kubernetes minor version in quotes: "1.36"',
    r"^[a-z0-9][a-z0-9.-]*$": "write a trust domain: cluster.local",
    r"^[0-9]+(\.[0-9]+)?(m|[kMGT]|[KMGT]i)?$": "write a Kubernetes quantity in quotes: 500m, 2Gi",
    r"^\d+[hdwy]$": "write a number with its unit: 15d",
    r"^[A-Z]{2}$": "write two capital letters (ISO 3166-1): DE",
    r"^v?\d+\.\d+\.\d+$": "write a version: v3.32.0",
}


def findings(error: ValidationError, model: Any, value: Any) -> list[Finding]:
    """Every error of a validation of `value` as `model` (a model, an annotated type or an adapter of one)."""
    found: list[Finding] = []
    meant: set[tuple[Part, ...]] = set()  # keys that a misspelt one stands for: they are not missing as well
    for detail in error.errors(include_url=False, include_input=False):
        raw = tuple(part for part in detail["loc"] if part != "[key]")
        path = written_path(raw, value)
        if detail["type"] == "missing":
            found.append(Finding(path, "is missing", "add it", "missing-key"))
        elif detail["type"] == "extra_forbidden":
            valid = keys_at(model, raw[:-1], value)
            near = _near(str(raw[-1]), valid)
            meant.update([(*path[:-1], near)] if near else [])
            key = str(raw[-1])[:80]
            found.append(Finding(path, f"{key} is not a key that exists here", nearest(key, valid), "unknown-key"))
        elif detail["type"] == "too_short" and _at(value, path):
            continue  # pydantic counts the items that are right; those that are wrong are told one by one
        elif _at(value, path) == ENCRYPTED:
            reason = "is encrypted, and plans and checks must read it offline"
            remedy = "write it in clear (it is no secret), or the name of the Secret that holds it"
            found.append(Finding(path, reason, remedy, "encrypted"))
        else:
            found.append(_finding(path, dict(detail), _at(value, path)))
    return [finding for finding in found if finding.rule != "missing-key" or finding.path not in meant]


def _finding(path: tuple[Part, ...], detail: Mapping[str, Any], written: Any) -> Finding:
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "value_error":
        reason, _, remedy = str(context["error"]).partition("|")
        finding = Finding(path, reason, remedy or "correct the value")
    elif written is None and path:
        finding = Finding(path, "has no value", "give it one, or leave the key away")
    elif kind == "string_type" and isinstance(written, Mapping) and set(written) == {"secure"}:
        reason = "is encrypted, which Pulumi does only in its own stack file"
        finding = Finding(path, reason, "name a Secret instead", "encrypted")
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context["discriminator"]).strip("'")
        finding = Finding((*path, tag), "is missing or none of the possible values", "write eks or existing")
    elif kind in ("literal_error", "enum"):
        finding = Finding(path, "is none of the possible values", f"write {_options(context['expected'], written)}")
    elif kind == "string_type" and path[-1:] and path[-1] in _DURATIONS and isinstance(written, int | float):
        finding = Finding(path, "has no unit", f"write it with a unit: {written}s")
    elif kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        finding = Finding(path, "does not have the right form", _PATTERNS.get(pattern, f"it must match {pattern}"))
    else:
        finding = Finding(path, *_bound(kind, context))
    return finding


def _bound(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind in _NOUNS:
        return _NOUNS[kind]
    limit = next(iter(context.values()), None)  # every bound has one
    limit = f"{limit:g}" if isinstance(limit, float) else limit
    texts = {
        "greater_than_equal": (f"is below {limit}", f"write {limit} or more"),
        "less_than_equal": (f"is above {limit}", f"write {limit} or less"),
        "too_short": ("is empty", "write at least one: empty never means all"),
        "string_too_short": ("is empty", "write some text"),
        "too_long": ("has too many entries", "shorten it"),
        "string_too_long": ("is too long", f"write {limit} characters at most"),
    }
    return texts.get(kind, ("is not a possible value", f"correct it ({kind.replace('_', ' ')})"))


def _options(expected: str, written: Any) -> str:
    """`'a', 'b' or 'c'`, the nearest first when something near was written."""
    options = re.findall(r"'([^']*)'", expected)
    written = written.lower()[:64] if isinstance(written, str) else ""
    near = [option for option in options if len(option) > 2 and written.startswith(option) and option.isalpha()]
    near = near or [o for o in difflib.get_close_matches(written, options, 1, 0.6) if not o[0].isdigit() or "x" in o]
    listed = f"one of {', '.join(options)}" if options else expected
    return f"{listed}; did you mean {near[0]}?" if near else listed


def nearest(key: str, valid: Sequence[str]) -> str:
    """A remedy for an unknown key: the nearest valid one, or all of them when none is near."""
    near = _near(key, valid)
    if near is not None:
        return f"did you mean {near}?"
    return f"the keys here are {', '.join(valid)}" if valid else "take it away"


def _near(key: str, valid: Sequence[str]) -> str | None:
    flat = {_flat(option): option for option in reversed(valid)}
    near = difflib.get_close_matches(_flat(key)[:64], flat, 1, 0.6)
    return flat[near[0]] if near else None


def _flat(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def written_path(location: Iterable[Part], value: Any) -> tuple[Part, ...]:
    """A location of pydantic's as the person wrote it: without union tags, and without what short forms stand for."""
    path: list[Part] = []
    parts = list(location)
    for index, part in enumerate(parts):
        if isinstance(value, Mapping):
            if part in value:
                value = value[part]
            elif index == len(parts) - 1 and isinstance(part, str):
                value = None  # a missing key
            else:
                continue  # a tag, or the 0 of a list of one
        elif isinstance(value, list | tuple):
            if not isinstance(part, int) or part >= len(value):
                continue
            value = value[part]
        else:
            break  # a short form
        path.append(part)
    return tuple(path)


def _at(value: Any, path: Iterable[Part]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def keys_at(model: Any, location: Sequence[Part], value: Any) -> list[str]:
    """The keys, as written, that a model has at a location of pydantic's."""
    candidates = models_of(model)
    for part in location:
        found: list[type[BaseModel]] = []
        for candidate in candidates:
            for name, spec in candidate.model_fields.items():
                if part == (spec.alias or name):
                    found += models_of(spec.annotation)
        if found:
            candidates = found
        elif isinstance(part, str):
            tagged = [c for c in candidates if part in _tags(c)]
            candidates = tagged or candidates
    return list(
        dict.fromkeys(spec.alias or name for candidate in candidates for name, spec in candidate.model_fields.items())
    )


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None and get_origin(kind.annotation) is Literal else ()


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation: of a union's members, a list's items, a mapping's values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, TypeAdapter):
        return models_of(annotation._type)
    origin = get_origin(annotation)
    if origin is Annotated:
        return models_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType, tuple, list, dict):
        return [model for argument in get_args(annotation) for model in models_of(argument)]
    return []

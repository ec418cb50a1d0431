"""Whether a probe is one of a set of requests, as the analyser describes them: host, method, path, headers, claims."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lab.probe import Probe
from partner_mesh.analysis.http import Condition, HttpSet

HEADER: Final = re.compile(r"request\.headers\[(.+)\]")
CLAIM: Final = re.compile(r"request\.auth\.claims((?:\[[^]]+\])+)")


def contains(requests: HttpSet, probe: Probe) -> bool:
    """Whether it is one of them."""
    path = normalised(probe.path)
    return any(
        probe.host.lower() in box.hosts
        and probe.method in box.methods
        and path in box.paths
        and all(_holds(condition, probe) for condition in box.conditions)
        for box in requests.boxes
    )


def _holds(condition: Condition, probe: Probe) -> bool:
    """Whether a probe meets a condition on a header or a claim."""
    values: Sequence[str] = ()
    if header := HEADER.fullmatch(condition.subject):
        found = {name.lower(): value for name, value in probe.headers.items()}.get(header[1].lower())
        values = () if found is None else (found,)
    elif (claim := CLAIM.fullmatch(condition.subject)) and probe.token is not None:
        inner: Any = probe.token.claims
        for key in re.findall(r"\[([^]]+)\]", claim[1]):
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        values = (
            [str(v) for v in inner] if isinstance(inner, list | tuple) else [str(inner)] if inner is not None else ()
        )
    wanted = condition.value.split(" or ")  # as the analyser writes the values of one `when`
    return any(_fits(value, pattern) for value in values for pattern in wanted) is condition.holds


def _fits(value: str, pattern: str) -> bool:
    """A value as AuthorizationPolicy matches it: exactly, by a beginning or an ending, or by being there."""
    if pattern.startswith("*"):
        return value.endswith(pattern[1:]) and bool(value)
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def normalised(path: str) -> str:
    """A path as the mesh judges it (DECODE_AND_MERGE_SLASHES): without query, decoded where harmless, merged.

    In the order of Envoy's source/common/http/path_utility.cc: slashes unescaped, dots resolved (empty segments count),
    then slashes merged; the slash at either end stays, so that `//` is `//`.
    """
    path = path.partition("?")[0].partition("#")[0]
    for escape, slash in (("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\")):
        path = path.replace(escape, slash)
    path = re.sub(r"%([0-9a-fA-F]{2})", _unreserved, path).replace("\\", "/")
    segments: list[str] = []
    parts = path.removeprefix("/").split("/")
    for index, segment in enumerate(parts):
        if segment not in (".", ".."):
            segments.append(segment)
            continue
        if segment == "..":
            del segments[-1:]
        if index == len(parts) - 1:
            segments.append("")
    resolved = "/" + "/".join(segments)
    if "//" not in resolved:
        return resolved
    end = "/" if resolved.endswith("/") else ""
    return "/" + "/".join(filter(None, segments)) + end


def _unreserved(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else match[0]

"""A request path as people write it: exact, or a template with `{*}` (one segment) and `{**}` (the rest).

The same template is read by three parties that must agree: the route (a regular expression in VirtualService), the
policy after rewrite (AuthorizationPolicy has the template syntax itself, istio 1.22+) and the analyser. The character
classes are Envoy's (`source/extensions/path/uri_template_lib/uri_template_internal.cc`): `{*}` is one or more of the
unreserved, sub-delimiter and `:@=` characters, `{**}` zero or more of those and `/`.
"""

import re
from functools import lru_cache
from typing import Final

from partner_mesh.model.record import dataclass

_SEGMENT: Final = r"[a-zA-Z0-9._~%!$&'()+,;:@=-]"
_REST: Final = r"[a-zA-Z0-9._~%!$&'()+,;:@=/-]"
_WILDCARDS: Final = ("{*}", "{**}")
_LITERAL: Final = re.compile(r"(?:/[a-zA-Z0-9._~%!$&'()+,;:@=-]*)*")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed path. Raises ValueError, with the reason, for what no route and policy could express alike."""

    text: str

    def __post_init__(self) -> None:
        _parsed(self.text)

    @property
    def parts(self) -> tuple[str, ...]:
        """Literals and wildcards in order, none of them empty."""
        return _parsed(self.text)

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The template's `{*}` and `{**}`, in order."""
        return tuple(part for part in self.parts if part in _WILDCARDS)

    @property
    def exact(self) -> bool:
        """Whether it matches one path and no other."""
        return not self.wildcards

    def regex(self) -> str:
        """An RE2 expression that matches the whole path, one group a wildcard."""
        groups = {"{*}": f"({_SEGMENT}+)", "{**}": f"({_REST}*)"}
        return "".join(
            groups.get(part) or re.escape(part).replace("\\-", "-").replace("\\/", "/") for part in self.parts
        )

    def substitution(self) -> str:
        r"""This template as the replacement of a regular expression: the n-th wildcard is `\n`."""
        count, out = 0, []
        for part in self.parts:
            if part in _WILDCARDS:
                count += 1
                out.append(f"\\{count}")
            else:
                out.append(part)
        return "".join(out)

    @property
    def specificity(self) -> tuple[int, int, str]:
        """A sort key, the most specific first: exact paths before `{*}` before `{**}`, longer before shorter."""
        rank = 2 if "{**}" in self.wildcards else min(1, len(self.wildcards))
        return rank, -len(self.text), self.text

    def meets(self, other: "PathTemplate") -> bool:
        """Whether some path matches both."""
        return _meet(self.text.split("/")[1:], other.text.split("/")[1:])

    def matches(self, path: str) -> bool:
        """Whether a concrete path (no query) matches."""
        return re.fullmatch(self.regex(), path) is not None


def _meet(left: list[str], right: list[str]) -> bool:
    """Segment by segment; `{**}` takes whatever is left, if anything."""
    if "{**}" in left[:1] or "{**}" in right[:1]:
        return True
    if not left or not right:
        return left == right
    alike = left[0] == right[0] or "{*}" in (left[0], right[0])
    return alike and _meet(left[1:], right[1:])


@lru_cache(maxsize=65_536)  # partners of one kind share their paths
def _parsed(text: str) -> tuple[str, ...]:
    """The parts of a path; ValueError for what is none."""
    if not text.startswith("/"):
        raise ValueError("a path starts with /")
    parts = tuple(part for part in re.split(r"(\{\*{1,2}\})", text) if part)
    for part in parts:
        if part in _WILDCARDS:
            continue
        if "*" in part or "{" in part or "}" in part:
            raise ValueError("wildcards are {*} for one segment and {**} for the rest; a bare * or brace is none")
        if not _LITERAL.fullmatch(part if part.startswith("/") else f"/{part}"):
            raise ValueError("only unreserved URI characters and / stand in a path; percent-encode others")
    if "//" in text or "/./" in text or "/../" in text:
        raise ValueError("the mesh normalises //, /./ and /../ away before it matches: write the normal form")
    for match in re.finditer(r"\{\*{1,2}\}", text):
        before, after = text[match.start() - 1], text[match.end() : match.end() + 1]
        if before != "/" or after not in ("", "/"):
            raise ValueError(f"{match[0]} stands for whole segments: write /{match[0]} or /{match[0]}/")
    if text.count("{**}") > 1 or ("{**}" in text and not text.endswith("{**}")):
        raise ValueError("{**} stands once and last: it takes the rest of the path")
    return parts

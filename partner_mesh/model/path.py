"""A request path as people write it: exact, or a template with `{*}` (one segment) and `{**}` (the rest).

The same template is read by three parties that must agree: the route (a regular expression in VirtualService), the
policy after rewrite (AuthorizationPolicy has the template syntax itself, istio 1.22+) and the analyser. The character
classes are Envoy's (`source/extensions/path/uri_template_lib/uri_template_internal.cc`): `{*}` is one or more of the
unreserved, sub-delimiter and `:@=` characters, `{**}` zero or more of those and `/`.
"""

import re
from dataclasses import dataclass
from typing import Final

_SEGMENT: Final = r"[a-zA-Z0-9._~%!$&'()+,;:@=-]"
_REST: Final = r"[a-zA-Z0-9._~%!$&'()+,;:@=/-]"
_LITERAL: Final = re.compile(r"(?:/[a-zA-Z0-9._~%!$&'()+,;:@=-]*)*")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed path. Raises ValueError, with the reason, for what no route and policy could express alike."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.startswith("/"):
            raise ValueError("a path starts with /")
        for part in self.parts:
            if part in ("{*}", "{**}"):
                continue
            if "*" in part or "{" in part or "}" in part:
                raise ValueError(
                    "wildcards are {*} for one segment and {**} for the rest; a bare * or brace is neither"
                )
            if not _LITERAL.fullmatch(part if part.startswith("/") else f"/{part}"):
                raise ValueError("only unreserved URI characters and / stand in a path; percent-encode others")
        if "//" in self.text or "/./" in self.text or "/../" in self.text:
            raise ValueError("the mesh normalises //, /./ and /../ away before it matches: write the normal form")
        for wildcard in ("{*}", "{**}"):
            for match in re.finditer(re.escape(wildcard), self.text):
                before, after = self.text[match.start() - 1], self.text[match.end() : match.end() + 1]
                if before != "/" or after not in ("", "/"):
                    raise ValueError(f"{wildcard} stands for whole segments: write /{wildcard} or /{wildcard}/")
        if self.text.count("{**}") > 1 or ("{**}" in self.text and not self.text.endswith("{**}")):
            raise ValueError("{**} stands once and last: it takes the rest of the path")

    @property
    def parts(self) -> tuple[str, ...]:
        """Literals and wildcards in order, none of them empty."""
        return tuple(part for part in re.split(r"(\{\*{1,2}\})", self.text) if part)

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The template's `{*}` and `{**}`, in order."""
        return tuple(part for part in self.parts if part in ("{*}", "{**}"))

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
            if part in ("{*}", "{**}"):
                count += 1
                out.append(f"\\{count}")
            else:
                out.append(part)
        return "".join(out)

    def matches(self, path: str) -> bool:
        """Whether a concrete path (no query) matches."""
        return re.fullmatch(self.regex(), path) is not None

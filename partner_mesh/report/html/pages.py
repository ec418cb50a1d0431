"""The pages: a template, the data it shows, and a policy that lets nothing else run."""

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from partner_mesh.analysis.results import Results
from partner_mesh.report.html.payload import payload
from partner_mesh.report.html.text import embedded, seen

TITLE: Final = "Who can talk to whom"
_SCRIPTS: Final = ("data", "dom", "matrix", "explanation", "graph", "partners", "start")


def page(results: Results, title: str = TITLE) -> str:
    """The report of a table: matrix, layered graph, partner pages, and the explanation of every cell."""
    script = "".join(_source(f"reach/{name}.js") for name in _SCRIPTS)
    return _rendered("reach.html.j2", title, f'"use strict";(() => {{\n{script}}})();', data=embedded(payload(results)))


def check_page(findings: Iterable[Any], title: str = "Findings") -> str:
    """The report of `check`: findings by severity. A finding has `document()`, as JSON shows it."""
    rows = [{key: seen(str(value)) for key, value in each.document().items()} for each in findings]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["severity"]] = counts.get(row["severity"], 0) + 1
    return _rendered("check.html.j2", title, _source("filter.js"), rows=rows, counts=counts)


def diff_page(differences: Any, title: str = "What changes") -> str:
    """The report of `diff`: sentences on access gained and lost first, then objects.

    `differences.document()` has lists `gained` and `lost` of sentences or of mappings with a `sentence`, and `objects`
    of mappings with `change` and `object`; what is missing is left out.
    """
    document = differences.document() if hasattr(differences, "document") else differences
    groups = [
        (name, [_sentence(each) for each in document.get(name) or ()]) for name in ("gained", "lost", "transition")
    ]
    objects = [{key: seen(str(value)) for key, value in each.items()} for each in document.get("objects") or ()]
    return _rendered("diff.html.j2", title, _source("filter.js"), groups=groups, objects=objects)


def _sentence(change: Any) -> str:
    return seen(str(change.get("sentence", change)) if isinstance(change, dict) else str(change))


def _rendered(template: str, title: str, script: str, **values: Any) -> str:
    style = _source("style.css")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'"
    return _environment().get_template(template).render(
        title=seen(title), policy=policy, style=Markup(style), script=Markup(script),  # noqa: S704 - our own files
        **{key: Markup(value) if key == "data" else value for key, value in values.items()},  # noqa: S704 - see embedded
    )  # fmt: skip


def _hash(text: str) -> str:
    """A source of a content security policy: this text may run, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("partner_mesh.report.html"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


@cache
def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None  # noqa: S101 - set above
    return loader.get_source(_environment(), name)[0]

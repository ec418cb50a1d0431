"""The pages: a template, the data it shows, and a policy that lets nothing else run."""

import base64
import hashlib
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.invariants.finding import Finding
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.suppressions import Judged
from partner_mesh.report import layers
from partner_mesh.report.check_json import counts
from partner_mesh.report.diff_text import object_lines, summary
from partner_mesh.report.html.payload import payload
from partner_mesh.report.html.text import embedded, seen
from partner_mesh.report.sentences import sentences

TITLE: Final = "Who can talk to whom"
_SCRIPTS: Final = ("data", "dom", "matrix", "explanation", "graph", "partners", "start")


def page(results: Results, title: str = TITLE) -> str:
    """The report of a table: matrix, layered graph, partner pages, and the explanation of every cell."""
    script = "".join(_source(f"reach/{name}.js") for name in _SCRIPTS)
    return _rendered("reach.html.j2", title, f'"use strict";(() => {{\n{script}}})();', data=embedded(payload(results)))


def check_page(judged: Judged, title: str = "Findings") -> str:
    """The report of `check`: findings by severity, then those that somebody has agreed to bear."""
    return _rendered(
        "check.html.j2", title, _source("filter.js"),
        standing=[(_finding(each), seen(each.remedy)) for each in judged.findings],
        borne=[(_finding(each), f"{seen(by.reason)} (until {by.expires})") for each, by in judged.suppressed],
        counts=counts(judged),
    )  # fmt: skip


def _finding(finding: Finding) -> dict[str, str]:
    return {key: seen(str(value)) for key, value in finding.document().items()}


def diff_page(comparison: Comparison, title: str = "") -> str:
    """The report of `diff`: access gained, doubtful and lost in sentences, then objects field by field."""
    told = sentences(comparison)
    groups = [
        (
            change.value,
            [(seen(each.text), each.hop) for each in told if each.change is change]
            + [(seen(f"TLS: {each.sentence}"), False) for each in comparison.handshakes if each.change is change],
        )
        for change in Change
    ]
    return _rendered(
        "diff.html.j2", title or f"{comparison.subject} against {comparison.against}", _source("filter.js"),
        summary=seen(summary(comparison)),
        groups=groups,
        layers_title=layers.TITLE,
        layers=[(each.change.value, seen(each.text)) for each in layers.opened(comparison)],
        upgrade=[(seen(reason), seen(remedy)) for reason, remedy in comparison.transitions],
        objects=[seen(line) for line in object_lines(comparison)],
    )  # fmt: skip


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

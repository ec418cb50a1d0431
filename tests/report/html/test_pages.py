"""A page is one document: well formed, whole, quiet on the network, and deaf to what names try to say."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from html.parser import HTMLParser

import pytest

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Access, Change
from partner_mesh.analysis.invariants.finding import Finding, Severity
from partner_mesh.analysis.layers import Partner, Workload
from partner_mesh.analysis.object_changes import ABSENT, FieldChange, ObjectChange, ObjectChanges
from partner_mesh.analysis.resources import Resource, Source
from partner_mesh.analysis.suppressions import Judged, Suppression
from partner_mesh.report.html import check_page, diff_page, page
from partner_mesh.report.html.text import embedded, seen
from tests.report.html.sample import HOSTILE, WEB, hostile, requests, thousand


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, attributes, and what its scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def judged(texts: Sequence[str] = HOSTILE) -> Judged:
    found = [Finding(text, Severity.ERROR, text, text, text, Source(text, 2)) for text in texts]
    agreed = Suppression("PM001", "*", "agreed: " + " ".join(texts), date(2030, 1, 2))
    return Judged(tuple(found), ((found[0], agreed),) if found else ())


def comparison(texts: Sequence[str] = HOSTILE) -> Comparison:
    objects = [Resource("v1", text, text, text) for text in texts]
    field = FieldChange(" ".join(texts), ABSENT, " ".join(texts))
    changed = [ObjectChange(each, each, (field,)) for each in objects]
    accesses = [
        Access(Change.GAINED, Partner(text), Workload("Deployment", text, text), WEB, requests(text, text))
        for text in texts
    ]
    changes = ObjectChanges(tuple(objects), tuple(objects), tuple(changed))
    return Comparison(
        " ".join(texts), "main", changes, tuple(accesses), transitions=tuple((text, text) for text in texts)
    )


PAGES: dict[str, Callable[[Sequence[str]], str]] = {
    "reach": lambda texts: page(hostile(), " ".join(texts)),
    "check": lambda texts: check_page(judged(texts), " ".join(texts)),
    "diff": lambda texts: diff_page(comparison(texts)),
}
PLAIN: dict[str, Callable[[], str]] = {
    "reach": lambda: page(thousand(partners=3, workloads=3)),
    "check": lambda: check_page(Judged(())),
    "diff": lambda: diff_page(comparison(())),
}


@pytest.mark.parametrize("name", PAGES)
def test_names_bring_no_element_and_no_handler(name: str) -> None:
    made = Reader(PAGES[name](HOSTILE))
    assert {"img", "svg"}.isdisjoint(made.tags)
    assert not [key for key, _ in made.attributes if key.startswith("on")]
    assert made.tags.count("script") == Reader(PLAIN[name]()).tags.count("script")


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_as_it_is_written(name: str) -> None:
    made = Reader(PAGES[name](HOSTILE))
    data = next((each for each in made.scripts if each.startswith('{"endpoints"')), None)
    shown = made.text if data is None else json.dumps(json.loads(data), ensure_ascii=False)
    for text in HOSTILE:
        wanted = seen(text) if data is None else json.dumps(seen(text), ensure_ascii=False)[1:-1]
        assert wanted in shown


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refers_to_nothing_outside_itself(name: str) -> None:
    made = Reader(PAGES[name](HOSTILE))
    keys = {key for key, _ in made.attributes}
    assert keys.isdisjoint({"src", "href", "srcset", "action", "background", "style"})
    assert not {"link", "iframe", "object", "embed", "base"} & set(made.tags)
    policy = next(value or "" for key, value in made.attributes if key == "content" and "default-src" in (value or ""))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_scripts_never_parse_markup_or_code() -> None:
    script = Reader(page(hostile())).scripts[-1]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|import\(", script
    )


def test_embedded_json_reads_back_as_it_was() -> None:
    value = {"a": list(HOSTILE[:-1])}
    text = embedded(value)
    assert json.loads(text) == value
    assert not re.search(r"[<>&]", text)


def test_the_same_table_gives_the_same_bytes() -> None:
    assert page(thousand(partners=20, workloads=5)) == page(thousand(partners=20, workloads=5))


def test_a_thousand_partners_fit_into_a_page() -> None:
    """10 bytes for each of the 255,000 cells would be 2.5 MB: equal answers and rows are written once."""
    assert len(page(thousand())) < 1_600_000


def test_no_findings_are_said_to_be_none() -> None:
    assert "No findings." in check_page(Judged(()))


def test_what_is_suppressed_is_shown_with_its_reason_and_day() -> None:
    assert "agreed: x (until 2030-01-02)" in check_page(judged(["x"]))


def test_access_comes_before_objects() -> None:
    made = diff_page(comparison(["acme"]))
    assert made.index("acme may now") < made.index("<summary>Objects")

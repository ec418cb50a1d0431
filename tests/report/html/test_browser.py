"""The pages in a real browser. Needs Debian's chromium and chromium-driver; without them it says so and does not run.

`PARTNER_MESH_PICTURES=docs/report` keeps the pictures that people look at.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from partner_mesh.analysis.resources import of_documents
from partner_mesh.analysis.table import Table
from partner_mesh.report.html import check_page, diff_page, page
from tests.report.html.browser import Browser, missing
from tests.report.html.sample import hostile, thousand
from tests.report.html.test_pages import comparison, judged

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")
EXPLANATION = "document.getElementById('explanation')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(autouse=True)
def _quiet(browser: Browser) -> Iterator[None]:
    """No page may complain on the console: a refused script or request would."""
    browser.complaints()
    yield
    assert browser.complaints() == []


@pytest.fixture(scope="module")
def large() -> str:
    return page(thousand(), "1,000 partners")


@pytest.fixture(scope="module")
def dev() -> str:
    # Not at the head of the file: compiling is another package's matter.
    from partner_mesh.cli.stack import documents  # noqa: PLC0415

    return page(Table(of_documents(documents("dev", Path()))).results(), "dev: who can talk to whom")


def keep(browser: Browser, name: str) -> None:
    folder = os.environ.get("PARTNER_MESH_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(browser.picture())


def test_only_cells_in_sight_exist_among_a_quarter_of_a_million(browser: Browser, large: str) -> None:
    browser.open(large)
    browser.settled()
    assert "2120 of 2120 sources, 2120 of 2120 destinations" in browser.run("document.body.innerText")
    assert 0 < browser.run("document.querySelectorAll('.cell').length") < 3000
    keep(browser, "thousand-matrix")


def test_scrolling_shows_other_cells(browser: Browser, large: str) -> None:
    browser.open(large)
    before = browser.run("document.querySelector('.row').textContent")
    browser.run("document.getElementById('grid').scrollTo(9000, 30000)")
    browser.settled()
    assert browser.run("document.querySelector('.row').textContent") != before
    assert browser.run("document.querySelector('.row').textContent") == "partner carrier-0127"


def test_filter_and_search_leave_what_was_meant(browser: Browser, large: str) -> None:
    browser.open(large)
    browser.type("#from", "carrier-0777")
    browser.settled()
    assert "1 of 2120 sources" in browser.run("document.getElementById('shown').textContent")
    browser.click("button[type=reset]")
    browser.type("#any", "lua")
    browser.settled()
    assert "12 of 2120 sources, 12 of" in browser.run("document.getElementById('shown').textContent")


def test_a_click_explains_a_cell_by_layers_and_objects(browser: Browser, dev: str) -> None:
    browser.open(dev)
    browser.type("#from", "partner acme")
    browser.settled()
    browser.click(".cell.some")
    said = browser.run(f"{EXPLANATION}.innerText")
    assert "partner acme-mobile → charging/charging-v1" in said
    assert "AuthorizationPolicy charging/acme-mobile.charging" in said
    assert "/v1/callbacks/{*}" in said
    assert "any-but-POST acme.partners.dev.example.com" in said
    keep(browser, "dev-explanation")


def test_the_keyboard_alone_finds_and_explains_a_cell(browser: Browser, dev: str) -> None:
    browser.open(dev)
    browser.run("document.getElementById('grid').focus()")
    browser.press("ArrowDown", "ArrowRight", "ArrowRight", "Enter")
    assert browser.run("document.activeElement.id") == "explanation"
    assert "charging/charging-v2[Deployment] → checkout/checkout" in browser.run(f"{EXPLANATION}.innerText")
    browser.press("Escape")
    assert browser.run("document.activeElement.id") == "grid"
    assert browser.run(f"{EXPLANATION}.hidden")
    keep(browser, "dev-matrix")


def test_a_partner_page_tells_both_directions(browser: Browser, dev: str) -> None:
    browser.open(dev, "#partners=acme-mobile")
    said = browser.run("document.getElementById('partner-page').innerText")
    assert "/v1/callbacks/{*}" in said
    assert "api.acme-mobile.example" in said
    assert "dcb.globex.example" not in said
    keep(browser, "dev-partner")


def test_the_layers_stand_between_the_ends(browser: Browser, dev: str) -> None:
    browser.open(dev, "#graph=partner%20globex-telecom")
    heads = browser.run("[...document.querySelectorAll('svg .head')].map((each) => each.textContent)")
    assert heads == [
        "source", "security group", "∧ NetworkPolicy", "∧ mTLS", "∧ authorisation", "∧ route", "destination"
    ]  # fmt: skip
    keep(browser, "dev-layers")


def test_a_partner_among_a_thousand(browser: Browser, large: str) -> None:
    browser.open(large, "#partners=carrier-0500")
    browser.type("#partner", "0500")
    assert browser.run("document.querySelectorAll('#partner-list li').length") == 1
    keep(browser, "thousand-partner")


@pytest.mark.parametrize("view", ["matrix", "graph=script", "partners", "notes"])
def test_hostile_names_stay_text_in_every_view(browser: Browser, view: str) -> None:
    browser.open(page(hostile(), "</title><script>document.title='owned'</script>"), f"#{view}")
    browser.settled()
    browser.click("#tab-matrix")
    browser.click(".cell.denied")
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.title") == "</title><script>document.title='owned'</script>"


@pytest.mark.parametrize(
    "made", [check_page(judged(["<img src=x>", "other"]), "<b>"), diff_page(comparison(["<img src=x>", "other"]))]
)
def test_lists_are_filtered_by_words(browser: Browser, made: str) -> None:
    browser.open(made)
    browser.type("#filter", "img")
    all_rows = "document.querySelectorAll('tbody tr').length"
    rows = "[...document.querySelectorAll('tbody tr')].filter((each) => !each.hidden).length"
    assert 0 < browser.run(rows) < browser.run(all_rows)


def test_dark_colours_keep_text_readable(browser: Browser, dev: str) -> None:
    """Ink on paper in both schemes, by the WCAG's contrast of at least 4.5."""
    browser.dark()
    browser.open(dev)
    browser.settled()
    colours = browser.run("['color', 'backgroundColor'].map((each) => getComputedStyle(document.body)[each])")
    assert contrast(*colours) > 4.5
    for kind in ("allowed", "some", "denied", "unknown"):
        shown = f"getComputedStyle(document.querySelector('#legend .{kind}'))"
        assert contrast(browser.run(f"{shown}.color"), browser.run(f"{shown}.backgroundColor")) > 4.5
    keep(browser, "dev-dark")


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(each) / 255 for each in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

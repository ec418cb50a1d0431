"""One partner's picture: both directions, the stations between, and nothing that a name can break."""

import re
from xml.etree import ElementTree

import pytest

from partner_mesh.report.picture import mermaid, partners, picture, svg
from tests.report.html.sample import HOSTILE, hostile, thousand

XML_CANNOT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def texts(document: str) -> list[str]:
    root = ElementTree.fromstring(document)  # our own output, and the point of the test
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


def test_both_directions_stand_in_the_picture() -> None:
    journeys = thousand(partners=3, workloads=2).journeys
    shown = texts(svg(picture(journeys, "carrier-0001")))
    assert any("team-01/service-001[Deployment]" in each for each in shown)
    assert any("api.carrier-0001.example" in each for each in shown)
    assert not any("carrier-0002" in each for each in shown)


def test_a_refused_request_is_no_path() -> None:
    journeys = thousand(partners=1, workloads=1).journeys
    assert len(picture(journeys, "carrier-0000").inbound) == 1


def test_partners_are_those_who_call_and_those_who_are_called() -> None:
    assert partners(thousand(partners=3, workloads=2).journeys) == ["carrier-0000", "carrier-0001", "carrier-0002"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_leave_the_svg_well_formed_and_without_foreign_elements(name: str) -> None:
    document = svg(picture(hostile().journeys, name))
    assert not XML_CANNOT.search(document)
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(document).iter()}
    assert tags == {"svg", "title", "style", "defs", "marker", "path", "rect", "text"}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_leave_a_mermaid_label(name: str) -> None:
    for line in mermaid(picture(hostile().journeys, name)).splitlines():
        label = re.fullmatch(r'\s*(?:subgraph )?\w+\["(.*)"\](?::::refused)?', line)
        if label:
            assert not re.search(r'["{}`]|<(?!br>)', label[1])
        else:
            assert re.fullmatch(r"flowchart LR|\s*end|\s*s\w+( --> s\w+)+|  classDef [\w ,:#-]+", line)

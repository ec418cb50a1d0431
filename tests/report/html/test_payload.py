"""The payload holds the whole table, every text once, and can be expanded to exactly the connections it came from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.analysis.layers import NETWORK_POLICY, Because, Client, ExternalHost, Verdict
from partner_mesh.analysis.resources import Resource
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.sets import AddressSet
from partner_mesh.model.names import PARTNER_LABEL
from partner_mesh.report.html.payload import payload, spans
from tests.report.html.sample import hostile, thousand


def expanded(data: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(source, destination, verdict, ports) of every cell, as the page's script finds them."""
    for source, number in data["sources"]:
        for kind, runs in data["rows"][number]:
            for first, count in zip(runs[::2], runs[1::2], strict=True):
                for end in range(first, first + count):
                    for each in data["classes"][kind]:
                        yield (data["endpoints"][source][0], data["endpoints"][end][0], *data["decisions"][each][:2])
    for source, end, each in data["journeys"]:
        yield (data["endpoints"][source][0], data["endpoints"][end][0], *data["decisions"][each][:2])


def original(results: Results) -> Iterator[tuple[str, str, str, str]]:
    for each in results.connections():
        yield str(each.source), str(each.destination), each.verdict.value, str(each.ports)


def test_nothing_of_the_table_is_lost_and_nothing_is_added() -> None:
    results = thousand(partners=30, workloads=20)
    assert sorted(expanded(payload(results))) == sorted(original(results))


def test_a_lost_decision_would_be_noticed() -> None:
    results = thousand(partners=30, workloads=20)
    data = payload(results)
    data["classes"][0].pop()
    assert sorted(expanded(data)) != sorted(original(results))


def test_a_caller_from_several_addresses_is_one_to_a_reader_and_its_equal_answers_are_told_once() -> None:
    results = thousand(partners=2, workloads=2)
    one, other = (Client("elsewhere", AddressSet.of(block), "p") for block in ("192.0.2.0/24", "198.51.100.0/24"))
    journey, end = results.journeys[0], results.journeys[0].destination
    refused = [replace(journey, source=each, destination=end, verdict=Verdict.DENIED) for each in (one, other)]
    only_one = replace(journey, source=other, verdict=Verdict.UNKNOWN)
    data = payload(replace(results, journeys=(*results.journeys, *refused, only_one)))
    ends = [number for number, each in enumerate(data["endpoints"]) if each[0] == "partner p from elsewhere"]
    assert len(ends) == 1
    told = [data["decisions"][each][0] for source, _, each in data["journeys"] if source == ends[0]]
    assert told == ["denied", "unknown"]
    assert [data["journeys"][number][0] for number in data["partners"]["p"]["inbound"]] == ends * 2


@given(st.integers(min_value=0, max_value=1 << 90))
def test_spans_are_the_ones_of_a_mask(mask: int) -> None:
    found = [position for first, count in spans(mask) for position in range(first, first + count)]
    assert found == [position for position in range(mask.bit_length()) if mask >> position & 1]


def test_equal_rows_and_answers_are_written_once() -> None:
    data = payload(thousand(partners=1000, workloads=20))
    assert len(data["rows"]) == 21  # the workloads' own, and one for all thousand ranges
    assert len(data["classes"]) == 3


def test_a_partner_page_names_its_journeys_in_both_directions_and_no_others() -> None:
    results = thousand(partners=5, workloads=3)
    data = payload(results)
    page = data["partners"]["carrier-0003"]
    ends = [
        tuple(data["endpoints"][end][0] for end in data["journeys"][number][:2])
        for number in page["inbound"] + page["outbound"]
    ]
    service = "team-00/service-000[Deployment]"
    assert ends == [
        ("partner carrier-0003", service),
        ("partner carrier-0003", service),
        (service, "api.carrier-0003.example"),
    ]


def test_a_host_belongs_to_the_partner_whose_entry_makes_it_known() -> None:
    """Not to one whose NetworkPolicy all of them share."""
    shared = Because.of(NETWORK_POLICY, Resource("v1", "NetworkPolicy", "a", "b", {PARTNER_LABEL: "carrier-0000"}))
    results = thousand(partners=5, workloads=3)
    journeys = [replace(each, decided_by=(*each.decided_by, shared)) for each in results.journeys]
    data = payload(replace(results, journeys=tuple(journeys)))
    for name, found in data["partners"].items():
        hosts = [data["endpoints"][data["journeys"][number][1]][0] for number in found["outbound"]]
        assert hosts == [f"api.{name}.example"]


def test_no_text_of_the_payload_holds_a_character_that_nobody_sees() -> None:
    assert not any(character in repr(payload(hostile())) for character in "\u202e\u200b\u2028\ud800")
    assert "\\u{202e}" in payload(hostile())["endpoints"][5][0]


def test_an_outside_host_without_an_entry_belongs_to_nobody() -> None:
    results = thousand(partners=2, workloads=2)
    hosts = [each for each in results.journeys if isinstance(each.destination, ExternalHost)]
    bare = Results((), (), (), (), tuple(hosts[:1]))
    assert list(payload(bare)["partners"]) == ["carrier-0000"]


def test_every_kind_of_end_is_told_apart() -> None:
    kinds = {kind for _, kind, _ in payload(thousand(partners=2, workloads=2))["endpoints"]}
    assert kinds == {"workload", "addresses", "partner", "host"}

"""Percentiles, losses and times to effect, from records alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.records import Figures, Record, percentile, read_records, settled


def record(sent: float, status: int = 200, *, seconds: float = 0.004, problem: str = "") -> Record:
    return Record(0, sent, seconds, status, problem)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 50, 0.0),
        ([7.0], 99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 51, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 100, 4.0),
        ([1.0, 2.0, 3.0, 4.0], 0, 1.0),
        ([float(n) for n in range(1, 101)], 95, 95.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


@given(st.lists(st.floats(0, 100), min_size=1), st.integers(1, 100))
def test_at_least_the_share_is_not_above_a_percentile(values: list[float], share: int) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= share * len(values)


def test_figures_count_what_got_no_answer_of_200_with_its_reason() -> None:
    several = [record(0), record(1, seconds=0.01), record(2, 503), record(3, 0, problem="Connection reset by peer")]
    figures = Figures.of(several)
    assert (figures.requests, figures.lost, figures.p50, figures.longest) == (4, 2, 4.0, 10.0)
    assert figures.reasons == {"status 503": 1, "Connection reset by peer": 1}
    assert Figures.of(several[2:3], ["payline in"]).reasons == {"status 503, payline in": 1}


def test_figures_of_nothing_are_zero() -> None:
    assert Figures.of([]) == Figures(0, 0, 0.0, 0.0, 0.0, 0.0, {})


@pytest.mark.parametrize(
    ("statuses", "good", "expected"),
    [
        ([200, 200, 403, 403], False, 2.0),
        ([200, 403, 200, 403], False, 3.0),  # one that still passes starts the clock anew
        ([403, 403, 403, 403], False, 0.0),
        ([200, 200, 200, 200], False, None),
        ([403, 403, 403, 200], False, None),
        ([0, 404, 200, 200], True, 2.0),
        ([], True, None),
    ],
)
def test_a_change_is_in_effect_from_the_first_request_after_which_none_contradicts(
    statuses: list[int], good: bool, expected: float | None
) -> None:
    assert settled([record(10.0 + n, status) for n, status in enumerate(statuses)], 10.0, good=good) == expected


def test_requests_before_the_change_do_not_count_and_order_of_answers_does_not_matter() -> None:
    several = [record(12.0, 403), record(9.0, 403), record(11.0, 200), record(13.0, 403)]
    assert settled(several, 10.0, good=False) == 2.0


@given(st.lists(st.booleans(), max_size=30))
def test_the_time_to_effect_is_never_before_the_last_contrary_request(outcomes: list[bool]) -> None:
    several = [record(float(n), 200 if good else 403) for n, good in enumerate(outcomes)]
    found = settled(several, 0.0, good=False)
    contrary = [float(n) for n, good in enumerate(outcomes) if good]
    if found is None:
        assert not outcomes or outcomes[-1]
    else:
        assert not contrary or found > contrary[-1]


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('[1, 5.5, 0.004, 200, "", true]\n[0, 5.6, 5.0, 0, "nothing within 5 s", false]\n')
    assert read_records(path) == [
        Record(1, 5.5, 0.004, 200, "", reused=True),
        Record(0, 5.6, 5.0, 0, "nothing within 5 s"),
    ]

"""Records against the standard library's dataclasses: the same declarations behave alike, as far as we use them."""

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.model import record
from partner_mesh.model.path import PathTemplate

Declare = tuple[Callable[..., Any], Callable[..., Any]]
OURS: Declare = (record.dataclass, record.field)
LIBRARY: Declare = (dataclasses.dataclass, dataclasses.field)


def declared(by: Declare) -> tuple[type[Any], type[Any]]:
    """One declaration with everything that ours use: a base class, factories, fields that are set or left out."""
    dataclass, field = by

    @dataclass(frozen=True, slots=True, order=True)
    class Base:
        NONE: ClassVar[int] = 0
        number: int
        text: str = "none"

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        unseen: int = field(default=0, compare=False)
        many: tuple[int, ...] = field(default_factory=tuple, repr=False)
        counted: int = field(init=False, default=7)
        sum: int = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "sum", self.number + sum(self.many))

    return Base, Derived


BASE, DERIVED = declared(OURS)
LIBRARY_BASE, LIBRARY_DERIVED = declared(LIBRARY)
VALUES = st.tuples(
    st.integers(0, 2), st.sampled_from(["a", "b"]), st.integers(0, 1), st.lists(st.integers(0, 1)).map(tuple)
)


@given(VALUES, VALUES)
def test_two_records_are_equal_and_hash_alike_where_the_librarys_do(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    ours, theirs = (DERIVED(*one), DERIVED(*two)), (LIBRARY_DERIVED(*one), LIBRARY_DERIVED(*two))
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])
    assert len(set(ours)) == len(set(theirs))
    assert repr(ours[0]) == repr(theirs[0])
    assert ours[0].sum == theirs[0].sum


@given(*[st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"]))] * 2)
def test_an_ordered_record_is_ordered_as_the_librarys(one: tuple[int, str], two: tuple[int, str]) -> None:
    ours, theirs = (BASE(*one), BASE(*two)), (LIBRARY_BASE(*one), LIBRARY_BASE(*two))
    assert (ours[0] < ours[1], ours[0] <= ours[1]) == (theirs[0] < theirs[1], theirs[0] <= theirs[1])
    assert (ours[0] > ours[1], ours[0] >= ours[1]) == (theirs[0] > theirs[1], theirs[0] >= theirs[1])


def test_a_record_never_equals_one_of_its_base_nor_another_class() -> None:
    assert BASE(1) != DERIVED(1)
    assert BASE(1) != (1, "none")


@pytest.mark.parametrize(
    ("given_", "named"), [((), {}), ((1, "a", 2, (), 3), {}), ((1,), {"counted": 2}), ((1,), {"x": 1})]
)
def test_arguments_that_the_library_refuses_are_refused(given_: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        LIBRARY_DERIVED(*given_, **named)
    with pytest.raises(TypeError):
        DERIVED(*given_, **named)


def test_what_the_library_does_with_dataclasses_it_does_with_records() -> None:
    one, theirs = DERIVED(1, "a", 2, (3,)), LIBRARY_DERIVED(1, "a", 2, (3,))
    assert dataclasses.asdict(one) == dataclasses.asdict(theirs)
    assert dataclasses.replace(one, text="b") == record.replace(one, text="b") == DERIVED(1, "b", 2, (3,))
    assert copy.deepcopy(one) == one
    assert DERIVED.__match_args__ == LIBRARY_DERIVED.__match_args__
    assert DERIVED.__slots__ == LIBRARY_DERIVED.__slots__


def test_a_record_that_can_change_cannot_be_a_key() -> None:
    @record.dataclass(slots=True)
    class Changing:
        many: list[int] = record.field(default_factory=list)

    one = Changing()
    one.many.append(1)
    assert Changing().many == []
    assert Changing([1]) == one
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_records_without_equality_are_compared_by_identity() -> None:
    @record.dataclass(frozen=True, slots=True, eq=False)
    class Thing:
        name: str

    one = Thing("a")
    assert one != Thing("a")
    assert len({one, one}) == 1


@pytest.mark.parametrize("alike", ["one == two", "hash(one) == hash(two)"])
def test_a_record_that_was_copied_before_any_was_made_is_compared_by_its_fields(alike: str) -> None:
    text = pickle.dumps(PathTemplate("/a"))
    program = (
        f"import pickle, sys; one, two = (pickle.loads(sys.stdin.buffer.read({len(text)})) for _ in range(2));"
        f"assert {alike} and one is not two"
    )
    subprocess.run([sys.executable, "-c", program], input=text * 2, check=True)


def test_a_class_without_slots_is_no_record() -> None:
    with pytest.raises(TypeError, match="slots=True"):
        record.dataclass(frozen=True)


def test_the_librarys_frozen_ones_are_what_the_type_checker_sees() -> None:
    # Ours are assigned to without complaint, which is why they are fast; `make types` is who refuses it.
    one, theirs = BASE(1), LIBRARY_BASE(1)
    with pytest.raises(FrozenInstanceError):
        theirs.number = 2
    one.number = 2
    assert one.number == 2

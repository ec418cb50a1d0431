"""What the strategies promise the other tests."""

from hypothesis import given, settings

from partner_mesh.config.stack import Stack
from tests.strategies import Section, configurations, stack, stacks


@settings(max_examples=150, deadline=None)
@given(stacks())
def test_every_stack_drawn_is_valid(drawn: Stack) -> None:
    assert drawn.applications


@settings(max_examples=50, deadline=None)
@given(configurations())
def test_reading_twice_gives_equal_stacks(configuration: Section) -> None:
    assert stack(configuration) == stack(configuration)

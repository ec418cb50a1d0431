"""What all tests share: the switch that refreshes golden files."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.golden import FOLDER, Golden

# No test asserts a time, and a busy machine is no fault: no deadline. CI draws the same examples every time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(FOLDER, bool(request.config.getoption("--refresh-golden")))

"""What all tests share: the switch that refreshes golden files."""

import pytest

from tests.golden import FOLDER, Golden


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(FOLDER, bool(request.config.getoption("--refresh-golden")))

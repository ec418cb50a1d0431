"""One lab for all tests that ask the data plane: it starts in seconds, but Envoys are heavy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab import stack as stacks
from lab.charts import rendered
from lab.control import Lab
from lab.tools import Tools, are_built, tools
from tests.lab import dev, fixture


@pytest.fixture(scope="session")
def lab_tools() -> Tools:
    """The programs, if they are built: tests do not spend minutes on a build, `make lab` does."""
    if not are_built():
        pytest.skip("the lab's tools are not built: run make lab")
    return tools()


@pytest.fixture(scope="session")
def fixture_documents(lab_tools: Tools) -> list[dict[str, Any]]:
    """Rendered charts and the fixture's objects."""
    return [*rendered(lab_tools, fixture.releases()), *fixture.documents()]


@pytest.fixture(scope="session")
def lab(fixture_documents: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab of the fixture stack."""
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    # A Unix socket's path is short, pytest's folders are not.
    with Lab.start(fixture_documents, directory=Path(tmp_path_factory.mktemp("lab"))) as running:
        yield running


@pytest.fixture(scope="session")
def dev_lab(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab of the stack `dev`."""
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    documents = stacks.documents(lab_tools, dev.compiled())
    with Lab.start(documents, directory=Path(tmp_path_factory.mktemp("dev"))) as running:
        yield running

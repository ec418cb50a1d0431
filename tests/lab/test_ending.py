"""However whoever started a lab ends, and whenever: no process, no namespace and no file of it stays."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab.control import Lab
from tests.lab.test_data_plane import CALLBACK

pytestmark = pytest.mark.lab

SECONDS = 150.0  # for a busy machine; a quiet one needs three
STARTS = """
import json, signal, sys, time
from pathlib import Path
from lab.control import Lab
from partner_mesh.cli.lab_common import _end
signal.signal(signal.SIGTERM, _end)
with Lab.start(json.loads(Path(sys.argv[1]).read_text()), directory=Path(sys.argv[2])):
    print("ready", flush=True)
    time.sleep(300)
"""


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def said(folder: Path) -> list[str]:
    file = folder / "progress.jsonl"
    return [json.loads(line)["text"] for line in file.read_text().splitlines()] if file.exists() else []


def left(folder: Path) -> list[str]:
    """Processes whose command names the lab's folder: its daemon, and every program that it started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = entry.read_bytes().decode(errors="replace").replace("\0", " ")
            found += [command] if str(folder) in command and str(os.getpid()) != entry.parent.name else []
    return found


@pytest.mark.parametrize("when", ["etcd and the API server", "proxies are ready"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_lab_ends_with_whoever_started_it(
    fixture_documents: list[dict[str, Any]], tmp_path: Path, number: signal.Signals, when: str
) -> None:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    folder = tmp_path / "lab"
    (tmp_path / "documents").write_text(json.dumps(fixture_documents))
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(tmp_path / "documents"), str(folder)],
        env={**os.environ, **netns.environment()}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert until(lambda: any(when in text for text in said(folder))), said(folder)
        assert len(left(folder)) > 1
    finally:
        starter.send_signal(number)
    assert starter.wait(SECONDS) != 0
    assert until(lambda: not left(folder)), left(folder)
    assert until(lambda: not folder.exists())


def test_two_labs_run_side_by_side_and_know_nothing_of_each_other(
    lab: Lab, fixture_documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    with Lab.start(fixture_documents, directory=tmp_path / "lab") as other:
        named = {"name": "acme-mobile", "namespace": "charging"}
        policies = [d for d in fixture_documents if d["kind"] == "AuthorizationPolicy"]
        other.delete([next(d for d in policies if d["metadata"].items() >= named.items())])
        refused, _ = other.until(CALLBACK, lambda seen: seen.status == 403)
        assert (refused.status, lab.probe(CALLBACK).status) == (403, 200)


def test_a_lab_that_is_to_keep_running_outlives_whoever_started_it(
    fixture_documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    (tmp_path / "documents").write_text(json.dumps(fixture_documents))
    starts = (
        "import json, sys; from pathlib import Path; from lab.control import Lab\n"
        "Lab.start(json.loads(Path(sys.argv[1]).read_text()), directory=Path(sys.argv[2]), outlives=True)"
    )
    subprocess.run(
        [sys.executable, "-c", starts, str(tmp_path / "documents"), str(tmp_path / "lab")],
        env=netns.environment(), check=True,
    )  # fmt: skip
    lab = Lab.running(tmp_path / "lab")
    try:
        assert lab.probe(CALLBACK).status == 200
    finally:
        lab.stop()
    assert not left(tmp_path / "lab")

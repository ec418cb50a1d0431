"""However whoever started a lab ends, and whenever: no process, no namespace and no file of it stays."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab import home, netns
from lab.control import Lab
from lab.tools import Tools
from tests.lab import dev
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


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A Unix socket's path is short, pytest's folders of long test names are not."""
    with tempfile.TemporaryDirectory(prefix="ending-") as name:
        yield Path(name)


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


COMMAND = [sys.executable, "-c", "from partner_mesh.cli.main import run; run()", "lab"]
COMMANDS = {
    "test validate": ["test", "dev", "--tier", "validate"], "test apply": ["test", "dev", "--tier", "apply"],
    "test traffic": ["test", "dev", "--tier", "traffic"], "up": ["up", "dev"],
    "load": ["load", "dev", "--case", "steady"],
}  # fmt: skip


def lab_command(arguments: list[str], temporary: Path) -> subprocess.Popen[bytes]:
    where = ["--config-dir", str(dev.ROOT)] if "dev" in arguments else []
    environment = {**os.environ, **netns.environment(), "TMPDIR": str(temporary)}
    return subprocess.Popen(
        [*COMMAND, *arguments, *where],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_no_process_and_the_next_lab_removes_its_files(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, lab_tools: Tools, name: str
) -> None:
    del lab_tools  # only that they are built
    with lab_command(COMMANDS[name], short_path) as started:
        try:
            sign = "lab.load" if name == "load" else "kube-apiserver"
            assert until(lambda: any(sign in each for each in left(short_path))), name
        finally:
            started.send_signal(signal.SIGKILL)
    assert until(lambda: not left(short_path)), left(short_path)
    monkeypatch.setattr("tempfile.tempdir", str(short_path))
    with home.temporary() as mine:
        assert until(lambda: {each.name for each in mine.parent.iterdir()} <= {".lock", mine.name})


def test_a_lab_that_keeps_running_and_is_killed_can_be_started_again(short_path: Path, lab_tools: Tools) -> None:
    del lab_tools
    folder = short_path / f"partner-mesh-lab-{os.getuid()}" / "dev"
    for _ in range(2):
        with lab_command(COMMANDS["up"], short_path) as started:
            text = started.communicate()[0].decode()
        assert started.returncode == 0, text
        assert "proxies are ready" in text  # and not what was written before
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        assert until(lambda: not left(short_path)), left(short_path)
        with lab_command(["status"], short_path) as asked:
            text = asked.communicate()[0].decode()
        assert (asked.returncode, "no lab is running" in text) == (2, True), text


@pytest.mark.parametrize("name", ["test validate", "test apply", "test traffic", "up"])
def test_a_disk_without_room_is_said_and_nothing_is_left(tmp_path: Path, lab_tools: Tools, name: str) -> None:
    del lab_tools
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = f'mount -t tmpfs -o size=40m tmpfs {tmp_path} && "$@"; status=$?; du -sk {tmp_path}; exit $status'
    command = [*COMMAND, *COMMANDS[name], "--config-dir", str(dev.ROOT)]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted, "sh", *command],
        env={**os.environ, **netns.environment(), "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert (done.returncode, "MiB are free, 96 are needed; set TMPDIR" in said) == (2, True), said
    assert "Traceback" not in said
    assert done.stdout.split()[-2:] == ["0", str(tmp_path)]


def test_a_lab_that_ends_has_nothing_to_complain_of(fixture_documents: list[dict[str, Any]], tmp_path: Path) -> None:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    lab = Lab.start(fixture_documents, directory=tmp_path / "lab")
    try:
        assert lab.probe(CALLBACK).status == 200
    finally:
        lab.stop()
    assert (tmp_path / "lab/daemon.log").read_text() == ""


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

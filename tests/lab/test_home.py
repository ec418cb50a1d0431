"""Folders of labs: held by the living, swept when nobody holds them, whatever became of whoever made them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab import LabError, home, netns

HOLDS = """
import sys, time
from lab import home
hold = home.Hold.of_nobody()
print(hold.folder, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / f"partner-mesh-lab-{os.getuid()}"


@pytest.fixture
def somebody(root: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=netns.environment()
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_temporary_folder_is_gone_afterwards_even_when_something_fails() -> None:
    with suppress(RuntimeError), home.temporary() as folder:
        (folder / "file").touch()
        raise RuntimeError
    assert not folder.exists()


def test_what_a_killed_process_has_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not(
    somebody: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = somebody
    with home.temporary() as mine:
        assert folder.exists()
        assert mine != folder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.exists()
    with home.temporary():
        assert not folder.exists()


def test_a_failed_labs_logs_are_kept_for_a_day() -> None:
    hold = home.Hold.of_nobody()
    (hold.folder / home.FAILED).touch()
    hold.release()
    with home.temporary():
        assert hold.folder.exists()
    os.utime(hold.folder / home.FAILED, (0, 0))
    with home.temporary():
        assert not hold.folder.exists()


def test_a_stacks_folder_is_fresh_and_nobody_elses() -> None:
    first = home.Hold.of_stack("dev")
    (first.folder / "progress.jsonl").write_text("of a lab that died")
    with pytest.raises(LabError, match="the lab of dev is running or starting already"):
        home.Hold.of_stack("dev")
    first.release()
    second = home.Hold.of_stack("dev")
    assert second.folder == first.folder
    assert not (second.folder / "progress.jsonl").exists()


def test_a_folder_that_is_somebody_elses_is_not_used(root: Path, tmp_path: Path) -> None:
    root.symlink_to(tmp_path)
    with pytest.raises(LabError, match="is not a folder of yours"):
        home.running()


def test_a_disk_without_room_is_told_with_what_is_free_and_needed(tmp_path: Path) -> None:
    home.require_room(tmp_path)
    with pytest.raises(OSError, match=r"\d+ MiB are free, 1073741824 are needed"):
        home.require_room(tmp_path, 1 << 30)

"""The build of the lab's programs, with a compiler of our own: once, told, whole or not at all."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lab import LabError, netns, tools

GOOD = (
    """case "$1" in build) while [ "$1" != -o ]; do shift; done; for p in {programs}; do echo x > "$2$p"; done;; esac"""
)
SLOW = """echo $$ > {folder}/pid; while [ "$1" != -o ]; do shift; done; echo half > "$2helm"; exec sleep 300"""
FULL = "echo 'write /x/helm: no space left on device'; exit 1"


def compiler(folder: Path, script: str) -> None:
    (folder / "go").write_text("#!/bin/sh\n" + script.format(programs=" ".join(tools.BUILT), folder=folder) + "\n")
    (folder / "go").chmod(0o755)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_programs_are_built_once_and_it_is_told(folder: Path) -> None:
    compiler(folder, GOOD)
    told: list[str] = []
    assert tools._built(told.append) == tools.cache_directory() / "bin"
    assert ("building helm" in told[0], "GB" in told[0], "built in" in told[-1]) == (True, True, True)
    told.clear()
    compiler(folder, FULL)
    assert (tools._built(told.append), told) == (tools.cache_directory() / "bin", [])


def test_a_disk_that_is_full_is_said_with_what_can_be_moved(folder: Path) -> None:
    compiler(folder, FULL)
    with pytest.raises(LabError, match=r"(?s)no space left on device.*set XDG_CACHE_HOME, GOCACHE and GOMODCACHE"):
        tools._built(lambda _: None)
    assert not tools.are_built()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_ends_its_compiler_and_the_next_one_begins_anew(
    folder: Path, number: signal.Signals
) -> None:
    compiler(folder, SLOW)
    code = "from lab import tools; tools._built(lambda _: None)"
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **netns.environment()}, stderr=subprocess.DEVNULL
    ) as builder:
        while not (tools.cache_directory() / "partial/helm").exists():
            assert builder.poll() is None
            time.sleep(0.01)
        builder.send_signal(number)
    pid = int((folder / "pid").read_text())
    try:
        deadline = time.monotonic() + 20
        while alive(pid):
            assert time.monotonic() < deadline, "the compiler outlives whoever began"
            time.sleep(0.01)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not tools.are_built()
    compiler(folder, GOOD)
    tools._built(lambda _: None)
    assert tools.are_built()
    assert (tools.cache_directory() / "bin/helm").read_text() == "x\n"


def test_the_version_that_the_api_server_reports_is_the_one_that_is_built() -> None:
    pinned = re.search(r"k8s\.io/kubernetes v([0-9.]+)\s", (tools.MODULE / "go.mod").read_text())
    assert pinned is not None
    assert pinned[1] == ".".join(tools.KUBERNETES_VERSION)

